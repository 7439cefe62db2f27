-- What Stripe shows against the books: what should be there, what is found, how long it stays a finding.
begin;
select plan(69);

select tests.org('ada');
select tests.org('eve');
grant execute on function tests.checkout_event to public;

-- Which events can change anything: all that the router has a function for, and no other. ------------------------------
select is_empty(
  $$select t from unnest(array['customer.created', 'charge.failed', 'payout.created', 'invoice.created',
      'checkout.session.expired', 'application_fee.created', 'payment_intent.created', 'balance.available',
      'application_fee.refund.updated']) as t where app.is_booked_event(t)$$, 'what says nothing of money that moved');
select is_empty(
  $$select t from unnest(array['charge.dispute.closed', 'customer.subscription.paused', 'account.updated',
      'application_fee.refunded', 'refund.failed', 'invoice_payment.paid']) as t where not app.is_booked_event(t)$$,
  'what does');
-- The router is read as text: an event that one of the two forgets would be taken in for nothing, or never.
select results_eq(
  $$select distinct m[1] collate "C"
      from pg_proc as p, regexp_matches(p.prosrc, '''([a-z_]+(?:\.[a-z_]+)+)''', 'g') as m
     where p.oid = 'app.is_booked_event(text)'::regprocedure order by 1$$,
  $$select distinct m[1] collate "C"
      from pg_proc as p, regexp_matches(p.prosrc, '''([a-z_]+(?:\.[a-z_]+)+)''', 'g') as m
     where p.oid = 'app.apply_stripe_event(uuid, jsonb)'::regprocedure order by 1$$, 'and both name the same');

-- Which of a list are missing ------------------------------------------------------------------------------------------
insert into public.stripe_accounts (org_id, stripe_account_id) values (tests.id('org', 'ada'), 'acct_ada');
do $$ begin perform app.receive_stripe_event(tests.checkout_event('evt_known', 'ada'), false, '2026-01-05 10:00Z'); end $$;
select results_eq(
  $$select e.received_at, e.processed_at from app.webhook_events as e where e.event_id = 'evt_known'$$,
  $$values ('2026-01-05 10:00Z'::timestamptz, '2026-01-05 10:00Z'::timestamptz)$$, 'the clock is a parameter');
create temp table listed as select '[
  {"id": "evt_known", "type": "checkout.session.completed"}, {"id": "evt_new", "type": "charge.succeeded"},
  {"id": "evt_fee", "type": "application_fee.refunded"}, {"id": "evt_other", "type": "customer.created"}]'::jsonb as events;
select set_eq($$select app.missing_stripe_events('acct_ada', events) from listed$$, array['evt_new', 'evt_fee'],
  'of an account, what was never delivered and can change something');
select set_eq($$select app.missing_stripe_events(null, events) from listed$$, array['evt_fee'],
  'of the platform, what is about the money of accounts');

-- What the books should hold of an object ------------------------------------------------------------------------------
create function pg_temp.lines(p_object text) returns text language sql as $$
  select coalesce(string_agg(format('%s %s %s %s', l.type, l.reference_id, l.amount_cents, l.currency), ', '), 'nothing')
    from app.stripe_lines(p_object::jsonb) as l;
$$;
select is(pg_temp.lines(o), e, d) from (values
  (1, '{"object": "charge", "id": "ch_1", "status": "succeeded", "captured": true, "amount": 9, "amount_captured": 8, "currency": "AUD", "payment_intent": "pi_1", "application_fee_amount": 2}',
   'INCOME pi_1 8 aud, PLATFORM_FEE pi_1 -2 aud', 'a charge is the payment of its intent, by what was captured'),
  (2, '{"object": "charge", "id": "ch_1", "status": "succeeded", "captured": true, "amount": 9, "currency": "jpy", "payment_intent": null, "application_fee_amount": null}',
   'INCOME ch_1 9 jpy, PLATFORM_FEE ch_1 0 jpy', 'of itself when it has none'),
  (3, '{"object": "charge", "id": "ch_1", "status": "succeeded", "captured": false, "amount": 9, "currency": "aud"}', 'nothing',
   'one that is only authorised is no payment'),
  (4, '{"object": "charge", "id": "ch_1", "status": "failed", "captured": false, "amount": 9, "currency": "aud", "payment_intent": "pi_1"}',
   'nothing', 'one that failed says nothing of its intent'),
  (5, '{"object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": 9, "amount_received": 8, "currency": "aud", "application_fee_amount": 2}',
   'INCOME pi_1 8 aud, PLATFORM_FEE pi_1 -2 aud', 'an intent'),
  (6, '{"object": "payment_intent", "id": "pi_1", "status": "canceled", "amount": 9, "amount_received": 0, "currency": "aud", "application_fee_amount": 2}',
   'INCOME pi_1 0 aud, PLATFORM_FEE pi_1 0 aud', 'an intent that came to nothing'),
  (7, '{"object": "refund", "id": "re_1", "status": "succeeded", "amount": 9, "currency": "aud"}', 'REFUND re_1 -9 aud', 'a refund'),
  (8, '{"object": "refund", "id": "re_1", "status": "failed", "amount": 9, "currency": "aud"}', 'REFUND re_1 0 aud',
   'one that failed comes to nothing, with its reversal'),
  (9, '{"object": "refund", "id": "re_1", "status": "pending", "amount": 9, "currency": "aud"}', 'REFUND re_1 0 aud', 'one that is on its way'),
  (10, '{"object": "payout", "id": "po_1", "status": "paid", "amount": 9, "currency": "aud"}', 'PAYOUT po_1 -9 aud', 'a payout'),
  (11, '{"object": "payout", "id": "po_1", "status": "in_transit", "amount": 9, "currency": "aud"}', 'PAYOUT po_1 0 aud', 'on its way'),
  (12, '{"object": "payout", "id": "po_1", "status": "failed", "amount": 9, "currency": "aud"}', 'PAYOUT po_1 0 aud', 'failed'),
  (13, '{"object": "dispute", "id": "du_1", "status": "needs_response", "amount": 9, "currency": "usd", "balance_transactions": [{"amount": -14, "fee": 3, "currency": "aud"}]}',
   'ADJUSTMENT du_1 -9 usd, FEE du_1 -3 aud', 'a dispute that took money, in its own currency, the fee in the account''s'),
  (14, '{"object": "dispute", "id": "du_1", "status": "won", "amount": 9, "currency": "aud", "balance_transactions": [{"amount": -9, "fee": 3, "currency": "aud"}, {"amount": 9, "fee": -1, "currency": "aud"}]}',
   'ADJUSTMENT du_1 0 aud, FEE du_1 -2 aud', 'and gave it back'),
  (15, '{"object": "dispute", "id": "du_1", "status": "warning_closed", "amount": 9, "currency": "aud", "balance_transactions": []}',
   'ADJUSTMENT du_1 0 aud', 'an inquiry'),
  (16, '{"object": "fee_refund", "id": "fr_1", "amount": 9, "currency": "aud"}', 'PLATFORM_FEE fr_1 9 aud', 'a share given back'),
  (17, '{"object": "invoice", "id": "in_1", "status": "paid", "amount_paid": 9, "currency": "aud"}', 'INCOME in_1 9 aud', 'an invoice without any intent'),
  (18, '{"object": "checkout.session", "id": "cs_1", "payment_status": "unpaid", "amount_total": 9, "currency": "aud"}', 'INCOME cs_1 0 aud', 'a session'),
  (19, '{"object": "topup", "id": "tu_1", "amount": 9, "currency": "aud"}', 'nothing', 'what the books do not know')
  ) as x (n, o, e, d) order by n;

-- Where they differ ----------------------------------------------------------------------------------------------------
create function pg_temp.book(p_type text, p_reference text, p_cents bigint, p_currency text default 'aud', p_estimate boolean default false,
  p_source text default 'stripe', p_org text default 'ada') returns void language plpgsql as $$
begin
  insert into public.money_events (org_id, event_date, type, amount_cents, currency, source, reference_id, is_estimate)
  values (tests.id('org', p_org), '2026-01-05', p_type::public.money_event_type, p_cents, p_currency, p_source, p_reference, p_estimate);
end;
$$;
create function pg_temp.differs(p_object text) returns text language sql as $$
  select coalesce(string_agg(d.subject || ' ' || d.kind, ', '), 'no')
    from app.stripe_discrepancies(tests.id('org', 'ada'), ('[' || p_object || ']')::jsonb) as d;
$$;
create function pg_temp.refund(p_id text, p_cents integer, p_currency text default 'aud', p_status text default 'succeeded')
returns text language sql as $$
  select json_build_object('object', 'refund', 'id', p_id, 'status', p_status, 'amount', p_cents, 'currency', p_currency)::text;
$$;
select is(pg_temp.differs(pg_temp.refund('re_1', 9)), 're_1 not_in_books', 'not booked');
select is(pg_temp.differs(pg_temp.refund('re_1', 0)), 'no', 'of nothing, nothing is booked');
select pg_temp.book('REFUND', 're_1', -9, p_org => 'eve'), pg_temp.book('REFUND', 're_1', -9, p_source => 'manual');
select is(pg_temp.differs(pg_temp.refund('re_1', 9)), 're_1 not_in_books', 'not by another org, and not by hand');
select pg_temp.book('REFUND', 're_1', -9);
select is(pg_temp.differs(pg_temp.refund('re_1', 9)), 'no', 'booked');
select is(pg_temp.differs(pg_temp.refund('re_1', 8)), 're_1 differs_from_stripe', 'another amount');
select is(pg_temp.differs(pg_temp.refund('re_1', 9, 'usd')), 're_1 differs_from_stripe', 'another currency');
select is(pg_temp.differs(pg_temp.refund('re_1', 9, 'AUD')), 'no', 'the same in capitals');
select is(pg_temp.differs(pg_temp.refund('re_1', 9, p_status => 'failed')), 're_1 differs_from_stripe', 'not booked back');
select pg_temp.book('REFUND', 're_1:reversal', 9);
select is(pg_temp.differs(pg_temp.refund('re_1', 9, p_status => 'failed')), 'no', 'booked back');
select is(pg_temp.differs('{"object": "missing", "id": "re_1"}'), 're_1 unknown_to_stripe', 'Stripe does not have it, though it comes to nothing');
select is(pg_temp.differs('{"object": "missing", "id": "re_2"}'), 'no', 'nor have the books');
create temp table charge as select '{"object": "charge", "id": "ch_2", "status": "succeeded", "captured": true,
  "amount": 9, "currency": "aud", "payment_intent": "pi_2", "application_fee_amount": 2}'::text as o;
select pg_temp.book('INCOME', 'pi_2', 9), pg_temp.book('PLATFORM_FEE', 'pi_2', -1, p_estimate => true);
select is(pg_temp.differs(o), 'no', 'an estimate is not compared') from charge;
update public.money_events set amount_cents = -1, is_estimate = false where reference_id = 'pi_2' and is_estimate;
select is(pg_temp.differs(o), 'pi_2 differs_from_stripe', 'what was kept is') from charge;
select is((select d.detail from app.stripe_discrepancies(tests.id('org', 'ada'), ('[' || o || ']')::jsonb) as d),
  '{"lines": [{"type": "PLATFORM_FEE", "stripe_cents": -2, "booked_cents": -1, "currency": "aud",
               "booked_currencies": ["aud"]}]}'::jsonb, 'with both amounts') from charge;
select results_eq(
  $$select org_id, subject, kind, detail ->> 'charge' from app.stripe_discrepancies(null, '[
      {"object": "fee_refund", "id": "fr_1", "amount": 9, "currency": "aud", "account": "acct_ada", "charge": "ch_2"},
      {"object": "fee_refund", "id": "fr_2", "amount": 9, "currency": "aud", "account": "acct_nobody", "charge": "ch_3"}]')$$,
  $$values (tests.id('org', 'ada'), 'fr_1', 'not_in_books', 'ch_2')$$, 'the platform''s are of the account they name');

-- What is kept of it ---------------------------------------------------------------------------------------------------
create temp view kept as
select h.kind, h.subject, h.first_seen_at, h.last_seen_at, h.resolved_at from app.health_findings as h where h.org_id = tests.id('org', 'ada');
select app.record_stripe_findings(tests.id('org', 'ada'), ('[' || pg_temp.refund('re_9', 9) || ',' || pg_temp.refund('re_8', 9) || ']')::jsonb,
  '2026-01-06 00:00Z');
select app.record_stripe_findings(tests.id('org', 'ada'), ('[' || pg_temp.refund('re_9', 9) || ']')::jsonb, '2026-01-07 00:00Z');
select results_eq('select subject, first_seen_at, last_seen_at, resolved_at from kept order by 1',
  $$values ('re_8', '2026-01-06 00:00Z'::timestamptz, '2026-01-06 00:00Z'::timestamptz, null::timestamptz),
           ('re_9', '2026-01-06 00:00Z', '2026-01-07 00:00Z', null)$$,
  'seen again it is the same; what was not looked at stays');
select pg_temp.book('REFUND', 're_9', -8);
select app.record_stripe_findings(tests.id('org', 'ada'), ('[' || pg_temp.refund('re_9', 9) || ']')::jsonb, '2026-01-08 00:00Z');
select results_eq($$select kind, resolved_at from kept where subject = 're_9' order by kind$$,
  $$values ('differs_from_stripe', null::timestamptz), ('not_in_books', '2026-01-08 00:00Z')$$,
  'wrong in another way it is another finding, and the first is resolved');
select app.record_stripe_findings(tests.id('org', 'ada'), ('[' || pg_temp.refund('re_9', 8) || ']')::jsonb, '2026-01-09 00:00Z');
select is((select count(*) from kept where subject = 're_9' and resolved_at is null), 0::bigint, 'right, it is none');
select app.record_stripe_findings(tests.id('org', 'ada'), ('[' || pg_temp.refund('re_9', 9) || ']')::jsonb, '2026-01-10 00:00Z');
select is((select count(*) from kept where subject = 're_9'), 3::bigint, 'wrong again, it is a new one');
select app.record_findings('sessions', array['ledger'], null, null, '[{"kind": "ledger", "subject": "a"}, {"kind": "ledger", "subject": "b"}]',
  '2026-01-06 00:00Z');
select app.record_findings('sessions', array['ledger'], null, null, '[{"kind": "ledger", "subject": "b", "detail": {"n": 1}}]', '2026-01-07 00:00Z');
select results_eq($$select subject, org_id, detail, first_seen_at, last_seen_at from app.open_findings('sessions')$$,
  $$values ('b', null::uuid, '{"n": 1}'::jsonb, '2026-01-06 00:00Z'::timestamptz, '2026-01-07 00:00Z'::timestamptz)$$,
  'any check may use it: of the platform, about everything');
select is((select count(*) from app.open_findings()), (select count(*) from app.health_findings where resolved_at is null), 'all of them');
select throws_ok($$select app.record_findings('weather', array['rain'], null, null, '[{"kind": "rain", "subject": "a"}]', now())$$, '23514',
  null, 'of an area there is');

-- When an account is looked at -----------------------------------------------------------------------------------------
select results_eq($$select r.since, r.due_at from app.reconciliations as r where r.account_id = 'acct_ada'$$,
  'select now(), now()', 'from the day it is connected');
update public.stripe_accounts set stripe_account_id = 'acct_new' where org_id = tests.id('org', 'ada');
select set_eq('select app.reconciled_accounts()', array['acct_new', 'platform'], 'another account is another account');
delete from public.stripe_accounts;
select set_eq('select app.reconciled_accounts()', array['platform'], 'a disconnected one is no longer looked at');
insert into public.stripe_accounts (org_id, stripe_account_id) values (tests.id('org', 'ada'), 'acct_ada');
delete from app.reconciliations where account_id = 'platform';
update app.reconciliations set since = '2026-01-01 00:00Z', due_at = '2026-01-01 00:00Z' where account_id = 'acct_ada';
create function pg_temp.claim(p_at timestamptz, p_account text default null) returns text language sql as $$
  select coalesce((select format('%s %s %s', c.account_id, (c.events_from at time zone 'UTC')::date, (c.objects_from at time zone 'UTC')::date)
                     from app.claim_reconciliation(p_at, false, p_account) as c), 'none');
$$;
delete from app.webhook_events;
select is(pg_temp.claim('2026-02-10 00:00Z'), 'acct_ada 2026-01-01 2026-01-01', 'the first time, from its beginning');
select is(pg_temp.claim('2026-02-10 00:59Z'), 'none', 'one at a time');
select is(pg_temp.claim('2026-02-10 00:59Z', 'acct_ada'), 'acct_ada 2026-01-01 2026-01-01', 'but for who asks for it by name');
select is(pg_temp.claim('2026-02-10 00:59Z', 'acct_eve'), 'none', 'and names one there is');
select app.reconciliation_done('acct_ada', false, 0, true, '2026-02-10 00:00Z');
select is(pg_temp.claim('2026-02-10 23:59Z'), 'none', 'once a day');
select is(pg_temp.claim('2026-02-20 12:00Z'), 'acct_ada 2026-02-07 2026-01-11', 'what was missed is made up for, with what may have changed since');
select app.reconciliation_done('acct_ada', false, 0, false, '2026-02-21 12:00Z');
select is((select reconciled_to from app.reconciliations), '2026-02-10 00:00Z'::timestamptz, 'a run about another time says nothing of this one');
select is(pg_temp.claim('2026-02-21 12:00Z'), 'acct_ada 2026-02-07 2026-01-11', 'and leaves it to be done');
select app.reconciliation_failed('acct_ada', 'stripe_unavailable', '{}', '2026-02-21 12:00Z');
select is((select due_at from app.reconciliations), '2026-02-21 12:01Z'::timestamptz, 'what failed is tried again in a minute');
update app.reconciliations set failures = 40;
select app.reconciliation_failed('acct_ada', 'stripe_unavailable', '{}', '2026-02-21 12:00Z');
select is((select due_at from app.reconciliations), '2026-02-21 18:00Z'::timestamptz, 'and, however often, after six hours');
select app.reconciliation_failed('acct_ada', 'account_access_lost', '{}', '2026-02-21 12:00Z');
select is((select due_at from app.reconciliations), '2026-02-22 12:00Z'::timestamptz, 'without access, in a day');
select results_eq($$select kind, subject, org_id from app.open_findings('money') where subject = 'acct_ada'$$,
  $$values ('account_access_lost', 'acct_ada', tests.id('org', 'ada'))$$, 'of the ways to fail the last is the finding');
select app.reconciliation_done('acct_ada', false, 0, true, '2026-02-22 12:00Z');
select is_empty($$select from app.open_findings('money') where subject = 'acct_ada'$$, 'which is over when it could be looked at');
select is((select failures from app.reconciliations), 0, 'and forgotten');

-- Which mode the books are of ------------------------------------------------------------------------------------------
select is(app.books_livemode(tests.id('org', 'ada')), false, 'as it was looked at last');
update app.reconciliations set livemode = null;
select is(app.books_livemode(tests.id('org', 'ada')), null, 'nothing says');
do $$ begin perform app.receive_stripe_event(tests.checkout_event('evt_live', 'ada', '{}', '{"livemode": true}'), true, '2026-01-06 10:00Z'); end $$;
do $$ begin perform app.receive_stripe_event(tests.checkout_event('evt_test', 'ada'), true, '2026-01-07 10:00Z'); end $$;
select is(app.books_livemode(tests.id('org', 'ada')), true, 'as the newest event that was applied says');
select is((select problem from app.claim_reconciliation('2026-02-23 12:00Z', false, 'acct_ada')), 'key_of_other_mode', 'a test key has no business here');
select is((select problem from app.claim_reconciliation('2026-02-23 12:00Z', true, 'acct_ada')), null, 'a live one has');

select * from finish();
rollback;
