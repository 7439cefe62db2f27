-- The books of what Stripe tells: what may still change in them, whose rows and rights they are, and the owner's view of
-- what could not be booked. In which order events come makes no difference: tests/py/money/test_books_orders.py.
begin;
select plan(92);

select tests.full_org('ada');
select tests.full_org('eve');
create function tests.deliver(p_event jsonb) returns text language plpgsql as $$
declare
  v_status text;
begin
  perform tests.act_as_role('coach_os_sidecar');
  v_status := app.receive_stripe_event(p_event, false);
  perform tests.act_as_admin();
  return v_status;
end;
$$;
-- An event of an org's account about an object, made so many seconds after the checkout_event()s.
create function tests.event(p_id text, p_org text, p_type text, p_object jsonb, p_seconds integer default 0)
  returns jsonb language sql as $$
  select tests.checkout_event(p_id, p_org, '{}', jsonb_build_object('type', p_type, 'created', 1767607200 + p_seconds))
         || jsonb_build_object('data', jsonb_build_object('object', p_object));
$$;
grant execute on function tests.checkout_event to public;
create temp view books as
select e.* from public.money_events as e where e.org_id = tests.id('org', 'ada') and e.source = 'stripe';

-- One payment: income, what the platform keeps, what Stripe keeps.
select is(tests.deliver(tests.checkout_event('evt_1', 'ada')), 'applied', 'a sale');
select set_eq(
  $$select type::text, reference_id, amount_cents, tax_cat::text, tax_cents, is_estimate from books$$,
  $$values ('INCOME', 'pi_ada', 90000::bigint, 'NONE', 0::bigint, false), ('PLATFORM_FEE', 'pi_ada', -4500, 'GST', 0, true),
           ('FEE', 'pi_ada', -1560, 'GST_FREE', 0, true)$$, 'is income and two fees, which are not known yet');
select is(app.stripe_fee_estimate_cents(a, 'aud'), e, format('the fee of %s is thought to be %s', a, e))
  from (values (90000::bigint, 1560::bigint), (1, 30), (0, 0), (50, 31)) as v (a, e);
select is(
  tests.deliver(tests.event('evt_2', 'ada', 'refund.created', '{"id": "re_1", "amount": 100, "currency": "aud",
    "status": "succeeded", "payment_intent": "pi_ada", "created": 1767607300}')), 'applied', 'a partial refund');
select is((select payment_status from public.client_purchases where stripe_payment_intent_id = 'pi_ada'), 'succeeded',
  'leaves the pack as it is');

-- Append-only.
create function pg_temp.tries(p_role text, p_statement text) returns text language plpgsql as $$
declare
  v_outcome text;
begin
  if p_role <> 'admin' then
    perform tests.act_as_role(p_role);
  end if;
  v_outcome := tests.attempt(p_statement);
  perform tests.act_as_admin();
  return v_outcome;
end;
$$;
select is(pg_temp.tries('service_role', s), '42501', 'service_role has no right: ' || s)
  from unnest(array['update public.money_events set payout_id = null', 'delete from public.money_events']) as s;
-- Nor would a grant help.
grant update, delete on public.money_events to service_role;
select is(pg_temp.tries(r, s), 'PT403', format('%s: %s', r, s))
  from unnest(array['service_role', 'admin']) as r,
       unnest(array[
         'update public.money_events set amount_cents = amount_cents + 1 where type = ''INCOME''',
         'update public.money_events set event_date = event_date + interval ''1 second''',
         'update public.money_events set reference_id = ''other''',
         'update public.money_events set currency = ''usd'' where not is_estimate',
         'update public.money_events set is_estimate = true where not is_estimate',
         'update public.money_events set notes = ''mine''',
         'delete from public.money_events where type = ''INCOME'''
       ]) as s;
select is(pg_temp.tries('service_role', s), 'PT403', 'service_role: ' || s)
  from unnest(array[
         'update public.money_events set amount_cents = amount_cents + 1 where is_estimate',
         'update public.money_events set client_id = null where client_id is not null',
         'delete from public.money_events where is_estimate'
       ]) as s;
select throws_ok('truncate public.money_events', 'PT403', 'books_are_append_only', 'nor are they emptied');
select is(pg_temp.tries('service_role', format(
    'update public.money_events set payout_id = %L where reference_id = ''pi_ada''', tests.id('payout', 'ada'))), '3',
  'the platform''s payout writes which rows it pays');
select lives_ok($$delete from public.org_payouts where id = tests.id('payout', 'ada')$$, 'and may go again');
select lives_ok($$update public.money_events set notes = notes$$, 'what changes nothing is none');

-- Another org's row stands in nobody's way.
select tests.act_as('eve');
insert into public.client_purchases (org_id, client_id, offer_id, amount_paid_cents, stripe_payment_intent_id,
  stripe_checkout_session_id)
values (tests.id('org', 'eve'), tests.id('client', 'eve'), tests.id('offer', 'eve'), 1, 'pi_9', 'cs_9');
select tests.act_as_admin();
select is(tests.deliver(tests.checkout_event('evt_9', 'ada', '{"id": "cs_9", "payment_intent": "pi_9"}')), 'applied',
  'a coach who writes another''s payment into a pack of her own');
select is((select count(*) from public.client_purchases where org_id = tests.id('org', 'ada')
  and stripe_payment_intent_id = 'pi_9' and payment_status = 'succeeded'), 1::bigint, 'blocks nothing');

-- A refund that was made before the session was told; what is used stays used.
select is(tests.deliver(tests.event('evt_20', 'ada', 'refund.updated', '{"id": "re_20", "amount": 90000, "currency": "aud",
  "status": "succeeded", "payment_intent": "pi_20", "created": 1767607300}')), 'applied', 'a refund of what is not known yet');
select is(tests.deliver(tests.checkout_event('evt_21', 'ada', '{"id": "cs_20", "payment_intent": "pi_20"}')), 'applied',
  'and its session');
select results_eq(
  $$select payment_status, refunded_at is not null, sessions_used, sessions_total from public.client_purchases
     where stripe_payment_intent_id = 'pi_20'$$, $$values ('refunded', true, 0, 10)$$, 'is a refunded pack');
select is(app.use_session((select id from public.client_purchases
  where org_id = tests.id('org', 'ada') and stripe_payment_intent_id = 'pi_9')), true,
  'a session of a paid pack is used');
select is(tests.deliver(tests.event('evt_22', 'ada', 'charge.dispute.funds_withdrawn', '{"id": "du_9", "amount": 90000,
  "currency": "aud", "status": "needs_response", "payment_intent": "pi_9", "charge": "ch_9",
  "balance_transactions": [{"amount": -90000, "fee": 2500, "currency": "aud"}]}')), 'applied', 'a dispute takes the money');
create function pg_temp.statement() returns table (kind text, sessions integer) language sql as $$
  select s.kind collate "default", s.sessions
    from app.client_statement(tests.id('client', 'ada'), null, null, now()) as s
    join public.client_purchases as p on p.id = s.purchase_id and p.stripe_payment_intent_id = 'pi_9';
$$;
select set_eq('select * from pg_temp.statement()', $$values ('bought', 10), ('used', -1), ('refunded', -9)$$,
  'what was left is taken back, and the statement says so');
select is(tests.deliver(tests.event('evt_23', 'ada', 'charge.dispute.funds_reinstated', '{"id": "du_9", "amount": 90000,
  "currency": "aud", "status": "won", "payment_intent": "pi_9", "charge": "ch_9"}', 90)), 'applied', 'it is won');
select set_eq('select * from pg_temp.statement()', $$values ('bought', 10), ('used', -1)$$, 'and they are there again');
select is(tests.deliver(tests.checkout_event('evt_25', 'ada', '{"id": "cs_25", "payment_intent": "pi_25"}')), 'applied', 'a sale');
select is(tests.deliver(tests.event('evt_26', 'ada', 'charge.dispute.funds_withdrawn', '{"id": "du_25", "amount": 90000,
  "currency": "aud", "status": "needs_response", "payment_intent": "pi_25", "charge": "ch_25"}')), 'applied', 'disputed');
select is(tests.deliver(tests.event('evt_27', 'ada', 'charge.dispute.closed', '{"id": "du_25", "amount": 90000,
  "currency": "aud", "status": "won", "payment_intent": "pi_25", "charge": "ch_25"}', 90)), 'applied', 'and won');
select is((select payment_status from public.client_purchases where stripe_payment_intent_id = 'pi_25'), 'succeeded',
  'is the client''s again, before the money is');
select results_eq($$select type, amount_cents from books where reference_id like 'du_25%'$$,
  $$values ('ADJUSTMENT'::public.money_event_type, -90000::bigint)$$, 'which is booked when it comes');
update public.client_purchases set payment_status = 'failed'
 where org_id = tests.id('org', 'ada') and stripe_payment_intent_id = 'pi_9';
select is(tests.deliver(tests.event('evt_24', 'ada', 'payment_intent.succeeded', '{"id": "pi_9", "status": "succeeded",
  "amount_received": 90000, "currency": "aud", "application_fee_amount": null}')), 'applied', 'another word about it');
select is((select payment_status from public.client_purchases where org_id = tests.id('org', 'ada')
  and stripe_payment_intent_id = 'pi_9'), 'failed', 'does not undo what the coach has set by hand');
select is_empty($$select from books where type = 'PLATFORM_FEE' and reference_id = 'pi_9'$$,
  'an estimate of what turns out to be nothing goes');

-- What Stripe cannot say is kept: an object without amount, an event without time.
select is(tests.deliver(tests.event('evt_30', 'ada', 'payment_intent.succeeded',
  '{"id": "pi_30", "status": "succeeded"}')), 'failed', 'a payment of nobody knows how much');
select is(tests.deliver(tests.event('evt_31', 'ada', 'payout.paid', '{"id": "po_1", "amount": 1, "currency": "aud"}')
  - 'created'), 'failed', 'an event of nobody knows when');
select is(tests.deliver(tests.event('evt_32', 'eve', 'payout.paid', '{"id": "po_2"}')), 'failed', 'of another org');
select is(tests.deliver(tests.event('evt_33', 'zoe', 'payout.paid', '{"id": "po_3"}')), 'unmatched', 'of none');

select is(tests.deliver(tests.event('evt_34', 'ada', 'invoice.upcoming', '{"object": "invoice", "amount_due": 5000,
  "currency": "aud", "customer": "cus_1"}')), 'ignored', 'an invoice that is only planned has no id, and is no problem');

-- The owner sees what is wrong, and settles it; nobody else does.
create function pg_temp.problems(p_who text) returns text language plpgsql as $$
declare
  v_found text;
begin
  perform tests.act_as(p_who);
  select coalesce(string_agg(p.type || ' ' || p.status || ' ' || p.reason || ' ' || p.attempts, ', ' order by p.type), '')
    into v_found from public.webhook_problems(tests.id('org', 'ada')) as p;
  perform tests.act_as_admin();
  return v_found;
end;
$$;
select is(pg_temp.problems('ada'),
  'payment_intent.succeeded failed payment_incomplete 1, payout.paid failed event_incomplete 1', 'the owner sees her own');
select is(pg_temp.problems(p), '', p || ' sees none')
  from unnest(array['ada staff', 'ada books', 'ada client', 'eve', 'nobody']) as p;
create temp table events as select e.event_id, e.id from app.webhook_events as e;
grant select on events to public;
select tests.act_as('ada staff');
select throws_ok($$select public.replay_webhook_event((select id from events where event_id = 'evt_30'))$$,
  'PT404', 'webhook_event_not_found', 'staff settles nothing');
select tests.act_as('eve');
select throws_ok($$select public.discard_webhook_event((select id from events where event_id = 'evt_30'))$$,
  'PT404', 'webhook_event_not_found', 'nor another org''s owner');
select tests.act_as('ada');
select is(public.replay_webhook_event((select id from events where event_id = 'evt_30')), 'failed', 'not cured yet');
select is(public.discard_webhook_event((select id from events where event_id = 'evt_30')), 'discarded', 'so it is let lie');
select is(public.discard_webhook_event((select id from events where event_id = 'evt_1')), 'applied',
  'what is applied cannot be discarded');
select tests.act_as_admin();
select is(pg_temp.problems('ada'), 'payout.paid failed event_incomplete 1', 'and is no problem any more');
-- Replayed, what is applied stays so, whatever has gone since; and what is of the other mode books nothing.
create function pg_temp.replay(p_event text) returns text language sql as $$
  select app.replay_webhook_event(e.id, now()) from app.webhook_events as e where e.event_id = p_event;
$$;
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'leaver'), tests.id('org', 'ada'), 'Leaver');
select is(tests.deliver(tests.checkout_event('evt_35', 'ada', jsonb_build_object('id', 'cs_35', 'payment_intent', 'pi_35',
  'metadata', jsonb_build_object('client_id', tests.id('client', 'leaver'), 'offer_id', tests.id('offer', 'ada'))))),
  'applied', 'a sale');
delete from public.clients where id = tests.id('client', 'leaver');
select is(pg_temp.replay('evt_35'), 'applied', 'to a client who is gone by now stays applied');
select is(tests.deliver(tests.checkout_event('evt_36', 'ada', '{"id": "cs_36", "payment_intent": "pi_36"}', '{"livemode": true}')),
  'ignored', 'a sale of the other mode');
select is(pg_temp.replay('evt_36'), 'ignored', 'stays ignored');
select is_empty($$select from books where reference_id = 'pi_36'$$, 'and books nothing');
select is(tests.deliver(tests.event('evt_30', 'ada', 'payment_intent.succeeded',
  '{"id": "pi_30", "status": "succeeded", "amount_received": 5, "currency": "aud"}')), 'duplicate',
  'also when Stripe sends it again');
select is((select array_agg(distinct next_attempt_at is null) from app.webhook_events where status <> 'failed'),
  array[true], 'only what failed is due again');

-- What goes back holds the GST that came in, whatever the org is registered for by then.
create function pg_temp.tax(p_reference text) returns text language sql as $$
  select string_agg(b.type || ' ' || b.amount_cents || ' ' || b.tax_cat || ' ' || b.tax_cents, ', ' order by b.type)
    from books as b where b.reference_id = p_reference and b.type in ('INCOME', 'REFUND', 'ADJUSTMENT');
$$;
create function pg_temp.intent(p_id text) returns text language sql as $$
  select tests.deliver(tests.event('evt_' || p_id, 'ada', 'payment_intent.succeeded', jsonb_build_object('id', p_id,
    'status', 'succeeded', 'amount_received', 11000, 'currency', 'aud', 'application_fee_amount', null)));
$$;
create function pg_temp.goes_back(p_id text, p_number integer) returns text language sql as $$
  select tests.deliver(tests.event('evt_' || p_id || p_number, 'ada', 'refund.updated', jsonb_build_object(
    'id', 're_' || p_id || p_number, 'amount', 1100, 'currency', 'aud', 'status', 'succeeded', 'payment_intent', p_id)));
$$;
select is(pg_temp.intent('pi_40'), 'applied', 'paid before the org is registered');
update public.booking_settings set gst_registered = true where org_id = tests.id('org', 'ada');
select is(pg_temp.goes_back('pi_40', 1), 'applied', 'refunded after that');
select is(pg_temp.tax('re_pi_401'), 'REFUND -1100 NONE 0', 'no GST came in, none goes back');
select is(pg_temp.intent('pi_41'), 'applied', 'a payment with GST');
select is(pg_temp.tax('pi_41'), 'INCOME 11000 GST 1000', 'holds an eleventh');
select is(tests.deliver(tests.event('evt_42', 'ada', 'charge.dispute.funds_withdrawn', '{"id": "du_41", "amount": 11000,
  "currency": "aud", "status": "needs_response", "payment_intent": "pi_41", "charge": "ch_41"}')), 'applied', 'disputed');
select is(pg_temp.tax('du_41'), 'ADJUSTMENT -11000 GST -1000', 'what a dispute takes holds it, too');
update public.booking_settings set gst_registered = false where org_id = tests.id('org', 'ada');
select is(pg_temp.goes_back('pi_41', 2), 'applied', 'a refund when it is registered no more');
select is(pg_temp.tax('re_pi_412'), 'REFUND -1100 GST -100', 'gives back the GST that the payment held');

-- Who disconnects the account takes no payments any more.
select is(tests.deliver(tests.event('evt_50', 'ada', 'account.updated', '{"id": "acct_ada", "charges_enabled": true,
  "payouts_enabled": true, "details_submitted": true}')), 'applied', 'an account that may all');
select is(tests.deliver(tests.event('evt_51', 'ada', 'account.application.deauthorized',
  '{"id": "ca_1", "object": "application", "name": "Coach OS"}', 1)), 'applied', 'and is disconnected');
select results_eq($$select charges_enabled, payouts_enabled from public.stripe_accounts
  where org_id = tests.id('org', 'ada')$$, 'values (false, false)', 'may nothing');
select is(tests.deliver(tests.event('evt_52', 'ada', 'account.updated', '{"id": "acct_ada", "charges_enabled": true,
  "payouts_enabled": true, "details_submitted": true}')), 'applied', 'whatever was said before that');
select is(tests.deliver(tests.event('evt_521', 'ada', 'account.updated', '{"id": "acct_ada", "charges_enabled": true,
  "payouts_enabled": true, "details_submitted": true}', 1)), 'applied', 'or in the same second');
select results_eq($$select charges_enabled, payouts_enabled, disconnected_at is not null from public.stripe_accounts
  where org_id = tests.id('org', 'ada')$$, 'values (false, false, true)', 'and comes late');

-- What one account may do, another one need not.
select is(tests.deliver(tests.event('evt_53', 'ada', 'account.updated', '{"id": "acct_ada", "charges_enabled": true,
  "payouts_enabled": true, "details_submitted": true}', 2)), 'applied', 'connected again');
update public.stripe_accounts set stripe_account_id = 'acct_ada_new' where org_id = tests.id('org', 'ada');
select results_eq($$select charges_enabled, payouts_enabled, details_submitted, disconnected_at is null from public.stripe_accounts
  where org_id = tests.id('org', 'ada')$$, 'values (false, false, false, true)', 'of another account Stripe has said nothing yet');

-- The whole org goes, with its books.
select lives_ok($$delete from public.orgs where id = tests.id('org', 'ada')$$, 'an org can be deleted');
select is_empty($$select from public.money_events where org_id = tests.id('org', 'ada')
  union all select from app.stripe_payments where org_id = tests.id('org', 'ada')$$, 'with all of its money');

select * from finish();
rollback;
