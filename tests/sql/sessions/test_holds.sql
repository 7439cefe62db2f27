-- A booking on a pack holds one of its sessions; a pack never holds more than it has, nor for whom it may not.
begin;
select plan(70);

select tests.open_org('ada');
select tests.open_org('eve');
select tests.pack('small', 'ada', 2);
create function pg_temp.left_to_book(p_name text) returns integer language sql as $$
  select app.bookable_sessions_remaining(tests.id('pack', p_name));
$$;
create function pg_temp.used(p_name text) returns integer language sql as $$
  select p.sessions_used from public.client_purchases as p where p.id = tests.id('pack', p_name);
$$;
-- As the calendar inserts a booking, and as the portal's route does with the service key.
create function pg_temp.book(p_name text, p_pack text, p_start timestamptz, p_by text default 'ada') returns void
language plpgsql as $$
begin
  if p_by = 'portal' then perform tests.act_as_role('service_role'); else perform tests.act_as(p_by); end if;
  insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, status, booking_source)
  values (tests.id('booking', p_name), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', p_pack),
          p_start, p_start + interval '1 hour', 'confirmed', case p_by when 'portal' then 'client' else 'trainer' end);
  perform tests.act_as_admin();
end;
$$;
create function pg_temp.become(p_name text, p_status text) returns void language plpgsql as $$
begin
  perform tests.act_as('ada');
  update public.bookings set status = p_status where id = tests.id('booking', p_name);
  perform tests.act_as_admin();
  delete from app.completion_credits;  -- as when a minute has passed
end;
$$;

-- What holds, and what ends it.
select is(pg_temp.left_to_book('small'), 2, 'a new pack can be booked to its last session');
select pg_temp.book('one', 'small', tests.soon(3));
select is(pg_temp.left_to_book('small'), 1, 'a booking holds one');
select is(pg_temp.used('small'), 0, 'and takes none');
select pg_temp.become('one', 'pending');
select is(pg_temp.left_to_book('small'), 1, 'a pending one holds it too');
select pg_temp.become('one', 'cancelled');
select is(pg_temp.left_to_book('small'), 2, 'cancelled, it is free again');
select pg_temp.become('one', 'confirmed');
select is(pg_temp.left_to_book('small'), 1, 'and held once more when the coach takes that back');
select pg_temp.become('one', 'completed');
select is((pg_temp.left_to_book('small'), pg_temp.used('small')), (1, 1), 'completed: used instead of held');
select pg_temp.become('one', 'confirmed');
select is((pg_temp.left_to_book('small'), pg_temp.used('small')), (1, 0), 'reopened: held instead of used');
select pg_temp.become('one', 'no_show');
select is((pg_temp.left_to_book('small'), pg_temp.used('small')), (2, 0), 'a no-show that is not charged frees it');
select pg_temp.become('one', 'confirmed');
select pg_temp.book('past', 'small', tests.soon(-3));
select is(pg_temp.left_to_book('small'), 0, 'one that is over and not completed yet still holds');

-- Nobody books more than there is, through any door.
select throws_ok($$select pg_temp.book('coach''s', 'small', tests.soon(4))$$,
  'PT409', 'no_session_left', 'a coach cannot overdraw a pack');
select throws_ok($$select pg_temp.book('portal''s', 'small', tests.soon(4), 'portal')$$,
  'PT409', 'no_session_left', 'nor the portal''s route');
select tests.act_as_admin();
select throws_ok(
  $$select app.portal_book(tests.id('portal', 'ada'), tests.soon(4), tests.id('pack', 'small'), now())$$,
  'PT409', 'no_session_left', 'nor the holder of the portal link');
select throws_ok(
  $$insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time, status)
    select tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', 'small'), tests.soon(n), tests.soon(n,
      11),
           'pending' from generate_series(5, 6) as n$$,
  'PT409', 'no_session_left', 'a request holds, too');
select pg_temp.become('past', 'cancelled');
select throws_ok(
  $$insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)
    select tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', 'small'), tests.soon(n), tests.soon(n,
      11)
      from generate_series(5, 6) as n$$,
  'PT409', 'no_session_left', 'two in one statement for one session: neither');
select is(pg_temp.left_to_book('small'), 1, 'and none of them stays');
select pg_temp.book('two', 'small', tests.soon(5), 'portal');
select is(pg_temp.left_to_book('small'), 0, 'the last one can be booked');
select throws_ok($$select pg_temp.become('past', 'confirmed')$$,
  'PT409', 'no_session_left', 'a cancelled one cannot come back to a pack that is booked up meanwhile');
select throws_ok($$select pg_temp.become('past', 'completed')$$,
  'PT409', 'booking_is_cancelled', 'nor does a calendar that was read before complete it');
select pg_temp.become('past', 'no_show');
select pg_temp.become('past', 'completed');
select is((select uncovered_reason from public.bookings where id = tests.id('booking', 'past')), null,
  'though one that took place is paid while there is something');
select pg_temp.become('past', 'cancelled');

-- Who is on a pack already may be moved, also when the coach has since taken from it what was held.
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'small')), true, 'the coach uses a session by hand that a booking holds');
select tests.act_as_admin();
select is(pg_temp.left_to_book('small'), 0, 'never below none');
select tests.act_as('ada');
select lives_ok(
  $$update public.bookings set start_time = tests.soon(6), end_time = tests.soon(6, 11)
     where id = tests.id('booking', 'two')$$, 'a booking there is can still be moved');
select lives_ok(
  $$update public.bookings set client_id = client_id, status = 'pending' where id = tests.id('booking', 'two')$$,
  'and edited');
select tests.act_as_admin();
select throws_ok($$select pg_temp.book('three', 'small', tests.soon(7))$$,
  'PT409', 'no_session_left', 'a new one cannot be made');

-- Taken before it is over, a session is used, not held as well.
select tests.pack('early', 'ada', 1);
select pg_temp.book('early', 'early', tests.soon(8));
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'early'), tests.id('booking', 'early')), true, 'charged in advance');
select tests.act_as_admin();
select is((app.sessions_held(tests.id('pack', 'early')), pg_temp.used('early')), (0, 1),
  'it is used and no longer held');
select tests.act_as('ada');
select lives_ok($$update public.bookings set start_time = tests.soon(9), end_time = tests.soon(9, 11)
  where id = tests.id('booking', 'early')$$, 'it can be moved although the pack is empty');
select throws_ok($$update public.bookings set purchase_id = tests.id('pack', 'small')
  where id = tests.id('booking', 'early')$$, 'PT409', 'no_session_left', 'but not to a pack that is booked up');
select tests.act_as_admin();
select is((app.sessions_held(tests.id('pack', 'small')), pg_temp.used('early')), (2, 1),
  'and then nothing has changed');
select pg_temp.become('early', 'completed');
select is(pg_temp.used('early'), 1, 'completing it takes no second one');

-- On which pack.
select tests.pack(n, 'ada') from unnest(array['unpaid', 'failed', 'refunded', 'expired', 'unlimited', 'good']) as n;
update public.client_purchases set payment_status = 'pending' where id = tests.id('pack', 'unpaid');
update public.client_purchases set payment_status = 'failed' where id = tests.id('pack', 'failed');
update public.client_purchases set payment_status = 'refunded' where id = tests.id('pack', 'refunded');
update public.client_purchases set expires_at = tests.soon(10) where id = tests.id('pack', 'expired');
update public.client_purchases set sessions_total = null where id = tests.id('pack', 'unlimited');
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'other'), tests.id('org', 'ada'),
  'Other');
select tests.pack('another client''s', 'ada');
update public.client_purchases set client_id = tests.id('client', 'other') where id = tests.id('pack',
  'another client''s');
select throws_ok(format('select pg_temp.book(%L, %L, tests.soon(10), %L)', c.pack || d.door, c.pack, d.door), c.state,
                 c.code, format('%s: not by %s', c.why, d.door))
  from (values ('unpaid', 'PT409', 'pack_unpaid', 'an unpaid pack'),
               ('failed', 'PT409', 'pack_unpaid', 'one whose payment failed'),
               ('refunded', 'PT409', 'pack_refunded', 'a refunded one'),
               ('expired', 'PT409', 'pack_expired', 'one that expires as the session begins'),
               ('unlimited', 'PT409', 'no_session_left', 'one that counts no sessions'),
               ('another client''s', 'PT409', 'pack_not_the_clients', 'another client''s'),
               ('eve', 'PT404', 'purchase_id_not_found', 'another org''s'),
               ('nobody''s', 'PT404', 'purchase_id_not_found', 'none at all')) as c (pack, state, code, why),
       (values ('ada'), ('portal')) as d (door);
select tests.act_as_admin();
select lives_ok($$select pg_temp.book('before it expires', 'expired', tests.soon(10, 9))$$,
  'a session that begins before the pack expires is fine');
select tests.act_as('ada');
select throws_ok($$update public.bookings set start_time = tests.soon(10), end_time = tests.soon(10, 11)
  where id = tests.id('booking', 'before it expires')$$, 'PT409', 'pack_expired', 'it cannot be moved to after that');
select lives_ok($$update public.bookings set purchase_id = tests.id('pack', 'good')
  where id = tests.id('booking', 'before it expires')$$, 'nor needs to: a coach puts it on another pack');
select throws_ok($$update public.bookings set purchase_id = tests.id('pack', 'unpaid')
  where id = tests.id('booking', 'before it expires')$$, 'PT409', 'pack_unpaid', 'which must be a paid one');
select tests.act_as_admin();
select is(array[pg_temp.left_to_book('expired'), pg_temp.left_to_book('good')], array[10, 9], 'the hold went with it');

-- What is on a pack that cannot pay any more can still be moved: it takes nothing from it, there as here.
select tests.pack(n, 'ada', 2) from unnest(array['refunded since', 'unpaid since', 'expired since']) as n;
select pg_temp.book(n, n, tests.soon(11, 9)) from unnest(array['refunded since', 'unpaid since', 'expired since']) as n;
update public.client_purchases set payment_status = 'refunded' where id = tests.id('pack', 'refunded since');
update public.client_purchases set payment_status = 'pending' where id = tests.id('pack', 'unpaid since');
update public.client_purchases set expires_at = tests.soon(10) where id = tests.id('pack', 'expired since');
select tests.act_as('ada');
select lives_ok(format($$update public.bookings set start_time = tests.soon(11), end_time = tests.soon(11, 11)
  where id = tests.id('booking', %L)$$, n), n || ': it can be moved')
  from unnest(array['refunded since', 'unpaid since', 'expired since']) as n;
select tests.act_as_admin();

-- The existing calendar changes a booking's client and keeps the pack.
select tests.act_as('ada');
update public.bookings set client_id = tests.id('client', 'other') where id = tests.id('booking', 'before it expires');
select tests.act_as_admin();
select is((select purchase_id from public.bookings where id = tests.id('booking', 'before it expires')), null,
  'a booking that becomes another client''s leaves the pack');
select is(pg_temp.left_to_book('good'), 10, 'which holds nothing for it any more');
select tests.act_as('ada');
select throws_ok($$update public.bookings set purchase_id = tests.id('pack', 'good')
  where id = tests.id('booking', 'before it expires')$$,
  'PT409', 'pack_not_the_clients', 'and cannot be put on it again');
select lives_ok($$update public.bookings
  set client_id = tests.id('client', 'ada'), purchase_id = tests.id('pack', 'good')
  where id = tests.id('booking', 'before it expires')$$, 'client and pack can be changed together');

-- bookable_sessions_remaining() says what booking then allows, for packs in all states.
select tests.act_as_admin();
create temp table states as
  select format('%s %s %s %s', t.total, u.used, s.paid, e.days) as name, t.total, u.used, s.paid, e.days
    from (values (0), (1), (3), (null)) as t (total), (values (0), (1)) as u (used),
         (values ('succeeded'), ('pending'), ('refunded')) as s (paid), (values (-1), (400), (null)) as e (days)
   where u.used <= coalesce(t.total, 0);
insert into public.client_purchases (
  id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, sessions_used, payment_status, expires_at
)
select tests.id('pack', s.name), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0,
  s.total,
       s.used, s.paid, tests.soon(s.days)
  from states as s;
create function pg_temp.bookings_that_fit(p_pack text) returns integer language plpgsql as $$
declare
  v_count integer := 0;
begin
  loop
    begin
      insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)
      values (tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', p_pack), tests.soon(20),
        tests.soon(20, 11));
    exception when sqlstate 'PT409' then
      return v_count;
    end;
    v_count := v_count + 1;
  end loop;
end;
$$;
select is_empty(
  $$select s.*, b.said, b.done
      from states as s,
           lateral (select pg_temp.left_to_book(s.name) as said, pg_temp.bookings_that_fit(s.name) as done) as b
     where b.said <> b.done$$, 'as many bookings fit as it says, whatever the pack''s state');
select is_empty($$select name from states where pg_temp.left_to_book(name) <> 0$$, 'and then none is left to book');

-- Who is told.
select tests.act_as('ada');
select is(public.bookable_sessions_remaining(tests.id('pack', 'good')), 9, 'a coach is told');
select is(public.bookable_sessions_remaining(tests.id('pack', 'eve')), 0, 'not about another org''s pack');
select is(public.bookable_sessions_remaining(null), 0, 'null: none');
select is(public.bookable_sessions_remaining(gen_random_uuid()), 0, 'unknown: none');
select tests.act_as('ada client');
select is(public.bookable_sessions_remaining(tests.id('pack', 'good')), 9, 'the client is told about their own');
select is(public.bookable_sessions_remaining(tests.id('pack', 'another client''s')), 0, 'not about another client''s');
select tests.act_as_role('service_role');
select is(public.bookable_sessions_remaining(tests.id('pack', 'good')), 9, 'and so is the portal''s route');
select tests.act_as_anon();
select throws_ok($$select public.bookable_sessions_remaining(tests.id('pack', 'good'))$$, '42501', null, 'anon is not');
select tests.act_as_admin();

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
