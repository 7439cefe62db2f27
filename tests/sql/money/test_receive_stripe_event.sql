-- STRIPE-01: a delivery is stored and applied together, once per event; two events about one object add one row.
begin;
select plan(68);

select tests.org('ada');
select tests.org('eve');
insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled)
values (tests.id('org', 'ada'), 'acct_ada', true), (tests.id('org', 'eve'), 'acct_eve', false);
update public.offers set bonus_sessions = 2, pack_validity_days = 30, session_duration_mins = 45
 where id = tests.id('offer', 'ada');
-- What the org has beyond the pack that tests.org() made.
create temp view granted as
select p.* from public.client_purchases as p where p.id not in (tests.id('pack', 'ada'), tests.id('pack', 'eve'));
create temp view kept as
select e.event_id, e.status, e.reason, e.org_id from app.webhook_events as e;
grant execute on function tests.checkout_event to public;

-- A payment is one row of income, with its fees beside it: test_books.sql.
create temp view payments as select m.* from public.money_events as m where m.type = 'INCOME';
create temp table seen as select 0::bigint as packs, count(*) as rows from payments;
-- What came since it was asked last.
create function pg_temp.added() returns text language plpgsql as $$
declare
  v_packs bigint := (select count(*) from granted);
  v_rows bigint := (select count(*) from payments);
  v_added text := (select format('%s packs, %s payments', v_packs - s.packs, v_rows - s.rows) from seen as s);
begin
  update seen set packs = v_packs, rows = v_rows;
  return v_added;
end;
$$;
-- As the sidecar, the only one who may.
create function tests.deliver(p_event jsonb, p_livemode boolean default false) returns text language plpgsql as $$
declare
  v_status text;
begin
  perform tests.act_as_role('coach_os_sidecar');
  v_status := app.receive_stripe_event(p_event, p_livemode);
  perform tests.act_as_admin();
  return v_status;
end;
$$;

select tests.act_as_role('service_role');
select throws_ok($$select app.receive_stripe_event('{}', false)$$, '42501', 'permission denied for schema app',
  'nobody else delivers events, not even service_role');
select tests.act_as_admin();

-- A paid session grants the pack and books the income.
select is(tests.deliver(tests.checkout_event('evt_1', 'ada')), 'applied', 'a paid session is applied');
select results_eq(
  $$select org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, sessions_used, payment_status,
           payment_method, session_duration_mins, stripe_payment_intent_id, stripe_checkout_session_id from granted$$,
  $$values (tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 90000, 'aud', 12, 0,
            'succeeded', 'stripe', 45, 'pi_ada', 'cs_test_ada')$$, 'the client has the pack, bonus sessions included');
select is(pg_temp.added(), '1 packs, 1 payments', 'one of each');
select results_eq('select purchased_at, expires_at from granted',
  $$values ('2026-01-05 10:00Z'::timestamptz, '2026-02-04 10:00Z'::timestamptz)$$, 'from the moment of the payment');
select results_eq(
  $$select org_id, type::text, amount_cents, currency, source, client_id, event_date, payment_status, tax_cat::text,
           tax_cents from payments$$,
  $$values (tests.id('org', 'ada'), 'INCOME', 90000::bigint, 'aud', 'stripe', tests.id('client', 'ada'),
            '2026-01-05 10:00Z'::timestamptz, 'succeeded', 'NONE', 0::bigint)$$, 'the income is booked');
select results_eq($$select status, reason, org_id from kept where event_id = 'evt_1'$$,
  $$values ('applied', null, tests.id('org', 'ada'))$$, 'the event is kept, with its org');

-- The same again, and others about the same.
select is(tests.deliver(tests.checkout_event('evt_1', 'ada')), 'duplicate', 'the same event is a duplicate');
select is(tests.deliver(tests.checkout_event('evt_1', 'ada')), 'duplicate', 'and again');
select is(tests.deliver(tests.checkout_event('evt_1', 'ada', '{"amount_total": 1}', '{"livemode": true}')), 'duplicate',
  'whatever it says now');
select is(pg_temp.added(), '0 packs, 0 payments', 'nothing is added');
select is((select count(*) from kept), 1::bigint, 'the event is kept once');
select isnt(tests.deliver(tests.checkout_event('evt_2', 'ada')), 'failed', 'another event about the same session');
select isnt(tests.deliver(tests.checkout_event('evt_3', 'ada', '{}',
  '{"type": "checkout.session.async_payment_succeeded"}')), 'failed', 'of another type');
select isnt(tests.deliver(tests.checkout_event('evt_4', 'ada', '{"id": "cs_test_other"}')), 'failed',
  'another session with the same payment');
select is(pg_temp.added(), '0 packs, 0 payments', 'adds nothing');
select is(tests.deliver(tests.checkout_event('evt_5', 'ada', '{"id": "cs_test_5", "payment_intent": "pi_5"}')), 'applied',
  'another sale');
select is(pg_temp.added(), '1 packs, 1 payments', 'adds one of each');

-- A delayed method: the session completes before the money is there.
select is(tests.deliver(tests.checkout_event('evt_6', 'ada',
  '{"id": "cs_test_6", "payment_intent": "pi_6", "payment_status": "unpaid"}')), 'ignored', 'unpaid yet');
select is(pg_temp.added(), '0 packs, 0 payments', 'grants and books nothing');
select is(tests.deliver(tests.checkout_event('evt_7', 'ada', '{"id": "cs_test_6", "payment_intent": "pi_6"}',
  '{"type": "checkout.session.async_payment_succeeded"}')), 'applied', 'the payment arrives');
select is(tests.deliver(tests.checkout_event('evt_7', 'ada', '{"id": "cs_test_6", "payment_intent": "pi_6"}',
  '{"type": "checkout.session.async_payment_succeeded"}')), 'duplicate', 'and its event again');
select is(tests.deliver(tests.checkout_event('evt_6', 'ada',
  '{"id": "cs_test_6", "payment_intent": "pi_6", "payment_status": "unpaid"}')), 'duplicate', 'and the first one, late');
select is(pg_temp.added(), '1 packs, 1 payments', 'grants once');
select isnt(tests.deliver(tests.checkout_event('evt_8', 'ada',
  '{"id": "cs_test_8", "payment_intent": "pi_8", "payment_status": null}')), 'applied', 'a session that does not say it is paid');
select is(pg_temp.added(), '0 packs, 0 payments', 'grants nothing');

-- Free, and paid without a payment intent.
select is(tests.deliver(tests.checkout_event('evt_9', 'ada',
  '{"id": "cs_test_9", "payment_intent": null, "amount_total": 0, "payment_status": "no_payment_required"}')),
  'applied', 'a session that costs nothing');
select is(pg_temp.added(), '1 packs, 0 payments', 'grants the pack and books no money');
select isnt(tests.deliver(tests.checkout_event('evt_10', 'ada',
  '{"id": "cs_test_9", "payment_intent": null, "amount_total": 0, "payment_status": "no_payment_required"}')),
  'failed', 'a second event about it');
select is(pg_temp.added(), '0 packs, 0 payments', 'grants no second pack');
select is(tests.deliver(tests.checkout_event('evt_11', 'ada', '{"id": "cs_test_11", "payment_intent": null}')),
  'applied', 'a paid session without a payment intent of its own');
select isnt(tests.deliver(tests.checkout_event('evt_12', 'ada', '{"id": "cs_test_11", "payment_intent": null}')),
  'failed', 'and a second event about it');
select is(pg_temp.added(), '1 packs, 1 payments', 'one pack, one income');

-- GST is in the price.
update public.booking_settings set gst_registered = true where org_id = tests.id('org', 'ada');
select is(tests.deliver(tests.checkout_event('evt_13', 'ada', '{"id": "cs_test_13", "payment_intent": "pi_13"}')), 'applied',
  'an org registered for GST');
select results_eq(
  $$select tax_cat::text, tax_cents from payments where stripe_payment_intent_id = 'pi_13'$$,
  $$values ('GST', 8182::bigint)$$, 'books a eleventh of the price as tax');

-- Not ours, not this mode, not about us.
select is(pg_temp.added(), '1 packs, 1 payments', 'one of each');
select is(tests.deliver(tests.checkout_event('evt_20', 'nobody')), 'unmatched', 'an account no org has');
select is(tests.deliver(tests.checkout_event('evt_21', 'ada', '{"id": "cs_test_21", "payment_intent": "pi_21"}',
  '{"account": null}')), 'unmatched', 'an event without an account');
select is(tests.deliver(tests.checkout_event('evt_22', 'ada', '{"id": "cs_test_22", "payment_intent": "pi_22"}',
  '{"livemode": true}')), 'ignored', 'a live event at a test endpoint');
select is(tests.deliver(tests.checkout_event('evt_23', 'ada', '{"id": "cs_test_23", "payment_intent": "pi_23"}'), true),
  'ignored', 'a test event at a live endpoint');
select is(tests.deliver(tests.checkout_event('evt_24', 'ada', '{"id": "cs_test_24", "payment_intent": "pi_24"}',
  '{"livemode": null}')), 'ignored', 'one that does not say which');
select is(tests.deliver(tests.checkout_event('evt_25', 'ada', '{}', '{"type": "customer.created"}')), 'ignored',
  'a type that means nothing here');
select is(tests.deliver(tests.checkout_event('evt_26', 'ada',
  '{"id": "cs_test_26", "payment_intent": "pi_26", "metadata": {}}')), 'ignored', 'a session that is not a sale of ours');
select is(pg_temp.added(), '0 packs, 0 payments', 'grant and book nothing');
select set_eq(
  $$select event_id, status, reason from kept where event_id ~ '^evt_2[0-4]'$$,
  $$values ('evt_20', 'unmatched', 'account_unknown'), ('evt_21', 'unmatched', 'account_unknown'),
           ('evt_22', 'ignored', 'livemode_mismatch'), ('evt_23', 'ignored', 'livemode_mismatch'),
           ('evt_24', 'ignored', 'livemode_mismatch')$$, 'but are kept, with the reason');
-- A coach connects the account later; the event, delivered again, is no duplicate of something that never took effect.
insert into public.orgs (id, name) values (tests.id('org', 'nobody'), 'Nobody yet');
insert into public.clients (id, org_id, full_name)
values (tests.id('client', 'nobody'), tests.id('org', 'nobody'), 'Client');
insert into public.offers (id, org_id, name, offer_type, price_cents, sessions_included)
values (tests.id('offer', 'nobody'), tests.id('org', 'nobody'), 'Ten', 'session_pack', 90000, 10);
insert into public.stripe_accounts (org_id, stripe_account_id) values (tests.id('org', 'nobody'), 'acct_nobody');
select is(tests.deliver(tests.checkout_event('evt_20', 'nobody')), 'applied',
  'an unmatched event, delivered again once its account is known, is applied');

-- Another org's offer or client: nothing is booked, the event waits.
select is(pg_temp.added(), '1 packs, 1 payments', 'one of each');
select is(tests.deliver(jsonb_set(tests.checkout_event('evt_30', 'ada', '{"id": "cs_test_30", "payment_intent": "pi_30"}'),
  '{data,object,metadata,offer_id}', to_jsonb(tests.id('offer', 'eve')))), 'failed', 'another org''s offer');
select is(tests.deliver(jsonb_set(tests.checkout_event('evt_31', 'ada', '{"id": "cs_test_31", "payment_intent": "pi_31"}'),
  '{data,object,metadata,client_id}', to_jsonb(tests.id('client', 'eve')))), 'failed', 'another org''s client');
select is(tests.deliver(tests.checkout_event('evt_32', 'eve', '{"id": "cs_test_32", "payment_intent": "pi_32"}',
  '{"account": "acct_ada"}')), 'failed', 'another org''s sale on this org''s account');
select is(tests.deliver(jsonb_set(tests.checkout_event('evt_33', 'ada', '{"id": "cs_test_33", "payment_intent": "pi_33"}'),
  '{data,object,metadata,client_id}', '"Pat Payer, +61491570156"')), 'failed', 'an id that is none');
select is(tests.deliver(tests.checkout_event('evt_34', 'ada',
  '{"id": "cs_test_34", "payment_intent": "pi_34", "amount_total": null}')), 'failed', 'no amount');
select is(tests.deliver(tests.checkout_event('evt_35', 'ada',
  '{"id": "cs_test_35", "payment_intent": "pi_35", "amount_total": -5}')), 'failed', 'a negative amount');
select is(tests.deliver(tests.checkout_event('evt_30', 'ada', '{"id": "cs_test_30", "payment_intent": "pi_30"}')
  #- '{data,object,metadata,client_id}'), 'failed', 'delivered again, still without a cure');
select is(pg_temp.added(), '0 packs, 0 payments', 'grant and book nothing, not even half');
select set_eq($$select event_id, status, reason from kept where event_id in ('evt_31', 'evt_32')$$,
  $$values ('evt_31', 'failed', 'client_not_in_org'), ('evt_32', 'failed', 'offer_not_in_org')$$,
  'they are kept as failed, with a code');
select is_empty($$select event_id, reason from kept where reason !~ '^[a-z_]+(_[0-9A-Z]{5})?$'$$,
  'a reason is a code, never text of the payload');
-- The cause is mended, Stripe delivers again.
insert into public.clients (id, org_id, full_name)
values (tests.id('client', 'late'), tests.id('org', 'ada'), 'Late');
select is(tests.deliver(jsonb_set(tests.checkout_event('evt_31', 'ada', '{"id": "cs_test_31", "payment_intent": "pi_31"}'),
  '{data,object,metadata,client_id}', to_jsonb(tests.id('client', 'late')))), 'applied', 'a redelivery applies');
select results_eq($$select status, reason from kept where event_id = 'evt_31'$$, $$values ('applied', null)$$,
  'and the reason is gone');
select is((select count(*) from granted where client_id = tests.id('client', 'late')), 1::bigint, 'the pack is granted');
select is(tests.deliver(jsonb_set(tests.checkout_event('evt_31', 'ada', '{"id": "cs_test_31", "payment_intent": "pi_31"}'),
  '{data,object,metadata,client_id}', to_jsonb(tests.id('client', 'late')))), 'duplicate', 'once');

-- No event at all.
create temp table kept_so_far as select count(*) from kept;
select throws_ok($$select app.receive_stripe_event('{}', false)$$, 'PT400', 'event_malformed', 'an empty object');
select throws_ok($$select app.receive_stripe_event('{"id": "evt_40"}', false)$$, 'PT400', 'event_malformed', 'no type');
select throws_ok($$select app.receive_stripe_event('{"type": "customer.created"}', false)$$,
  'PT400', 'event_malformed', 'no id');
select throws_ok($$select app.receive_stripe_event('[1]', false)$$, 'PT400', 'event_malformed', 'a list');
select throws_ok($$select app.receive_stripe_event(null, false)$$, 'PT400', 'event_malformed', 'nothing');
select results_eq('select count(*) from kept', 'select * from kept_so_far', 'nothing of these is kept');

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');
select * from finish();
rollback;
