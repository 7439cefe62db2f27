-- What Stripe's events say of what was asked of it: checkouts are paid, refunds are made, each for its own org only.
begin;
select plan(21);

select tests.open_org('ada');
select tests.open_org('eve');
insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled)
select tests.id('org', o), 'acct_' || o, true from unnest(array['ada', 'eve']) as o;
insert into public.promo_codes (id, org_id, code, discount_type, discount_value, max_uses)
values (tests.id('code', 'TEN'), tests.id('org', 'ada'), 'TEN', 'percentage', 10, 1);
grant execute on function tests.checkout_event to public;
create function pg_temp.deliver(p_event jsonb) returns text language plpgsql as $$
declare
  v_status text;
begin
  perform tests.act_as_role('coach_os_sidecar');
  v_status := app.receive_stripe_event(p_event, false);
  perform tests.act_as_admin();
  return v_status;
end;
$$;
create function pg_temp.session(p_event text, p_org text, p_checkout uuid) returns jsonb language sql as $$
  select tests.checkout_event(p_event, p_org, jsonb_build_object(
    'id', 'cs_' || p_event, 'payment_intent', 'pi_' || p_event, 'amount_total', 81000,
    'metadata', jsonb_build_object('client_id', tests.id('client', p_org), 'offer_id', tests.id('offer', p_org),
                                   'checkout_id', p_checkout)));
$$;
create function pg_temp.refund(p_event text, p_org text, p_refund uuid, p_status text) returns jsonb language sql as $$
  select tests.checkout_event(p_event, p_org, '{}', '{"type": "refund.updated"}')
         || jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object(
              'id', 're_1', 'object', 'refund', 'amount', 81000, 'currency', 'aud', 'status', p_status,
              'created', 1767607300, 'charge', 'ch_1', 'payment_intent', 'pi_evt_paid',
              'metadata', jsonb_build_object('refund_id', p_refund))));
$$;

-- A checkout with the last use of a code.
create temp table asked as
select (app.begin_checkout(tests.person('ada'), tests.id('client', 'ada'), null, tests.id('offer', 'ada'), 'TEN',
                           '2026-01-05 09:00Z') ->> 'id')::uuid as id;
create temp view code as select k.times_used from public.promo_codes as k where k.id = tests.id('code', 'TEN');
select is((select times_used from code), 1, 'an open checkout holds the use of its code');

select is(pg_temp.deliver(pg_temp.session('evt_other', 'eve', (select id from asked))), 'applied',
  'another org''s sale that names it is that org''s sale');
select is((select c.status from app.checkouts as c, asked where c.id = asked.id), 'open', 'and leaves it open');
select results_eq(
  $$select promo_code_id, discount_cents from public.client_purchases
     where stripe_checkout_session_id = 'cs_evt_other'$$,
  $$values (null::uuid, 0)$$, 'without its code');

select is(pg_temp.deliver(pg_temp.session('evt_paid', 'ada', (select id from asked))), 'applied', 'it is paid');
select is((select c.status from app.checkouts as c, asked where c.id = asked.id), 'paid', 'and known to be');
select results_eq(
  $$select promo_code_id, discount_cents, amount_paid_cents, payment_status from public.client_purchases
     where stripe_checkout_session_id = 'cs_evt_paid'$$,
  $$values (tests.id('code', 'TEN'), 9000, 81000, 'succeeded')$$, 'the purchase says with which code and discount');
select is(pg_temp.deliver(pg_temp.session('evt_paid', 'ada', (select id from asked))), 'duplicate', 'told twice');
select is(app.expire_checkouts('2026-01-07 00:00Z'), 0, 'it does not expire any more');
select is((select times_used from code), 1, 'its use stays counted, once');
select is(pg_temp.deliver(pg_temp.session('evt_odd', 'ada', null)), 'applied', 'a sale of no checkout of ours is one, too');

-- A refund asked for here.
create temp table refund as
select (app.begin_refund(tests.person('ada'), p.id, null, null, null, '2026-01-06 09:00Z') ->> 'id')::uuid as id
  from public.client_purchases as p where p.stripe_checkout_session_id = 'cs_evt_paid';
create function pg_temp.refund_status() returns text language sql as $$
  select r.status || coalesce(' ' || r.stripe_refund_id, '') from app.refunds as r, refund where r.id = refund.id;
$$;
do $$ begin perform pg_temp.deliver(pg_temp.refund('evt_eve', 'eve', (select id from refund), 'succeeded')); end $$;
select is(pg_temp.refund_status(), 'requested', 'another org''s refund that names it is not it');
select is(pg_temp.deliver(pg_temp.refund('evt_sent', 'ada', (select id from refund), 'succeeded')), 'applied',
  'Stripe says it was made');
select is(pg_temp.refund_status(), 'sent re_1', 'whatever became of its answer to us');
do $$ begin perform pg_temp.deliver(pg_temp.refund('evt_failed', 'ada', (select id from refund), 'failed')); end $$;
select is(pg_temp.refund_status(), 'failed re_1', 'and that it failed after that');
do $$ begin perform pg_temp.deliver(pg_temp.refund('evt_late', 'ada', (select id from refund), 'succeeded')); end $$;
select is(pg_temp.refund_status(), 'failed re_1', 'an event that comes late does not bring it back');
do $$ begin perform app.settle_refund(r.id, 're_1', 'sent', now()) from refund as r; end $$;
select is(pg_temp.refund_status(), 'failed re_1', 'nor does Stripe''s answer, when the event was faster');
select is((select sum(amount_cents) from public.money_events where org_id = tests.id('org', 'ada') and type = 'REFUND'), 0::numeric,
  'in the books it comes to nothing');

-- What the platform gives back with a refund ------------------------------------------------------------------------------
create function pg_temp.intent(p_id text, p_fee integer) returns text language sql as $$
  select pg_temp.deliver(tests.checkout_event('evt_' || p_id, 'ada', '{}', '{"type": "payment_intent.succeeded"}')
    || jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object(
         'id', p_id, 'status', 'succeeded', 'amount_received', 81000, 'currency', 'aud',
         'application_fee_amount', p_fee))));
$$;
create function pg_temp.sold(p_name text) returns uuid language sql as $$
  insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total,
    payment_status, payment_method, stripe_payment_intent_id)
  values (tests.id('sold', p_name), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 81000, 10,
          'succeeded', 'stripe', 'pi_' || p_name)
  returning id;
$$;
create function pg_temp.asks(p_name text, p_cents bigint) returns app.refunds language sql as $$
  select r.* from jsonb_populate_record(null::app.refunds,
    app.begin_refund(tests.person('ada'), tests.id('sold', p_name), p_cents, null, null, now())) as r;
$$;
select is(pg_temp.intent('pi_free', null), 'applied', 'a payment of which the platform kept nothing');
select is((pg_temp.asks('free', null)).refund_application_fee, false, 'is refunded without a share of it')
  from pg_temp.sold('free');
select is((pg_temp.asks('old', null)).refund_application_fee, true, 'one of which nothing is known, with its share')
  from pg_temp.sold('old');

select * from finish();
rollback;
