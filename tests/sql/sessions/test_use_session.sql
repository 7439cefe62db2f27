begin;
select plan(22);

select tests.org('ada');
select tests.org('eve');
select tests.booking('past', 'ada', '2026-01-05 09:00+10');

-- DATA-03: use_session() takes one, and the ledger says so.
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'ada')), true, 'a coach uses one session by hand');
select is(public.use_session(tests.id('pack', 'ada')), true, 'and another: the button deducts each time');
select tests.act_as_admin();
select results_eq(
  $$select sessions_used, sessions_remaining from public.client_purchases where id = tests.id('pack', 'ada')$$,
  $$values (2, 8)$$, 'the counter');
select results_eq(
  $$select entry_type, delta, sessions_used_after, actor_id from public.session_ledger
     where purchase_id = tests.id('pack', 'ada') order by sessions_used_after$$,
  $$values ('manual', 1, 1, tests.person('ada')), ('manual', 1, 2, tests.person('ada'))$$, 'the ledger, with its actor');

-- Per booking at most once, whoever asks and however often.
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'past')), true, 'a booking takes one');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'past')), true, 'asked again: still taken');
select tests.act_as_admin();
select is((select sessions_used from public.client_purchases where id = tests.id('pack', 'ada')), 3, 'once only');
select is(public.release_session(null, tests.id('booking', 'past')), 2, 'given back once');
select is(public.release_session(null, tests.id('booking', 'past')), -1, 'not twice');
select throws_ok(
  $$insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq)
    values (tests.id('pack', 'ada'), tests.id('booking', 'past'), 'booking', 1, 2)$$,
  '23514', null, 'two takings in a row cannot be written, whoever tries');

-- Tenancy.
select tests.act_as('eve');
select is(public.use_session(tests.id('pack', 'ada')), false, 'another org''s pack looks unknown');
select is(public.release_session(tests.id('pack', 'ada')), -1, 'nor can it be given back to');
select tests.act_as_anon();
select throws_ok($$select public.use_session(tests.id('pack', 'ada'))$$, '42501', null, 'anon may not call it');
select tests.act_as_admin();

-- False, never an error: unknown, empty, unpaid, expired.
select is(public.use_session(gen_random_uuid()), false, 'unknown pack');
select is(public.use_session(null), false, 'null pack');
update public.client_purchases set sessions_total = 2 where id = tests.id('pack', 'ada');
select is(public.use_session(tests.id('pack', 'ada')), false, 'empty pack');
update public.client_purchases set sessions_total = 10, payment_status = 'pending' where id = tests.id('pack', 'ada');
select is(public.use_session(tests.id('pack', 'ada')), false, 'unpaid pack');
update public.client_purchases set payment_status = 'succeeded', expires_at = '2026-06-01'
 where id = tests.id('pack', 'ada');
select is(app.use_session(tests.id('pack', 'ada'), null, '2026-06-01'), false, 'expired at that very instant');
select is(app.use_session(tests.id('pack', 'ada'), null, '2026-05-31 23:59:59Z'), true, 'not a second before');

-- Direct edits become entries; the ledger itself cannot be changed.
select tests.act_as('ada');
update public.client_purchases set sessions_used = 7 where id = tests.id('pack', 'ada');
select tests.act_as_admin();
select results_eq(
  $$select delta, actor_id from public.session_ledger where entry_type = 'adjustment' and delta <> 0$$,
  $$values (4, tests.person('ada'))$$, 'a coach''s edit is an adjustment entry with the actor');
select throws_ok($$delete from public.session_ledger$$, 'PT403', 'ledger_is_append_only', 'append-only, for everyone');

select is_empty($$select * from app.session_discrepancies()$$, 'every counter is the sum of its ledger');

select * from finish();
rollback;
