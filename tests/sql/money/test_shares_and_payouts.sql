-- What the platform gives back of its share, and which payout of Stripe's paid out what.
begin;
select plan(21);

select tests.org('ada');
select tests.org('eve');
insert into public.stripe_accounts (org_id, stripe_account_id) values (tests.id('org', 'ada'), 'acct_ada');
update public.booking_settings set gst_registered = true where org_id = tests.id('org', 'ada');
grant execute on function tests.checkout_event to public;
-- An event of the platform's own: the account is in its object.
create function pg_temp.given_back(p_event text, p_org text, p_refunds jsonb, p_type text default 'application_fee.refunded')
returns text language plpgsql as $$
begin
  return app.receive_stripe_event(jsonb_build_object(
    'id', p_event, 'object', 'event', 'created', 1767607200, 'livemode', false, 'type', p_type,
    'data', jsonb_build_object('object', jsonb_strip_nulls(jsonb_build_object(
      'id', 'fee_1', 'object', 'application_fee', 'account', 'acct_' || p_org, 'charge', 'ch_' || p_org, 'amount', 4400,
      'amount_refunded', 4400, 'refunds', jsonb_build_object('data', p_refunds))))), false, '2026-01-06 00:00Z');
end;
$$;
create function pg_temp.refund(p_id text, p_cents integer, p_created integer default 1767607100) returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object('id', p_id, 'object', 'fee_refund', 'amount', p_cents, 'currency', 'AUD', 'created', p_created));
$$;
create temp view shares as
select e.org_id, e.reference_id, e.amount_cents, e.currency, e.tax_cat::text as tax_cat, e.tax_cents, e.event_date, e.client_id,
       e.stripe_payment_intent_id
  from public.money_events as e where e.type = 'PLATFORM_FEE' and e.reference_id like 'fr\_%';

select is(pg_temp.given_back('evt_1', 'ada', pg_temp.refund('fr_1', 1100)), 'applied', 'before its payment is known');
select results_eq('select * from shares',
  $$values (tests.id('org', 'ada'), 'fr_1', 1100::bigint, 'aud', 'GST', 100::bigint, '2026-01-05 09:58:20Z'::timestamptz, null::uuid, null::text)$$,
  'a share comes back with the GST in it, when it was given');
select is(pg_temp.given_back('evt_1', 'ada', pg_temp.refund('fr_1', 1100)), 'duplicate', 'told again');
select is(pg_temp.given_back('evt_2', 'ada', pg_temp.refund('fr_2', 3300) || pg_temp.refund('fr_1', 1100)), 'applied', 'and with the next one');
select results_eq('select reference_id, amount_cents from shares order by 1', $$values ('fr_1', 1100::bigint), ('fr_2', 3300)$$,
  'each counts once, the running total not at all');
select is(app.receive_stripe_event(tests.checkout_event('evt_3', 'ada', '{"id": "ch_ada", "object": "charge", "status": "succeeded", "captured": true,
  "amount": 88000, "amount_captured": 88000, "application_fee_amount": 4400}', '{"type": "charge.succeeded"}'), false), 'applied', 'then the payment');
select results_eq('select distinct client_id, stripe_payment_intent_id from shares',
  $$values (tests.id('client', 'ada'), 'pi_ada')$$, 'and they are known to be of it');
select is(pg_temp.given_back('evt_4', 'ada', pg_temp.refund('fr_3', 1)), 'applied', 'one that comes later');
select is((select stripe_payment_intent_id from shares where reference_id = 'fr_3'), 'pi_ada', 'is at once');
select is((select sum(amount_cents) from public.money_events where type = 'PLATFORM_FEE' and org_id = tests.id('org', 'ada')), 1::numeric,
  'together they are what the platform kept');
select is(pg_temp.given_back('evt_5', 'ada', null), 'ignored', 'a fee that lists no refund says nothing');
select is(pg_temp.given_back('evt_6', 'ada', pg_temp.refund('fr_4', 1), 'application_fee.created'), 'ignored', 'nor does a new one');
select is(pg_temp.given_back('evt_7', 'eve', pg_temp.refund('fr_5', 2)), 'unmatched', 'of an account that no org has');
insert into public.stripe_accounts (org_id, stripe_account_id) values (tests.id('org', 'eve'), 'acct_eve');
select results_eq($$select applied from app.retry_webhook_events(now() + interval '1 second', 10)$$, 'values (1)', 'until one has it');
select is((select org_id from shares where reference_id = 'fr_5'), tests.id('org', 'eve'), 'then it is that org''s');

-- Payouts --------------------------------------------------------------------------------------------------------------
insert into public.money_events (org_id, event_date, type, amount_cents, source, reference_id)
select tests.id('org', o), now(), t::public.money_event_type, c, 'stripe', r
  from (values ('ada', 'REFUND', -1, 're_1'), ('ada', 'REFUND', 1, 're_1:reversal'), ('ada', 'ADJUSTMENT', -1, 'du_1'), ('ada', 'FEE', -1, 'du_1'),
               ('ada', 'ADJUSTMENT', 1, 'du_1:reversal'), ('eve', 'REFUND', -1, 're_1')) as e (o, t, c, r);
create temp view paid_out as
select e.type::text || ' ' || e.reference_id as line from public.money_events as e where e.stripe_payout_id = 'po_1';
insert into app.stripe_payments (org_id, payment_key, lookup_at) values (tests.id('org', 'ada'), 'po_1', now());
select is(app.book_payout_parts(tests.id('org', 'ada'), 'po_1', '[
  {"type": "charge", "source": "ch_ada", "payment_intent": "pi_ada", "amount": 88000}, {"type": "refund", "source": "re_1", "amount": -1},
  {"type": "adjustment", "source": "du_1", "amount": -1}, {"type": "stripe_fee", "source": null, "amount": -5},
  {"type": "payout", "source": "po_1", "amount": -80000}]'), true, 'what a payout was for');
select bag_eq('select line from paid_out',
  array['INCOME pi_ada', 'PLATFORM_FEE pi_ada', 'FEE pi_ada', 'REFUND re_1', 'ADJUSTMENT du_1', 'FEE du_1'],
  'payments with their fees, refunds, disputes; of this org');
select is(app.book_payout_parts(tests.id('org', 'ada'), 'po_2', '[
  {"type": "charge", "source": "ch_ada", "payment_intent": "pi_ada", "amount": 88000}, {"type": "refund_failure", "source": "re_1", "amount": 1},
  {"type": "adjustment", "source": "du_1", "amount": 1}]'), false, 'another one');
select set_eq($$select e.type::text || ' ' || e.reference_id from public.money_events as e where e.stripe_payout_id = 'po_2'$$,
  array['REFUND re_1:reversal', 'ADJUSTMENT du_1:reversal'], 'was for what came back; what was paid out stays so');
select throws_ok($$update public.money_events set stripe_payout_id = 'po_9' where stripe_payout_id = 'po_1'$$, 'PT403', 'books_are_append_only',
  'not even by a rule');
select tests.act_as_role('service_role');
select throws_ok($$update public.money_events set stripe_payout_id = 'po_9' where stripe_payout_id is null$$, null, null, 'nor by hand');
select tests.act_as_admin();

select * from finish();
rollback;
