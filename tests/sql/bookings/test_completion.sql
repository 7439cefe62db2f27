-- DATA-02: a booking that ends while nobody looks is completed and deducted, once, whoever completes it.
begin;
select plan(52);

select tests.org('ada');
select tests.org('eve');
create function pg_temp.status(p_name text) returns text language sql as $$
  select b.status from public.bookings as b where b.id = tests.id('booking', p_name);
$$;
create function pg_temp.used(p_name text default 'ada') returns integer language sql as $$
  select p.sessions_used from public.client_purchases as p where p.id = tests.id('pack', p_name);
$$;

-- Which bookings: confirmed ones that are over. 5 January 2026, 09:00 to 10:00 in Brisbane ends at 00:00Z on the 5th.
select tests.booking('over', 'ada', '2026-01-04 23:00Z');
select tests.booking('ends now', 'ada', '2026-01-05 01:00Z');
select tests.booking('running', 'ada', '2026-01-05 01:00:00.000001Z');
select tests.booking('future', 'ada', '2026-01-06 01:00Z');
select tests.booking('pending', 'ada', '2026-01-03 01:00Z');
select tests.booking('cancelled', 'ada', '2026-01-03 02:00Z');
select tests.booking('no show', 'ada', '2026-01-03 03:00Z');
select tests.booking('eve''s', 'eve', '2026-01-03 04:00Z');
select tests.booking('without a pack', 'ada', '2026-01-03 05:00Z');
update public.bookings set purchase_id = null where id = tests.id('booking', 'without a pack');
update public.bookings set status = 'pending' where id = tests.id('booking', 'pending');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'cancelled');
update public.bookings set status = 'no_show' where id = tests.id('booking', 'no show');
select is(pg_temp.used(), 0, 'booking, cancelling and not showing up take nothing');
select is_empty('select 1 from public.session_ledger', 'and leave no entry');

select tests.act_as_role('coach_os_worker');
select is(app.complete_past_bookings('2026-01-05 02:00Z'), 4, 'the worker completes what is over, of every org');
select tests.act_as_admin();
select is(pg_temp.status('over'), 'completed', 'a booking that is over');
select is(pg_temp.status('ends now'), 'completed', 'one that ends at this instant');
select is(pg_temp.status('without a pack'), 'completed', 'one without a pack');
select is(pg_temp.status('eve''s'), 'completed', 'another org''s');
select is(pg_temp.status('running'), 'confirmed', 'not one that ends a microsecond later');
select is(pg_temp.status('future'), 'confirmed', 'not a future one');
select is(pg_temp.status('pending'), 'pending', 'not a pending one');
select is(pg_temp.status('cancelled'), 'cancelled', 'not a cancelled one');
select is(pg_temp.status('no show'), 'no_show', 'not a no-show');
select is(pg_temp.used(), 2, 'each took one session');
select is(pg_temp.used('eve'), 1, 'from its own pack');
select results_eq(
  $$select entry_type, delta, actor_id from public.session_ledger
     where booking_id in (tests.id('booking', 'over'), tests.id('booking', 'ends now'))$$,
  $$values ('booking', 1, null::uuid), ('booking', 1, null)$$, 'as ledger entries of the system''s');

-- Once.
select is(app.complete_past_bookings('2026-01-05 02:00Z'), 0, 'run again: nothing to do');
update public.bookings set status = 'completed' where id = tests.id('booking', 'over');
select tests.act_as('ada');
update public.bookings set status = 'completed' where id = tests.id('booking', 'over');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'over')), true, 'it has its session');
select tests.act_as_admin();
select is(pg_temp.used(), 2, 'completed again by a coach and asked for again: still one');
select is((select count(*) from public.session_ledger where booking_id = tests.id('booking', 'over')), 1::bigint,
  'one entry');

-- By a coach, who needs no worker.
select tests.act_as('ada');
update public.bookings set status = 'completed' where id = tests.id('booking', 'running');
select tests.act_as_admin();
select is(pg_temp.used(), 3, 'a coach''s update to completed deducts');
select is((select actor_id from public.session_ledger where booking_id = tests.id('booking', 'running')),
  md5('person ada')::uuid, 'and the ledger names the coach');

-- Leaving completed gives back.
select tests.act_as('ada');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'running');
select tests.act_as_admin();
select is(pg_temp.used(), 2, 'cancelling a completed booking gives its session back');
update public.bookings set status = 'no_show' where id = tests.id('booking', 'running');
select is(pg_temp.used(), 2, 'once');
update public.bookings set status = 'completed' where id = tests.id('booking', 'running');
update public.bookings set status = 'confirmed' where id = tests.id('booking', 'running');
update public.bookings set status = 'completed' where id = tests.id('booking', 'running');
select is(pg_temp.used(), 3, 'completed, reopened and completed: one');
update public.bookings set status = 'no_show' where id = tests.id('booking', 'running');
select is(pg_temp.used(), 2, 'to no-show: given back');
select results_eq(
  $$select delta from public.session_ledger where booking_id = tests.id('booking', 'running') order by booking_seq$$,
  'values (1), (-1), (1), (-1), (1), (-1)', 'the ledger tells all of it');
select tests.booking('cancel me', 'ada', '2026-01-07 01:00Z');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'cancel me');
select is(pg_temp.used(), 2, 'cancelling a confirmed booking changes no count');

-- In batches, oldest first, and a long backlog ends.
update public.client_purchases set sessions_total = 100 where id = tests.id('pack', 'ada');
do $$
begin
  for i in 1 .. 7 loop
    perform tests.booking('b' || i, 'ada', '2026-02-08 01:00Z'::timestamptz - i * interval '1 day');
  end loop;
end;
$$;
select is(app.complete_past_bookings('2026-02-10', 3), 3, 'no more than the limit');
select results_eq(
  $$select n from generate_series(1, 7) as n where pg_temp.status('b' || n) = 'completed' order by n$$,
  'values (6), (7)', 'oldest first: after the future one of January the two oldest of these');
select is(app.complete_past_bookings('2026-02-10', 3), 3, 'the next batch');
select is(app.complete_past_bookings('2026-02-10', 3), 2, 'the rest');
select is(app.complete_past_bookings('2026-02-10', 3), 0, 'and nothing more');
select is(pg_temp.used(), 10, 'every one deducted');

-- A pack that cannot cover it: the booking is completed all the same, uncovered, and nothing fails.
create temp table packs (name text, total integer, paid text, expires timestamptz, covered boolean, why text);
insert into packs values
  ('empty', 0, 'succeeded', null, false, 'an empty pack does not cover'),
  ('unpaid', 5, 'pending', null, false, 'an unpaid pack does not cover'),
  ('refunded', 5, 'refunded', null, false, 'a refunded pack does not cover'),
  ('expired before', 5, 'succeeded', '2026-03-01 00:00Z', false, 'a pack that expired before the session does not cover'),
  ('expired at the start', 5, 'succeeded', '2026-03-02 01:00Z', false, 'nor one that expired as it began'),
  ('expired since', 5, 'succeeded', '2026-03-02 01:30Z', true, 'one that expired after it began, before the worker came, does'),
  ('valid', 5, 'succeeded', '2027-01-01', true, 'a valid one does');
insert into public.client_purchases
  (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, expires_at)
select tests.id('pack', p.name), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0, 5,
       'succeeded', null from packs as p;
do $$
begin
  perform tests.booking(p.name, 'ada', '2026-03-02 01:00Z') from packs as p;
end;
$$;
update public.bookings as b set purchase_id = tests.id('pack', p.name) from packs as p
 where b.id = tests.id('booking', p.name);
-- They could pay when they were booked on; what came of them since:
update public.client_purchases as c set sessions_total = p.total, payment_status = p.paid, expires_at = p.expires
  from packs as p where c.id = tests.id('pack', p.name);
select is(app.complete_past_bookings('2026-03-10'), 7, 'all are completed, long after they ended');
select is(
  (pg_temp.status(p.name), pg_temp.used(p.name), exists (
     select from public.session_ledger as l where l.booking_id = tests.id('booking', p.name)))::text,
  ('completed'::text, p.covered::integer, p.covered)::text, p.why) from packs as p;

-- The last session, and a booking whose pack is changed after it was taken.
insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status)
select tests.id('pack', n), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0, 2, 'succeeded'
  from unnest(array['last', 'next']) as n;
do $$
begin
  perform tests.booking(n, 'ada', '2026-03-20 01:00Z') from unnest(array['first of two', 'second of two']) as n;
end;
$$;
update public.bookings set purchase_id = tests.id('pack', 'last')
 where id in (tests.id('booking', 'first of two'), tests.id('booking', 'second of two'));
update public.client_purchases set sessions_total = 1 where id = tests.id('pack', 'last');
select is(app.complete_past_bookings('2026-03-21'), 2, 'two bookings on a last session are both completed');
select results_eq(
  $$select p.sessions_used, count(l.*) from public.client_purchases as p
      join public.session_ledger as l on l.purchase_id = p.id
     where p.id = tests.id('pack', 'last') and l.delta <> 0 group by 1$$, 'values (1, 1::bigint)', 'one of them takes it');
update public.bookings set purchase_id = tests.id('pack', 'next')
 where id in (tests.id('booking', 'first of two'), tests.id('booking', 'second of two'));
select is(pg_temp.used('last'), 0, 'moved to another pack, the session goes back to the one it came from');
select is(pg_temp.used('next'), 2, 'and both are paid by the other');
update public.bookings set status = 'no_show'
 where id in (tests.id('booking', 'first of two'), tests.id('booking', 'second of two'));
select is(pg_temp.used('next'), 0, 'no longer completed, they give it back there');

-- Whose pack.
select tests.booking('of another client', 'ada', '2026-04-01 01:00Z');
insert into public.clients (id, org_id, full_name)
values (tests.id('client', 'other'), tests.id('org', 'ada'), 'Other Client');
update public.bookings set client_id = tests.id('client', 'other') where id = tests.id('booking', 'of another client');
create temp table before_it as select pg_temp.used() as ada, pg_temp.used('eve') as eve;
select is(app.complete_past_bookings('2026-04-02'), 1, 'a booking that names another client''s pack is completed');
select is(pg_temp.used(), (select ada from before_it), 'and the pack is not charged');
do $$
begin
  perform tests.booking('of another org', 'ada', '2026-04-03 01:00Z');
  update public.bookings set purchase_id = tests.id('pack', 'eve') where id = tests.id('booking', 'of another org');
exception when others then
  null;  -- refusing the booking is as good
end;
$$;
select lives_ok($$select app.complete_past_bookings('2026-04-04')$$, 'one that names another org''s pack stops nothing');
select is(pg_temp.used('eve'), (select eve from before_it), 'and that pack is not charged');

-- More due at once than the pack has left: the oldest take what is there, in whatever order they were written.
select tests.pack('short', 'ada', 4);
do $$
begin
  for i in 1 .. 4 loop
    perform tests.booking('short ' || i, 'ada', '2026-04-10 01:00Z'::timestamptz - i * interval '1 day');
    update public.bookings set purchase_id = tests.id('pack', 'short') where id = tests.id('booking', 'short ' || i);
  end loop;
  update public.client_purchases set sessions_total = 2 where id = tests.id('pack', 'short');
  perform app.complete_past_bookings('2026-04-20');
end;
$$;
select results_eq(
  $$select n, b.status, b.uncovered_reason from generate_series(1, 4) as n
      join public.bookings as b on b.id = tests.id('booking', 'short ' || n) order by n$$,
  $$values (1, 'completed', 'no_session_left'), (2, 'completed', 'no_session_left'), (3, 'completed', null),
           (4, 'completed', null)$$, 'all are completed, the two oldest are paid');

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
