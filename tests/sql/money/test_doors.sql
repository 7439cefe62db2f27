-- Who may refund, connect an account and take the books away, and what asking twice does.
begin;
select plan(76);

select tests.full_org('ada');
select tests.full_org('eve');
select tests.platform_admin('root');
do $$ begin perform tests.person('nobody'); end $$;
update public.orgs set timezone = 'Pacific/Auckland' where id = tests.id('org', 'ada');
update public.client_purchases set stripe_payment_intent_id = 'pi_ada' where id = tests.id('pack', 'ada');
update public.client_purchases set stripe_payment_intent_id = 'pi_eve' where id = tests.id('pack', 'eve');
create temp table others (n integer, person text, who text);
insert into others values
  (1, 'ada books', 'the accountant'), (2, 'ada client', 'the client who paid'), (3, 'eve', 'another org''s owner'),
  (4, 'eve staff', 'another org''s staff'), (5, 'root', 'an admin of the platform'), (6, 'nobody', 'a stranger');

-- app.begin_refund() ---------------------------------------------------------------------------------------------------
create function tests.refund(
  p_person text, p_cents bigint default null, p_at timestamptz default '2026-03-01 09:00Z', p_key text default null,
  p_reason text default null, p_pack text default 'ada'
) returns jsonb language sql as $$
  select app.begin_refund(case when p_person <> '' then md5('person ' || p_person)::uuid end, tests.id('pack', p_pack), p_cents,
                          p_reason, p_key, p_at);
$$;
create function tests.refunds() returns bigint language sql as 'select count(*) from app.refunds';

select throws_ok(format('select tests.refund(%L)', o.person), 'PT404', 'purchase_not_found', o.who || ' finds nothing to refund')
  from others as o order by o.n;
select throws_ok($$select tests.refund('')$$, 'PT404', 'purchase_not_found', 'nor does nobody');
select throws_ok($$select tests.refund('ada', p_pack => 'eve')$$, 'PT404', 'purchase_not_found', 'nor an owner in another org');
select throws_ok($$select tests.refund('ada', p_pack => 'unknown')$$, 'PT404', 'purchase_not_found', 'nor where nothing is');
select throws_ok(format('select tests.refund(''ada'', %s)', c), 'PT400', 'amount_invalid', c || ' cents are no refund')
  from unnest(array[0, -1]) as c;
select throws_ok($$select tests.refund('ada', p_reason => 'because')$$, 'PT400', 'reason_invalid', 'a reason is one of Stripe''s');
select throws_ok(format('select tests.refund(''ada'', p_key => %L)', k), 'PT400', 'idempotency_key_invalid', 'a key of ' || length(k))
  from unnest(array['', repeat('k', 256)]) as k;
select throws_ok($$select tests.refund('ada', 90001)$$, 'PT409', 'refund_exceeds_payment', 'never more than was paid');
select tests.pack('cash', 'ada');
select throws_ok($$select tests.refund('ada', p_pack => 'cash')$$, 'PT409', 'not_paid_through_stripe', 'only what Stripe took');
create temp table account as select a.* from public.stripe_accounts as a where a.org_id = tests.id('org', 'ada');
delete from public.stripe_accounts where org_id = tests.id('org', 'ada');
select throws_ok($$select tests.refund('ada')$$, 'PT503', 'stripe_not_connected', 'from the account that took it');
insert into public.stripe_accounts select * from account;
select is(tests.refunds(), 0::bigint, 'a refusal records nothing');

create temp table first as select tests.refund('ada', 20000) as r;
select is(r - '{id}'::text[], jsonb_build_object(
  'org_id', tests.id('org', 'ada'), 'purchase_id', tests.id('pack', 'ada'), 'request_key', null, 'asked_cents', 20000,
  'amount_cents', 20000, 'currency', 'aud', 'reason', null, 'status', 'requested', 'stripe_account_id', 'acct_ada',
  'stripe_payment_intent_id', 'pi_ada', 'refund_application_fee', true, 'stripe_refund_id', null,
  'created_at', '2026-03-01T09:00:00+00:00'::timestamptz, 'settled_at', null), 'an owner refunds a part') from first;
select is(tests.refund('ada staff', 20000) ->> 'id', (select r ->> 'id' from first), 'again, by staff, it is the same refund');
select is(tests.refund('ada', 20000, '2026-03-02 07:59Z') ->> 'id', (select r ->> 'id' from first),
  'however late, while Stripe''s answer is missing');
select throws_ok($$select tests.refund('ada', 20000, '2026-03-02 08:00Z')$$, 'PT409', 'refund_unsettled',
  'until Stripe would make a second one of it');
select app.settle_refund((select (r ->> 'id')::uuid from first), 're_1', 'sent', '2026-03-01 09:01Z');
select is(tests.refund('ada', 20000, '2026-03-01 09:09:59Z') ->> 'status', 'sent', 'a second click within ten minutes');
select is(tests.refunds(), 1::bigint, 'one so far');
select isnt(tests.refund('ada', 20000, '2026-03-01 09:10Z') ->> 'id', (select r ->> 'id' from first), 'after that it is another');
select isnt(tests.refund('ada', 10000, '2026-03-01 09:10Z') ->> 'id', (select r ->> 'id' from first), 'and so is another amount');
create temp table keyed as select tests.refund('ada', 5000, p_key => 'key', p_reason => 'duplicate') as r;
select is(tests.refund('ada', 5000, '2026-03-01 20:00Z', 'key', 'duplicate') ->> 'id', (select r ->> 'id' from keyed), 'a key names a refund');
select app.settle_refund((select (r ->> 'id')::uuid from keyed), 're_2', 'sent', '2026-03-01 09:01Z');
select is(tests.refund('ada', 5000, '2027-03-01 09:00Z', 'key', 'duplicate') ->> 'id', (select r ->> 'id' from keyed), 'for good');
select throws_ok($$select tests.refund('ada', 5001, p_key => 'key', p_reason => 'duplicate')$$, 'PT409', 'idempotency_key_reused',
  'and not another amount');
select throws_ok($$select tests.refund('ada', 5000, p_key => 'key')$$, 'PT409', 'idempotency_key_reused', 'nor another reason');
select isnt(tests.refund('eve', 5000, p_key => 'key', p_pack => 'eve') ->> 'id', (select r ->> 'id' from keyed), 'in another org it is another');
-- 20000, 20000, 10000 and 5000 were asked for.
select throws_ok($$select tests.refund('ada', 35001)$$, 'PT409', 'refund_exceeds_payment', 'what was asked for is not left');
insert into public.money_events (org_id, event_date, type, amount_cents, source, reference_id, client_id, stripe_payment_intent_id)
select tests.id('org', 'ada'), '2026-03-01', 'REFUND', c, 'stripe', i, tests.id('client', 'ada'), 'pi_ada'
  from (values (-30000, 're_dashboard'), (-20000, 're_1')) as e (c, i);
select throws_ok($$select tests.refund('ada', 5001)$$, 'PT409', 'refund_exceeds_payment', 'nor what went back in Stripe''s dashboard, once');
select is(tests.refund('ada') ->> 'amount_cents', '5000', 'all that is left');
select throws_ok($$select tests.refund('ada', 1)$$, 'PT409', 'refund_exceeds_payment', 'is nothing after that');
select app.settle_refund((select (r ->> 'id')::uuid from first), 're_1', 'failed', '2026-03-01 09:30Z');
select is(tests.refund('ada', 20000, '2026-03-01 10:30Z', 'again') ->> 'status', 'requested', 'what failed is left again');
insert into app.checkouts (org_id, client_id, offer_id, stripe_session_id, status, application_fee_cents)
select tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 'cs_' || c, 'paid', c from unnest(array[0, 7]) as c;
select tests.pack('free of fee', 'ada'), tests.pack('with a fee', 'ada');
update public.client_purchases as p set stripe_payment_intent_id = 'pi_' || v.c, stripe_checkout_session_id = 'cs_' || v.c
  from (values ('free of fee', 0), ('with a fee', 7)) as v (name, c) where p.id = tests.id('pack', v.name);
select is(tests.refund('ada', p_pack => 'free of fee') -> 'refund_application_fee', 'false'::jsonb,
  'the platform gives back nothing where it took nothing');
select is(tests.refund('ada', p_pack => 'with a fee') -> 'refund_application_fee', 'true'::jsonb, 'and its share where it did');
select is((select count(*) from public.money_events where type = 'REFUND' and reference_id !~ '^re_(dashboard|1)$'), 0::bigint,
  'the books are Stripe''s events'' to write');

-- app.begin_connect() --------------------------------------------------------------------------------------------------
delete from public.stripe_accounts where org_id = tests.id('org', 'ada');
create function tests.connect(p_person text) returns text language sql as $$
  select app.begin_connect(md5('person ' || p_person)::uuid, tests.id('org', 'ada')) ->> 'account_id';
$$;
create function tests.connect_key() returns text language sql as $$
  select app.begin_connect(md5('person ada')::uuid, tests.id('org', 'ada')) ->> 'idempotency_key';
$$;
create temp table first_key as select tests.connect_key() as k;
select throws_ok(format('select tests.connect(%L)', o.person), 'PT404', 'org_not_found', o.who || ' finds no org to connect')
  from (select * from others union all values (0, 'ada staff', 'staff')) as o order by o.n;
select throws_ok($$select app.begin_connect(null, tests.id('org', 'ada'))$$, 'PT404', 'org_not_found', 'nor does nobody');
select is(tests.connect('ada'), null, 'its owner does: it has no account yet');
select is(app.account_connected(tests.id('org', 'ada'), 'acct_first'), 'acct_first', 'the one that Stripe made is its');
select is(app.account_connected(tests.id('org', 'ada'), 'acct_second'), 'acct_first', 'a second one is not');
select is(tests.connect('ada'), 'acct_first', 'and from then on it is the one');
select results_eq($$select charges_enabled, payouts_enabled, details_submitted from public.stripe_accounts where stripe_account_id = 'acct_first'$$,
  $$values (false, false, false)$$, 'what it may do, Stripe says');
select is(app.apply_disconnection(tests.id('org', 'ada'), 'acct_first', '2026-03-01 09:00Z'), 'applied', 'disconnected by its owner');
select is(tests.connect('ada'), null, 'it is not theirs to use: another one is to be made');
select isnt(tests.connect_key(), (select k from first_key), 'which Stripe must not take for the first');
create temp table second_key as select tests.connect_key() as k;
select is(tests.connect_key(), (select k from second_key), 'the same for every click');
select is(app.account_connected(tests.id('org', 'ada'), 'acct_third'), 'acct_third', 'it takes the place of the first');
select is(app.account_connected(tests.id('org', 'ada'), 'acct_fourth'), 'acct_third', 'once');
select is(tests.connect('ada'), 'acct_third', 'and is the one from then on');
select throws_ok($$delete from public.stripe_accounts where org_id = tests.id('org', 'eve');
  select app.account_connected(tests.id('org', 'eve'), 'acct_third')$$, '23505', null, 'no other org has the same');

-- public.finance_export() ----------------------------------------------------------------------------------------------
insert into public.money_events (org_id, event_date, type, amount_cents, currency, source, payment_status, client_id, notes, reference_id)
select tests.id('org', 'ada'), at::timestamptz, t::public.money_event_type, cents, cur, 'stripe', status, tests.id('client', 'ada'), 'mine', 'x_' || n
  from (values (1, '2026-06-30 11:59:59Z', 'INCOME', 5, 'aud', 'succeeded'), (2, '2026-06-30 12:00Z', 'INCOME', 1250, 'jpy', 'succeeded'),
               (3, '2026-07-31 11:59:59Z', 'REFUND', -1234567, 'kwd', null), (4, '2026-07-31 12:00Z', 'FEE', -7, 'aud', 'succeeded'),
               (5, '2026-07-10 12:00Z', 'INCOME', 777, 'aud', 'failed'), (6, '2026-07-10 12:00Z', 'INCOME', 778, 'aud', 'pending')
       ) as e (n, at, t, cents, cur, status);
insert into public.money_events (org_id, event_date, type, amount_cents, source, payment_status)
values (tests.id('org', 'eve'), '2026-07-10', 'INCOME', 999, 'stripe', 'succeeded');
create function tests.export(p_from date default null, p_to date default null) returns text language sql as $$
  select coalesce(string_agg(format('%s %s %s %s', e.event_date, e.type, e.amount, e.currency), ', ' order by e.event_at), 'nothing')
    from public.finance_export(tests.id('org', 'ada'), p_from, p_to) as e where e.notes = 'mine';
$$;
grant execute on function tests.export to public;
create function pg_temp.export_as(p_person text) returns text language plpgsql as $$
declare
  v_found text;
begin
  perform tests.act_as(p_person);
  v_found := tests.export();
  perform tests.act_as_admin();
  return v_found;
exception when others then
  perform tests.act_as_admin();
  raise;
end;
$$;
select throws_ok(format('select pg_temp.export_as(%L)', o.person), 'PT404', 'org_not_found', o.who || ' has no books to take')
  from (values (0, 'ada staff', 'staff'), (2, 'ada client', 'a client'), (3, 'eve', 'another org''s owner'),
               (4, 'eve books', 'another org''s accountant'), (5, 'root', 'an admin of the platform'), (6, 'nobody', 'a stranger')
       ) as o (n, person, who) order by o.n;
select is(pg_temp.export_as(p), '2026-06-30 INCOME 0.05 aud, 2026-07-01 INCOME 1250 jpy, 2026-07-31 REFUND -1234.567 kwd, 2026-08-01 FEE -0.07 aud',
  p || ' has them all, by the org''s dates, in the currency''s own unit') from unnest(array['ada', 'ada books']) as p;
select tests.act_as('ada');
select is(tests.export('2026-07-01', '2026-07-31'), '2026-07-01 INCOME 1250 jpy, 2026-07-31 REFUND -1234.567 kwd', 'both days included');
select is(tests.export('2026-07-01', '2026-07-31'), tests.export('2026-07-01', '2026-07-31'), 'as often as they are taken');
select is(tests.export('2026-08-01'), '2026-08-01 FEE -0.07 aud', 'from a day');
select is(tests.export(p_to => '2026-06-30'), '2026-06-30 INCOME 0.05 aud', 'to a day');
select is(tests.export('2026-07-31', '2026-07-01'), 'nothing', 'backwards nothing');
select is((select count(*) from public.finance_export(tests.id('org', 'ada')) as e where e.amount in (9.99, 7.77, 7.78)), 0::bigint,
  'nothing of another org, nothing that failed or waits');
select is((select distinct e.client_name from public.finance_export(tests.id('org', 'ada')) as e where e.notes = 'mine'), 'Client Of ada', 'with whose');
select tests.act_as_anon();
select throws_ok($$select * from public.finance_export(tests.id('org', 'ada'))$$, '42501', null, 'who is not signed in may not ask');
select tests.act_as_admin();

select * from finish();
rollback;
