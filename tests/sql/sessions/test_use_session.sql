begin;
select plan(69);

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
  $$values ('manual', 1, 1, tests.person('ada')), ('manual', 1, 2, tests.person('ada'))$$,
    'the ledger, with its actor');

-- Per booking at most once, whoever asks and however often.
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'past')), true, 'a booking takes one');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'past')), true, 'asked again: still taken');
select tests.act_as_admin();
select is((select sessions_used from public.client_purchases where id = tests.id('pack', 'ada')), 3, 'once only');
select is(public.release_session(null, tests.id('booking', 'past')), 2, 'given back once');
select is(public.release_session(null, tests.id('booking', 'past')), -1, 'not twice');
create function pg_temp.write_entry(p_seq integer, p_delta integer) returns void language sql as $$
insert into public.session_ledger (org_id, purchase_id, booking_id, entry_type, delta, booking_seq, sessions_used_after)
values (tests.id('org', 'ada'), tests.id('pack', 'ada'), tests.id('booking', 'past'), 'booking', p_delta, p_seq, 3)
$$;
select throws_ok($$select pg_temp.write_entry(3, 1)$$, 'PT403', 'ledger_is_append_only',
  'no entry is written but by the counter, whoever tries');
alter table public.session_ledger disable trigger session_ledger_by_counter_only;
select throws_ok($$select pg_temp.write_entry(4, 1)$$, '23514', null, 'if it were, two takings in a row could not be');
select throws_ok($$select pg_temp.write_entry(1, 1)$$, '23505', null, 'nor one that is there');
alter table public.session_ledger enable trigger session_ledger_by_counter_only;

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

select throws_ok($$update public.session_ledger set reason = 'other'$$, 'PT403', 'ledger_is_append_only',
  'nor changed');
select throws_ok($$truncate public.session_ledger$$, 'PT403', 'ledger_is_append_only', 'nor emptied');

-- An edit stays within 0 to the total, whoever makes it, and both numbers are in the ledger.
select tests.pack('edited', 'ada', 5);
select tests.act_as('ada');
select throws_ok(format($$update public.client_purchases set %s where id = tests.id('pack', 'edited')$$, e.edit),
  '23514',
                 null, e.why)
  from (values ('sessions_used = 6', 'no more can be used than the pack has'),
               ('sessions_used = -1', 'nor less than none'),
               ('sessions_total = -1', 'nor can it have less than none'),
               ('sessions_used = 3, sessions_total = 2', 'nor both so that they do not fit'),
               ('sessions_used = 3, sessions_total = null', 'nor used without a total')) as e (edit, why);
update public.client_purchases set sessions_used = 3, sessions_total = 8 where id = tests.id('pack', 'edited');
update public.client_purchases set sessions_used = 3, sessions_total = 8, payment_method = 'cash'
 where id = tests.id('pack', 'edited');
update public.client_purchases set sessions_total = 3 where id = tests.id('pack', 'edited');
select throws_ok($$update public.client_purchases set sessions_total = 2 where id = tests.id('pack', 'edited')$$,
  '23514',
  null, 'the total cannot fall below what is used');
insert into public.client_purchases
  (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, sessions_used, payment_status)
values (tests.id('pack', 'opened'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0, 4,
  2,
        'succeeded');
select throws_ok($$insert into public.session_ledger (org_id, purchase_id, entry_type, delta, sessions_used_after)
  values (tests.id('org', 'ada'), tests.id('pack', 'ada'), 'adjustment', 1, 1)$$, '42501', null,
  'a coach writes no entry');
select tests.act_as_role('service_role');
select throws_ok($$insert into public.session_ledger (org_id, purchase_id, entry_type, delta, sessions_used_after)
  values (tests.id('org', 'ada'), tests.id('pack', 'ada'), 'adjustment', 1, 1)$$, '42501', null, 'nor a service key');
select tests.act_as_admin();
select results_eq(
  $$select entry_type, delta, total_delta, sessions_used_after, actor_id from public.session_ledger
     where purchase_id in (tests.id('pack', 'edited'), tests.id('pack', 'opened')) order by entry_type,
       total_delta desc$$,
  $$values ('adjustment', 3, 3, 3, tests.person('ada')), ('adjustment', 0, -5, 3, tests.person('ada')),
           ('opening', 2, 0, 2, tests.person('ada'))$$, 'one entry for each edit that changed a number');
select is(public.use_session(tests.id('pack', 'edited')), false, 'an edited pack is used up like any other');

-- The session that an edit has given back is not given back again.
select tests.pack('corrected', 'ada', 1);
select tests.booking('corrected', 'ada', '2026-01-06 09:00+10');
update public.bookings set purchase_id = tests.id('pack', 'corrected') where id = tests.id('booking', 'corrected');
update public.bookings set status = 'completed' where id = tests.id('booking', 'corrected');
select tests.act_as('ada');
update public.client_purchases set sessions_used = 0 where id = tests.id('pack', 'corrected');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'corrected');
select tests.act_as_admin();
select results_eq(
  $$select entry_type, delta, sessions_used_after from public.session_ledger
     where purchase_id = tests.id('pack', 'corrected') order by booking_seq nulls first, entry_type$$,
  $$values ('adjustment', -1, 0), ('booking', 1, 1), ('release', 0, 0)$$, 'its entry says so, and moves nothing');

-- With a booking: whose, and from which pack.
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'other'), tests.id('org', 'ada'),
  'Other');
update public.client_purchases set sessions_total = 20, expires_at = null where id = tests.id('pack', 'ada');
select tests.pack('second', 'ada');
select tests.pack('other''s', 'ada');
update public.client_purchases set client_id = tests.id('client', 'other') where id = tests.id('pack', 'other''s');
select tests.booking('eve''s', 'eve', '2026-01-05 09:00+10');
update public.bookings set status = 'completed' where id = tests.id('booking', 'eve''s');
select tests.booking('to come', 'ada', now() + interval '3 days');
create temp table before_it as select p.id, p.sessions_used from public.client_purchases as p;
grant select on before_it to public;
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'other''s'), tests.id('booking', 'past')), false,
  'not another client''s pack');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'eve''s')), false,
  'not another org''s booking');
select is(public.use_session(tests.id('pack', 'eve'), tests.id('booking', 'past')), false, 'not another org''s pack');
select is(public.use_session(tests.id('pack', 'eve'), tests.id('booking', 'eve''s')), false, 'not both');
select is(public.use_session(tests.id('pack', 'ada'), gen_random_uuid()), false, 'not an unknown booking');
select is(public.use_session(null, tests.id('booking', 'past')), false, 'not without a pack');
select is(public.release_session(tests.id('pack', 'eve'), tests.id('booking', 'eve''s')), -1,
  'nothing to give back there');
select is(public.release_session(null, tests.id('booking', 'eve''s')), -1, 'nor without the pack');
select is(public.release_session(tests.id('pack', 'ada'), tests.id('booking', 'past')), -1, 'nor where none was taken');
select is(public.release_session(tests.id('pack', 'ada'), gen_random_uuid()), -1, 'nor of an unknown booking');
select is(public.release_session(null), -1, 'nor of nothing');
select is(public.release_session(gen_random_uuid()), -1, 'nor of an unknown pack');
select is_empty(
  $$select p.id from public.client_purchases as p join before_it as b on b.id = p.id
     where p.sessions_used <> b.sessions_used$$, 'none of it moved a session');
select is(public.use_session(tests.id('pack', 'second'), tests.id('booking', 'to come')), true,
  'a coach may charge a session to come, and from another pack than it is on');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'to come')), true, 'then it has its session');
update public.bookings set status = 'completed' where id = tests.id('booking', 'to come');
select is_empty(
  $$select p.id from public.client_purchases as p join before_it as b on b.id = p.id
     where p.sessions_used <> b.sessions_used and p.id <> tests.id('pack', 'second')$$, 'and takes none from its own');
select is(public.release_session(tests.id('pack', 'ada'), tests.id('booking', 'to come')), -1,
  'it is not given back to a pack it was not taken from');
select is(public.release_session(tests.id('pack', 'second'), tests.id('booking', 'to come')), 0,
  'but to the one it was');
select tests.act_as_admin();

-- What a change was going to be for does not explain another one, in the same transaction, that took its place.
select tests.pack('bare', 'ada', 0);
select tests.pack('then', 'ada');
create function pg_temp.taken_and_undone() returns boolean language plpgsql as $$
begin
  perform public.use_session(tests.id('pack', 'second'), tests.id('booking', 'past'));
  raise exception 'undone';
exception when raise_exception then
  return false;
end;
$$;
create function pg_temp.entry_of_edit_after(p_call text) returns table (
  answer text, entry_type text, delta integer, booking_id uuid, booking_seq integer, reason text
) language plpgsql as $$
begin
  execute 'select (' || p_call || ')::text' into answer;
  update public.client_purchases set sessions_used = sessions_used + 1 where id = tests.id('pack', 'then');
  return query
    select answer, l.entry_type, l.delta, l.booking_id, l.booking_seq, l.reason from public.session_ledger as l
     where l.purchase_id = tests.id('pack', 'then') order by l.sessions_used_after desc limit 1;
end;
$$;
select tests.act_as('ada');
select results_eq(format('select * from pg_temp.entry_of_edit_after(%L)', c.call),
                  format('values (%L, ''adjustment'', 1, null::uuid, null::integer, null)', c.answer), c.what)
  from (values
    ($$public.use_session(tests.id('pack', 'bare'))$$, 'false', 'an edit is one after a use that failed'),
    ($$public.use_session(tests.id('pack', 'bare'), tests.id('booking', 'past'))$$, 'false', 'also one for a booking'),
    ($$public.release_session(tests.id('pack', 'bare'))$$, '-1', 'after a release that failed'),
    ($$pg_temp.taken_and_undone()$$, 'false', 'after a use that was undone'),
    ($$public.use_session(tests.id('pack', 'second'), tests.id('booking', 'past'))$$, 'true', 'and after one that was not')
  ) as c (call, answer, what);
select is(public.release_session(null, tests.id('booking', 'past')), 0, 'whose entry is its own: it is given back');
select tests.act_as_admin();

-- Who may.
insert into public.org_members (org_id, user_id, role)
values (tests.id('org', 'ada'), tests.person('ada staff'), 'staff'),
       (tests.id('org', 'ada'), tests.person('ada books'), 'accountant_readonly');
update public.clients set auth_user_id = tests.person('ada client') where id = tests.id('client', 'ada');
select tests.act_as('ada staff');
select is(public.use_session(tests.id('pack', 'second')), true, 'staff may');
select is(public.release_session(tests.id('pack', 'second')), 0, 'and take it back');
select tests.act_as('ada books');
select is((public.use_session(tests.id('pack', 'second')), public.release_session(tests.id('pack', 'opened'))), (false,
  -1),
  'an accountant may not');
select tests.act_as('ada client');
select is((public.use_session(tests.id('pack', 'second')), public.release_session(tests.id('pack', 'opened'))), (false,
  -1),
  'nor the client');
select tests.act_as_role('service_role');
select is(public.use_session(tests.id('pack', 'second')), true, 'a service key may');
select tests.act_as_anon();
select throws_ok($$select public.release_session(tests.id('pack', 'ada'))$$, '42501', null, 'anon may not give back');
select tests.act_as_admin();

-- A pack that is only being written down (pending, never used) is corrected and deleted without a trace.
select tests.pack('typo', 'ada', 10);
update public.client_purchases set payment_status = 'pending' where id = tests.id('pack', 'typo');
select tests.act_as('ada');
update public.client_purchases set sessions_total = 5 where id = tests.id('pack', 'typo');
select lives_ok($$delete from public.client_purchases where id = tests.id('pack', 'typo')$$,
  'a pending pack that was corrected can be deleted');
select tests.act_as_admin();
select is_empty($$select 1 from public.client_purchases where id = tests.id('pack', 'typo')$$, 'and is gone');

select is_empty($$select * from app.session_discrepancies()$$, 'every counter is the sum of its ledger');

select * from finish();
rollback;
