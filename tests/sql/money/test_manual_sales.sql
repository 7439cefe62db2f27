-- Sales by hand, as the client page makes them: the books always equal what was paid, and only grow.
begin;
select plan(42);

select tests.full_org('ada');
select tests.full_org('eve');
update public.booking_settings set gst_registered = true where org_id = tests.id('org', 'ada');

-- A sale of ada's as the browser writes it; p_name makes its id.
create function pg_temp.sell(p_name text, p_status text, p_cents integer, p_method text default null)
returns void language plpgsql as $$
begin
  insert into public.client_purchases (
    id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, sessions_used, payment_status, payment_method)
  values (tests.id('sale', p_name), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'),
          p_cents, 10, 0, p_status, p_method);
end;
$$;
create function pg_temp.edit(p_name text, p_set text) returns void language plpgsql as $$
begin
  execute format('update public.client_purchases set %s where id = tests.id(''sale'', %L)', p_set, p_name);
end;
$$;
-- The rows of a sale, in the order written: type, amount, GST.
create function pg_temp.books(p_name text) returns text language sql as $$
  select coalesce(string_agg(format('%s %s %s', e.type, e.amount_cents, e.tax_cents), ', '
                             order by a.seq), 'nothing')
    from public.money_events as e
    join public.audit_events as a on a.table_name = 'money_events' and a.row_id = e.id and a.action = 'insert'
   where split_part(e.reference_id, ':', 1) = tests.id('sale', p_name)::text;
$$;

-- Once paid, once booked ----------------------------------------------------------------------------------------------
select tests.act_as('ada staff');
select pg_temp.sell('saved', 'pending', 11000);
select pg_temp.sell('cash', 'succeeded', 11000, 'cash');
select pg_temp.edit('saved', $$payment_status = 'pending', sessions_total = 12$$);
select tests.act_as_admin();
select is(pg_temp.books('saved'), 'nothing', 'what is only saved is not money');
select is(pg_temp.books('cash'), 'INCOME 11000 1000', '"Paid Cash" is, with the GST in it');
select results_eq(
  $$select org_id, source collate "C", currency collate "C", tax_cat, reference_id collate "C", client_id,
           payment_status collate "C", event_date
      from public.money_events where reference_id = tests.id('sale', 'cash')::text$$,
  $$select tests.id('org', 'ada'), 'manual' collate "C", 'aud' collate "C", 'GST'::public.tax_category,
           tests.id('sale', 'cash')::text collate "C", tests.id('client', 'ada'), 'succeeded' collate "C", now()$$,
  'of the org, the client, by hand, now');
select tests.act_as('ada');
select pg_temp.edit('saved', $$payment_status = 'succeeded', payment_method = 'cash'$$);
select pg_temp.edit('saved', $$payment_status = 'succeeded', payment_method = 'cash'$$);
select pg_temp.edit('saved', $$payment_status = 'succeeded'$$);
select pg_temp.edit('saved', $$payment_status = 'succeeded', payment_method = 'bank_transfer'$$);
select tests.act_as_admin();
select is(pg_temp.books('saved'), 'INCOME 11000 1000', 'a saved sale is booked when it is paid, however often that is said');
select lives_ok($$insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, payment_status)
  values (tests.id('sale', 'cash'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 11000,
          'succeeded') on conflict (id) do update set payment_status = excluded.payment_status$$, 'the same row sent twice');
select is(pg_temp.books('cash'), 'INCOME 11000 1000', 'is booked once');

-- Undone, and paid again ----------------------------------------------------------------------------------------------
select pg_temp.edit('cash', $$payment_status = 'pending'$$);
select is(pg_temp.books('cash'), 'INCOME 11000 1000, REFUND -11000 -1000', 'not paid after all: reversed');
select pg_temp.edit('cash', $$payment_status = 'failed'$$);
select is(pg_temp.books('cash'), 'INCOME 11000 1000, REFUND -11000 -1000', 'once');
select pg_temp.edit('cash', $$payment_status = 'succeeded'$$);
select pg_temp.edit('cash', $$payment_status = 'refunded'$$);
select is(pg_temp.books('cash'), 'INCOME 11000 1000, REFUND -11000 -1000, INCOME 11000 1000, REFUND -11000 -1000',
  'paid again books again, and a refund reverses that');
select results_eq(
  $$select reference_id collate "C" from public.money_events
     where split_part(reference_id, ':', 1) = tests.id('sale', 'cash')::text order by type, 1$$,
  $$select tests.id('sale', 'cash') || s collate "C" from unnest(array['', ':2', '', ':2']) as s$$, 'under keys of their own');
select pg_temp.sell('deleted', 'succeeded', 5000, 'cash');
delete from public.client_purchases where id = tests.id('sale', 'deleted');
select is(pg_temp.books('deleted'), 'INCOME 5000 455, REFUND -5000 -455', 'a sale that is deleted is reversed');
select pg_temp.sell('deleted', 'succeeded', 5000, 'cash');
select is(pg_temp.books('deleted'), 'INCOME 5000 455, REFUND -5000 -455, INCOME 5000 455', 'and comes back when it does');
delete from public.client_purchases where id = tests.id('sale', 'saved');
select is(pg_temp.books('saved'), 'INCOME 11000 1000, REFUND -11000 -1000', 'whoever deletes it');

-- Another amount ------------------------------------------------------------------------------------------------------
select pg_temp.sell('edited', 'succeeded', 10000, 'card');
select pg_temp.edit('edited', 'amount_paid_cents = 10010');
select pg_temp.edit('edited', 'amount_paid_cents = 9000');
select is(pg_temp.books('edited'), 'INCOME 10000 909, ADJUSTMENT 10 1, ADJUSTMENT -1010 -92', 'a corrected amount is adjusted');
select is((select sum(tax_cents) from public.money_events where reference_id like tests.id('sale', 'edited') || '%'),
  app.gst_cents(tests.id('org', 'ada'), 9000)::numeric, 'its GST is that of the amount, whatever the steps');
select pg_temp.edit('edited', $$payment_status = 'failed', amount_paid_cents = 1$$);
select is((select sum(amount_cents) from public.money_events where reference_id like tests.id('sale', 'edited') || '%'),
  0::numeric, 'undone, nothing is left');
select pg_temp.sell('to zero', 'succeeded', 700, 'card');
select pg_temp.edit('to zero', 'amount_paid_cents = 0');
select is(pg_temp.books('to zero'), 'INCOME 700 64, REFUND -700 -64', 'a price taken back to nothing');
select pg_temp.sell('abroad', 'succeeded', 700, 'card');
select pg_temp.edit('abroad', $$currency = 'usd'$$);
select is((select string_agg(currency || ' ' || amount_cents, ', ' order by currency, amount_cents) from public.money_events
            where split_part(reference_id, ':', 1) = tests.id('sale', 'abroad')::text),
  'aud -700, aud 700, usd 700', 'currencies never mix');
update public.booking_settings set gst_registered = false where org_id = tests.id('org', 'ada');
select pg_temp.sell('small', 'succeeded', 700, 'card');
select is(pg_temp.books('small'), 'INCOME 700 0', 'GST only when the org is registered');
select pg_temp.edit('abroad', $$payment_status = 'failed'$$);
select is((select sum(tax_cents) from public.money_events
            where split_part(reference_id, ':', 1) = tests.id('sale', 'abroad')::text), 0::numeric,
  'what was booked as GST is taken back as that, registered or no longer');

-- A correction holds the GST of the sale it corrects.
select pg_temp.sell('unregistered', 'succeeded', 10000, 'cash');
update public.booking_settings set gst_registered = true where org_id = tests.id('org', 'ada');
select pg_temp.edit('unregistered', 'amount_paid_cents = 9000');
select is(pg_temp.books('unregistered'), 'INCOME 10000 0, ADJUSTMENT -1000 0', 'sold without GST, corrected without');
select pg_temp.sell('registered', 'succeeded', 10000, 'cash');
update public.booking_settings set gst_registered = false where org_id = tests.id('org', 'ada');
select pg_temp.edit('registered', 'amount_paid_cents = 9000');
select is(pg_temp.books('registered'), 'INCOME 10000 909, ADJUSTMENT -1000 -91', 'sold with GST, corrected with');
select is((select string_agg(distinct tax_cat::text, '') from public.money_events
            where split_part(reference_id, ':', 1) = tests.id('sale', 'registered')::text), 'GST', 'of one category');
select pg_temp.edit('registered', $$payment_status = 'pending'$$);
select pg_temp.edit('registered', $$payment_status = 'succeeded'$$);
select pg_temp.edit('registered', 'amount_paid_cents = 8000');
select is(pg_temp.books('registered'), 'INCOME 10000 909, ADJUSTMENT -1000 -91, REFUND -9000 -818, INCOME 9000 0, '
  'ADJUSTMENT -1000 0', 'undone, and paid again without GST, it is corrected without');

-- Nothing to book -----------------------------------------------------------------------------------------------------
select pg_temp.sell('gift', 'succeeded', 0, 'cash');
select is(pg_temp.books('gift'), 'nothing', 'a gift is not money');
select pg_temp.sell('stripe', 'succeeded', 700, 'stripe');
select is(pg_temp.books('stripe'), 'nothing', 'Stripe''s money is booked by Stripe''s events');
select pg_temp.sell('intent', 'pending', 700);
select pg_temp.edit('intent', $$stripe_payment_intent_id = 'pi_manual', payment_status = 'succeeded'$$);
select pg_temp.edit('intent', $$payment_method = 'cash'$$);
select is(pg_temp.books('intent'), 'nothing', 'also when the coach has the method wrong');
select pg_temp.sell('page', 'pending', 700);
select pg_temp.edit('page', $$stripe_checkout_session_id = 'cs_manual', payment_status = 'succeeded'$$);
select is(pg_temp.books('page'), 'nothing', 'or there is only the page it was paid on');
select pg_temp.edit('small', $$payment_method = 'stripe'$$);
select is(pg_temp.books('small'), 'INCOME 700 0, REFUND -700 0', 'a sale that turns out to be Stripe''s leaves the books');
-- Sold before such sales were booked.
select pg_temp.sell('old', 'succeeded', 900, 'cash');
alter table public.money_events disable trigger money_events_stay_booked;
delete from public.money_events where reference_id = tests.id('sale', 'old')::text;
alter table public.money_events enable trigger money_events_stay_booked;
update public.client_purchases set purchased_at = '2026-01-10 10:00+10' where id = tests.id('sale', 'old');
select pg_temp.edit('old', $$payment_status = 'succeeded', sessions_total = 20$$);
select is((select count(*) from public.money_events where reference_id = tests.id('sale', 'old')::text), 0::bigint,
  'a sale from before is not booked by an edit of its sessions');
select pg_temp.edit('old', 'amount_paid_cents = 800');
select results_eq(
  $$select type, amount_cents, event_date from public.money_events where reference_id = tests.id('sale', 'old')::text$$,
  $$values ('INCOME'::public.money_event_type, 800::bigint, '2026-01-10 10:00+10'::timestamptz)$$,
  'it is by an edit of its money, on the day it was sold');

-- The finance page, and what the platform earns ------------------------------------------------------------------------
create temp table before as select * from public.org_earnings where org_id = tests.id('org', 'ada');
select pg_temp.sell('counted', 'succeeded', 4200, 'cash');
select is((select cash_in_cents from public.finance_monthly
            where org_id = tests.id('org', 'ada') and period = to_char(now() at time zone 'Australia/Brisbane', 'YYYY-MM')),
  (select sum(amount_cents) from public.money_events
    where org_id = tests.id('org', 'ada') and amount_cents > 0 and event_date = now() and currency = 'aud')::bigint,
  'the month counts sales by hand');
select results_eq($$select * from public.org_earnings where org_id = tests.id('org', 'ada')$$, 'select * from before',
  'the platform takes no commission of cash, and pays none out');

-- Whose ---------------------------------------------------------------------------------------------------------------
select tests.act_as('ada books');
select throws_ok($$select pg_temp.sell('by the accountant', 'succeeded', 100)$$, '42501', null, 'an accountant sells nothing');
select tests.act_as('eve');
select throws_ok($$select pg_temp.sell('by eve', 'succeeded', 100)$$, null, null, 'nor does another org');
select is((select count(*) from public.money_events where source = 'manual' and org_id = tests.id('org', 'ada')), 0::bigint,
  'or sees these books');
select tests.act_as_admin();
select is((select count(*) from public.money_events where client_id = tests.id('client', 'eve') and amount_cents = 100), 0::bigint,
  'and nothing is in theirs');

-- Who goes ------------------------------------------------------------------------------------------------------------
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'leaver'), tests.id('org', 'ada'), 'Leaver');
select pg_temp.sell('leaver', 'succeeded', 300, 'cash');
update public.client_purchases set client_id = tests.id('client', 'leaver') where id = tests.id('sale', 'leaver');
delete from public.clients where id = tests.id('client', 'leaver');
select is((select string_agg(type || ' ' || amount_cents, ', ') from public.money_events
            where split_part(reference_id, ':', 1) = tests.id('sale', 'leaver')::text), 'INCOME 300',
  'a client who is deleted has paid all the same');
select lives_ok($$delete from public.orgs where id = tests.id('org', 'eve')$$, 'an org goes with its sales');

-- When ----------------------------------------------------------------------------------------------------------------
insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, payment_status, payment_method,
  purchased_at)
select tests.id('sale', n), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 100, 'succeeded', 'cash', t
  from (values ('before', now() - interval '3 days'), ('ahead', now() + interval '3 days')) as v (n, t);
select is((select event_date from public.money_events where reference_id = tests.id('sale', 'before')::text),
  now() - interval '3 days', 'a sale entered later is of the day it was made');
select is((select event_date from public.money_events where reference_id = tests.id('sale', 'ahead')::text), now(),
  'money is not taken in the future');
insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, payment_status, purchased_at)
values (tests.id('sale', 'later'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 100, 'pending',
        now() - interval '40 days');
select pg_temp.edit('later', $$payment_status = 'succeeded', payment_method = 'cash'$$);
select is((select event_date from public.money_events where reference_id = tests.id('sale', 'later')::text), now(),
  'a sale saved before and paid now is of now');

select * from finish();
rollback;
