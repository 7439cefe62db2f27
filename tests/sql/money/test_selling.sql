-- What is sold, at which price, with which code: app.price_of(), promo codes, app.begin_checkout() and what ends it.
begin;
select plan(93);

select tests.open_org('ada', 'Pacific/Auckland');
select tests.org('eve');
do $$
begin
  insert into public.org_members (org_id, user_id, role)
  values (tests.id('org', 'ada'), tests.person('staff'), 'staff'),
         (tests.id('org', 'ada'), tests.person('books'), 'accountant_readonly');
end;
$$;
insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled)
values (tests.id('org', 'ada'), 'acct_ada', true), (tests.id('org', 'eve'), 'acct_eve', false);
create function tests.code(
  p_code text, p_type text, p_value numeric, p_max integer default null, p_from date default null, p_until date default null
) returns void language plpgsql as $$
begin
  insert into public.promo_codes (id, org_id, code, discount_type, discount_value, max_uses, valid_from, valid_until)
  values (tests.id('code', p_code), tests.id('org', 'ada'), p_code, p_type, p_value, p_max, p_from, p_until);
end;
$$;

-- The price ------------------------------------------------------------------------------------------------------------
create function tests.priced(p_cents integer, p_type text default null, p_value numeric default null,
  p_currency text default 'aud') returns text language plpgsql as $$
declare
  v_price record;
begin
  update public.offers set price_cents = p_cents, currency = p_currency where id = tests.id('offer', 'ada');
  delete from public.promo_codes where id = tests.id('code', 'PRICED');
  if p_type is not null then
    perform tests.code('PRICED', p_type, p_value);
  end if;
  v_price := app.price_of(tests.id('org', 'ada'), tests.id('offer', 'ada'),
                          case when p_type is not null then tests.id('code', 'PRICED') end);
  return format('%s - %s = %s + %s = %s %s', v_price.list_cents, v_price.discount_cents, v_price.price_cents,
                v_price.surcharge_cents, v_price.total_cents, v_price.currency);
end;
$$;
select is(tests.priced(c, t, v, y), p, d) from (values
  (1, 90000, null, null, 'aud', '90000 - 0 = 90000 + 0 = 90000 aud', 'the list price'),
  (2, 90000, 'percentage', 10, 'aud', '90000 - 9000 = 81000 + 0 = 81000 aud', 'ten per cent off'),
  (3, 50, 'percentage', 1, 'aud', '50 - 1 = 49 + 0 = 49 aud', 'half a cent is off'),
  (4, 50, 'percentage', 0.99, 'aud', '50 - 0 = 50 + 0 = 50 aud', 'less than half is not'),
  (5, 12345, 'percentage', 33.3, 'aud', '12345 - 4111 = 8234 + 0 = 8234 aud', 'broken per cent'),
  (6, 90000, 'percentage', 100, 'aud', '90000 - 90000 = 0 + 0 = 0 aud', 'all of it'),
  (7, 90000, 'fixed', 12.5, 'aud', '90000 - 1250 = 88750 + 0 = 88750 aud', 'a fixed sum is in dollars'),
  (8, 1000, 'fixed', 25, 'aud', '1000 - 1000 = 0 + 0 = 0 aud', 'never more than the price'),
  (9, 9000, 'fixed', 500, 'jpy', '9000 - 500 = 8500 + 0 = 8500 jpy', 'yen have no cents'),
  (10, 9000, 'fixed', 1.5, 'kwd', '9000 - 1500 = 7500 + 0 = 7500 kwd', 'dinars have thousandths'),
  (11, 0, 'fixed', 5, 'aud', '0 - 0 = 0 + 0 = 0 aud', 'nothing less than nothing'),
  (12, 9000, 'fixed', 5, 'ugx', '9000 - 500 = 8500 + 0 = 8500 ugx', 'shillings have cents with Stripe, always 00')
  ) as x (n, c, t, v, y, p, d) order by n;
update public.booking_settings set pass_stripe_fees = true where org_id = tests.id('org', 'ada');
select is(app.commission_cents(tests.id('org', 'eve'), c), k, format('of %s the platform keeps %s', c, k))
  from (values (10::bigint, 1::bigint), (9, 0), (30, 2)) as v (c, k);
select is(tests.priced(10000), '10000 - 0 = 10000 + 203 = 10203 aud', 'the fee on top, and the fee on that fee');
select is(tests.priced(0), '0 - 0 = 0 + 0 = 0 aud', 'what is free costs no fee');
select is(tests.priced(1000, 'fixed', 25), '1000 - 1000 = 0 + 0 = 0 aud', 'nor what a code makes free');
create function tests.surcharge_faults() returns setof integer language plpgsql as $$
declare
  v_price record;
begin
  for v_cents in 1 .. 700 loop
    update public.offers set price_cents = v_cents * 37, currency = 'aud' where id = tests.id('offer', 'ada');
    v_price := app.price_of(tests.id('org', 'ada'), tests.id('offer', 'ada'), null);
    if v_price.total_cents - app.stripe_fee_estimate_cents(v_price.total_cents, 'aud') <> v_cents * 37
       or v_price.total_cents - 1 - app.stripe_fee_estimate_cents(v_price.total_cents - 1, 'aud') >= v_cents * 37 then
      return next v_cents * 37;
    end if;
  end loop;
end;
$$;
select is_empty('select * from tests.surcharge_faults()', 'after the fee exactly the price is left, and no cent is too many');
update public.booking_settings set pass_stripe_fees = false where org_id = tests.id('org', 'ada');
select results_eq(
  $$select c, app.stripe_fee_estimate_cents(c, 'aud') from unnest(array[0, 1, 10000, 10029, 10030]::bigint[]) as c$$,
  $$values (0::bigint, 0::bigint), (1, 30), (10000, 200), (10029, 200), (10030, 201)$$, '1.7 per cent and 30 cents');
select throws_ok($$select app.price_of(tests.id('org', 'eve'), tests.id('offer', 'ada'), null)$$, 'PT404', 'offer_not_found',
  'another org''s offer has no price here');
select throws_ok($$select app.price_of(tests.id('org', 'eve'), tests.id('offer', 'eve'), tests.id('code', 'PRICED'))$$, 'PT404',
  'promo_code_not_found', 'nor has another org''s code');

-- A code on a sale by hand ----------------------------------------------------------------------------------------------
create function tests.sell(p_name text, p_code text, p_status text default 'pending', p_cents integer default 81000,
  p_discount integer default 9000) returns void language plpgsql as $$
begin
  insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status,
    promo_code_id, discount_cents)
  values (tests.id('sale', p_name), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), p_cents, 10,
          p_status, tests.id('code', p_code), p_discount);
end;
$$;
create function tests.used(p_code text) returns integer language sql as $$
  select times_used from public.promo_codes where id = tests.id('code', p_code);
$$;
select tests.code('TWICE', 'percentage', 10, 2);
select tests.act_as('ada');
select tests.sell('one', 'TWICE');
select is(tests.used('TWICE'), 1, 'a saved sale has used its code');
-- What the page does next, with what it loaded before.
update public.promo_codes set times_used = 1 where id = tests.id('code', 'TWICE');
select is(tests.used('TWICE'), 1, 'the page''s own count adds nothing');
update public.promo_codes set times_used = 0, max_uses = 2 where id = tests.id('code', 'TWICE');
select is(tests.used('TWICE'), 1, 'and an old one loses nothing');
update public.client_purchases set payment_status = 'succeeded', payment_method = 'cash' where id = tests.id('sale', 'one');
select is(tests.used('TWICE'), 1, 'paid, it is the same use');
select tests.sell('two', 'TWICE', 'succeeded');
select is(tests.used('TWICE'), 2, 'another sale is another use');
select throws_ok($$select tests.sell('three', 'TWICE')$$, 'PT409', 'promo_code_used_up', 'used up is used up');
update public.client_purchases set payment_status = 'failed' where id = tests.id('sale', 'two');
select is(tests.used('TWICE'), 1, 'a sale that fails gives its use back');
select tests.sell('three', 'TWICE');
select throws_ok($$update public.client_purchases set payment_status = 'succeeded' where id = tests.id('sale', 'two')$$, 'PT409',
  'promo_code_used_up', 'and has to find one when it is taken up again');
delete from public.client_purchases where id = tests.id('sale', 'three');
select is(tests.used('TWICE'), 1, 'so does one that is deleted');
update public.client_purchases set payment_status = 'succeeded' where id = tests.id('sale', 'two');
select is(tests.used('TWICE'), 2, 'then there is one');
select tests.act_as_admin();
update public.promo_codes set is_active = false, max_uses = null where id = tests.id('code', 'TWICE');
select throws_ok($$select tests.sell('off', 'TWICE')$$, 'PT409', 'promo_code_off', 'a code that is switched off');
update public.client_purchases set payment_status = 'failed' where id = tests.id('sale', 'two');
update public.client_purchases set payment_status = 'succeeded' where id = tests.id('sale', 'two');
select is(tests.used('TWICE'), 2, 'what was agreed before stays agreed');
update public.client_purchases set promo_code_id = null where id = tests.id('sale', 'two');
select is(tests.used('TWICE'), 1, 'a code taken off a sale is given back');
select throws_ok($$insert into public.client_purchases (org_id, client_id, offer_id, amount_paid_cents, promo_code_id)
  values (tests.id('org', 'eve'), tests.id('client', 'eve'), tests.id('offer', 'eve'), 1, tests.id('code', 'TWICE'))$$,
  'PT404', 'promo_code_id_not_found', 'another org''s code is not there');
insert into public.client_purchases (org_id, client_id, offer_id, amount_paid_cents, promo_code_id, stripe_payment_intent_id)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 1, tests.id('code', 'TWICE'), 'pi_1');
select is(tests.used('TWICE'), 1, 'what Stripe was paid for was counted by its checkout, and is never refused');
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'leaver'), tests.id('org', 'ada'), 'Leaver');
select tests.code('LEFT', 'fixed', 1);
select tests.sell('leaver', 'LEFT');
update public.client_purchases set client_id = tests.id('client', 'leaver') where id = tests.id('sale', 'leaver');
delete from public.clients where id = tests.id('client', 'leaver');
select is(tests.used('LEFT'), 1, 'a client who is deleted has used the code all the same');
delete from public.promo_codes where id = tests.id('code', 'TWICE');
select lives_ok($$delete from public.client_purchases where id = tests.id('sale', 'one')$$, 'a deleted code holds nobody up');

-- Its days are the org's: Auckland is 13 hours ahead.
select tests.code('DAYS', 'percentage', 10, null, '2026-12-01', '2026-12-31');
select results_eq(
  $$select app.promo_code_problem(k, at) from public.promo_codes as k,
      unnest(array['2026-11-30 10:59:59Z', '2026-11-30 11:00Z', '2026-12-31 10:59:59Z', '2026-12-31 11:00Z']::timestamptz[])
        with ordinality as t (at, n)
     where k.id = tests.id('code', 'DAYS') order by n$$,
  $$values ('promo_code_not_started'), (null), (null), ('promo_code_expired')$$, 'first and last day are the org''s, and in');

-- Prices by hand.
select throws_ok($$select tests.sell('negative', 'DAYS', 'pending', -1)$$, 'PT400', 'price_below_zero', 'no price below zero');
select throws_ok($$select tests.sell('negative', 'DAYS', 'pending', 1, -1)$$, 'PT400', 'price_below_zero', 'nor a discount');
select throws_ok($$update public.client_purchases set amount_paid_cents = -5 where id = tests.id('sale', 'two')$$, 'PT400',
  'price_below_zero', 'nor later');
update public.offers set session_duration_mins = 45 where id = tests.id('offer', 'ada');
select results_eq(
  $$insert into public.client_purchases (org_id, client_id, offer_id, amount_paid_cents, session_duration_mins)
    select tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0, m from (values (null), (90)) as v (m)
    returning session_duration_mins$$, $$values (45), (90)$$, 'a session is as long as the offer''s, or as the sale says');

-- app.begin_checkout(): what a sale needs -------------------------------------------------------------------------------
create function tests.begin(
  p_person text, p_client text default 'ada', p_offer text default 'ada', p_code text default null,
  p_at timestamptz default '2026-12-10 09:00Z', p_portal text default null
) returns jsonb language sql as $$
  select app.begin_checkout(
    md5('person ' || p_person)::uuid, tests.id('client', p_client), tests.id('portal', p_portal), tests.id('offer', p_offer),
    p_code, p_at);
$$;
delete from public.client_purchases where promo_code_id is not null;
update public.orgs set commission_rate = 0.033 where id = tests.id('org', 'ada');
update public.offers set price_cents = 12345, currency = 'aud' where id = tests.id('offer', 'ada');
create temp table first as select tests.begin('ada') as c;
select is(c - '{id,created_at,expires_at}'::text[], jsonb_build_object(
  'org_id', tests.id('org', 'ada'), 'client_id', tests.id('client', 'ada'), 'offer_id', tests.id('offer', 'ada'),
  'status', 'open', 'mode', 'payment', 'for_portal', false, 'stripe_account_id', 'acct_ada', 'offer_name', 'Ten',
  'billing_period', null, 'currency', 'aud', 'discount_cents', 0, 'surcharge_cents', 0, 'amount_cents', 12345,
  'application_fee_cents', 407, 'application_fee_percent', 3.30, 'promo_code_id', null, 'purchase_id', null, 'url', null,
  'stripe_session_id', null, 'settled_at', null, 'portal_token', null),
  'an owner gets the terms: price, account, and the fee in whole cents') from first;
select is((c ->> 'expires_at')::timestamptz, '2026-12-10 10:00Z'::timestamptz, 'it waits an hour') from first;
select is(tests.begin('staff') ->> 'id', (select c ->> 'id' from first), 'the same sale at once is the same checkout');
select is(tests.begin('ada', p_at => '2026-12-10 09:09:59Z') ->> 'id', (select c ->> 'id' from first), 'for ten minutes');
select isnt(tests.begin('ada', p_at => '2026-12-10 09:10Z') ->> 'id', (select c ->> 'id' from first), 'then it is another');
do $$ begin perform app.checkout_opened((select (c ->> 'id')::uuid from first), 'cs_first', 'https://pay.example/1'); end $$;
select is(tests.begin('x', p_portal => 'ada', p_at => '2026-12-10 09:01Z') ->> 'url', null, 'the newest is found first');
update app.checkouts set status = 'expired' where stripe_session_id is null;
select is(tests.begin('x', p_portal => 'ada', p_at => '2026-12-10 09:01Z') ->> 'url', 'https://pay.example/1',
  'the client, from the portal, is shown the page there is');
update public.offers set price_cents = 500 where id = tests.id('offer', 'ada');
select is(tests.begin('ada') ->> 'amount_cents', '500', 'a new price is a new checkout');
create temp table checkouts_so_far as select count(*) from app.checkouts;
select throws_ok($$select tests.begin('eve')$$, 'PT404', 'client_not_found', 'to a stranger the client does not exist');
select throws_ok($$select tests.begin('books')$$, 'PT404', 'client_not_found', 'nor to who only reads');
select throws_ok($$select app.begin_checkout(null, tests.id('client', 'ada'), null, tests.id('offer', 'ada'), null, now())$$,
  'PT404', 'client_not_found', 'nor to nobody');
select throws_ok($$select tests.begin('ada', 'unknown')$$, 'PT404', 'client_not_found', 'an unknown client');
select throws_ok($$select tests.begin('ada', p_portal => 'unknown')$$, 'PT404', 'token_not_found', 'an unknown portal link');
select throws_ok($$select tests.begin('ada', 'ada', 'eve')$$, 'PT404', 'offer_not_found', 'another org''s offer');
select throws_ok($$select tests.begin('ada', p_offer => 'eve', p_portal => 'ada')$$, 'PT404', 'offer_not_found', 'by the portal, too');
select throws_ok($$select tests.begin('ada', p_code => 'NONE')$$, 'PT404', 'promo_code_not_found', 'an unknown code');
select throws_ok($$select tests.begin('eve', 'eve', 'eve')$$, 'PT503', 'stripe_not_connected',
  'an account that cannot take payments yet');
update public.offers set is_active = false where id = tests.id('offer', 'ada');
select throws_ok($$select tests.begin('ada')$$, 'PT404', 'offer_not_found', 'an offer no longer sold');
update public.offers set is_active = true where id = tests.id('offer', 'ada');
update public.stripe_accounts set org_id = org_id, charges_enabled = false;
select throws_ok($$select tests.begin('ada')$$, 'PT503', 'stripe_not_connected', 'an account that can take payments no longer');
update public.stripe_accounts set charges_enabled = true;
select results_eq('select count(*) from app.checkouts', 'select * from checkouts_so_far', 'a refusal records nothing');

-- A code: its use is held, given back, or kept ---------------------------------------------------------------------------
update public.offers set price_cents = 90000 where id = tests.id('offer', 'ada');
-- Another org's code of the same name is another code.
insert into public.promo_codes (org_id, code, discount_type, discount_value) values (tests.id('org', 'eve'), 'ONCE', 'fixed', 1);
select tests.code('ONCE', 'percentage', 10, 1);
create temp table held as select tests.begin('ada', p_code => ' once ') as c;
select is(c ->> 'amount_cents', '81000', 'a code is read in any capitals') from held;
select is(tests.used('ONCE'), 1, 'and held');
select is(tests.begin('ada', p_code => 'ONCE') ->> 'id', (select c ->> 'id' from held), 'a second click needs no second use');
select is(tests.begin('ada', p_code => 'ONCE', p_at => '2026-12-10 09:59:59Z') ->> 'id', (select c ->> 'id' from held),
  'nor who comes back later: the last use is their own page''s, as long as that waits');
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'second'), tests.id('org', 'ada'), 'Second');
select throws_ok($$select tests.begin('ada', 'second', p_code => 'ONCE', p_at => '2026-12-10 09:20Z')$$, 'PT409',
  'promo_code_used_up', 'another client''s checkout does');
select throws_ok($$select tests.begin('ada', p_code => 'DAYS', p_at => '2026-11-30 10:00Z')$$, 'PT409', 'promo_code_not_started',
  'the days are those of p_now');
select is(app.expire_checkouts('2026-12-10 10:14:59Z'), 0, 'a page that closes now may have been paid just now') ;
update app.checkouts set status = 'expired' where id <> (select (c ->> 'id')::uuid from held);
select is(app.expire_checkouts('2026-12-10 10:15Z'), 1, 'a quarter of an hour later it was not');
select is(tests.used('ONCE'), 0, 'the use is given back');
select is(app.expire_checkouts('2026-12-10 10:15Z'), 0, 'once');
create temp table bought as select tests.begin('ada', p_code => 'ONCE', p_at => '2026-12-10 11:00Z') as c;
select app.checkout_paid((select (c ->> 'id')::uuid from bought), '2026-12-10 11:05Z');
select app.checkout_paid((select (c ->> 'id')::uuid from bought), '2026-12-10 11:06Z');
select is(app.expire_checkouts('2027-12-10 10:15Z'), 0, 'what was paid does not expire');
select is(tests.used('ONCE'), 1, 'and has used its code once, however often Stripe says so');
select app.checkout_paid((select (c ->> 'id')::uuid from held), '2026-12-10 11:05Z');
select is(tests.used('ONCE'), 1, 'one that is paid after all is not counted beyond the limit');
update public.promo_codes set max_uses = 5 where id = tests.id('code', 'ONCE');
update app.checkouts set status = 'expired' where id = (select (c ->> 'id')::uuid from held);
select app.checkout_paid((select (c ->> 'id')::uuid from held), '2026-12-10 11:05Z');
select is(tests.used('ONCE'), 2, 'but it is counted');
select app.checkout_paid(gen_random_uuid(), now());
create temp table refused as select tests.begin('ada', p_code => 'ONCE', p_at => '2026-12-10 12:00Z') as c;
select app.checkout_refused((select (c ->> 'id')::uuid from refused), now());
select app.checkout_refused((select (c ->> 'id')::uuid from refused), now());
select is(tests.used('ONCE'), 2, 'what Stripe refuses gives its use back, once');

insert into public.offers (id, org_id, name, offer_type, price_cents, sessions_included)
values (tests.id('offer', 'short-lived'), tests.id('org', 'ada'), 'Ten', 'session_pack', 90000, 10);
select tests.code('HELD', 'percentage', 10, 1);
do $$
begin
  perform app.begin_checkout(
    tests.person('ada'), tests.id('client', 'ada'), null, tests.id('offer', 'short-lived'), 'HELD', now()
  );
end;
$$;
delete from public.offers where id = tests.id('offer', 'short-lived');
select is(tests.used('HELD'), 0, 'what an offer''s open page held is given back when the offer goes');
insert into app.checkouts (org_id, client_id, offer_id, status, amount_cents, currency, stripe_account_id, expires_at, promo_code_id)
select k.org_id, tests.id('client', 'eve'), tests.id('offer', 'eve'), 'open', 1, 'aud', 'acct_eve', now(), k.id
  from public.promo_codes as k where k.org_id = tests.id('org', 'eve');
select lives_ok($$delete from public.orgs where id = tests.id('org', 'eve')$$, 'also when the whole org does');

-- Free, and subscriptions ------------------------------------------------------------------------------------------------
select tests.code('FREE', 'percentage', 100, 2);
update public.stripe_accounts set charges_enabled = false;
create temp table free as select tests.begin('x', p_code => 'FREE', p_portal => 'ada', p_at => now()) as c;
select is(c ->> 'status', 'granted', 'what costs nothing needs no Stripe') from free;
select results_eq(
  $$select p.amount_paid_cents, p.discount_cents, p.sessions_total, p.payment_status collate "C", p.client_id
      from public.client_purchases as p, free where p.id = (c ->> 'purchase_id')::uuid$$,
  $$select 0, 90000, 10, 'succeeded' collate "C", tests.id('client', 'ada')$$, 'it is the client''s at once');
select is(tests.used('FREE'), 1, 'the code is used');
select is((select count(*) from public.money_events where client_id = tests.id('client', 'ada') and event_date = now()
  and reference_id in (select c ->> 'purchase_id' from free)), 0::bigint, 'no money is booked');
select is(tests.begin('x', p_code => 'FREE', p_portal => 'ada', p_at => now() + interval '1 day') ->> 'id',
  (select c ->> 'id' from free), 'a client takes it once');
select isnt(tests.begin('ada', p_code => 'FREE', p_at => now() + interval '1 day') ->> 'id',
  (select c ->> 'id' from free), 'a coach can give it again');
update public.stripe_accounts set charges_enabled = true;
update public.offers set offer_type = 'subscription' where id = tests.id('offer', 'ada');
select throws_ok($$select tests.begin('ada')$$, 'PT409', 'billing_period_missing', 'a subscription says how often it is paid');
update public.offers set billing_period = 'fortnightly' where id = tests.id('offer', 'ada');
update public.offers set price_cents = 0 where id = tests.id('offer', 'ada');
create temp table gift as select tests.begin('ada') as c;
select is((select p.sessions_total from public.client_purchases as p, gift where p.id = (c ->> 'purchase_id')::uuid), 0,
  'one that costs nothing is no pack of sessions either');
update public.offers set price_cents = 500 where id = tests.id('offer', 'ada');
select is(tests.begin('ada') ->> 'mode', 'subscription', 'then it is one');
select throws_ok($$select tests.begin('ada', p_code => 'ONCE')$$, 'PT409', 'promo_code_not_for_subscriptions', 'without a code');

-- Who may --------------------------------------------------------------------------------------------------------------
select is_empty(
  $$select f from unnest(array['anon', 'authenticated', 'service_role', 'coach_os_worker']) as r, tests.executable(r, 'app') as f
     where f ~ 'checkout|promo|price_of' and (r, f) <> ('coach_os_worker', 'expire_checkouts(timestamp with time zone, integer)')$$,
  'nobody but the sidecar opens a checkout');
select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
