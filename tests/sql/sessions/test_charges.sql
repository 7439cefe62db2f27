-- What is charged besides completed sessions, what a pack could not pay, and how that is settled.
begin;
select plan(72);

select tests.open_org('ada');
select tests.open_org('eve');
insert into public.org_members (org_id, user_id, role)
values (tests.id('org', 'ada'), tests.person('ada staff'), 'staff'),
       (tests.id('org', 'ada'), tests.person('ada books'), 'accountant_readonly');
create function pg_temp.used(p_pack text) returns integer language sql as $$
  select p.sessions_used from public.client_purchases as p where p.id = tests.id('pack', p_pack);
$$;
create function pg_temp.same(p_is record, p_should_be record, p_why text) returns text language plpgsql as $$
begin
  return is(p_is::text, p_should_be::text, p_why);
end;
$$;
-- What a booking's entries say: +completed -reopened …
create function pg_temp.told(p_booking text) returns text language sql as $$
  select coalesce(string_agg(format('%s%s', case when l.delta > 0 then '+' when l.delta < 0 then '-' else '=' end,
                                    l.reason), ' ' order by l.booking_seq), '')
    from public.session_ledger as l where l.booking_id = tests.id('booking', p_booking);
$$;
create function pg_temp.forfeited(p_booking text) returns boolean language sql as $$
  select b.forfeited from public.bookings as b where b.id = tests.id('booking', p_booking);
$$;
create function pg_temp.uncovered(p_booking text) returns text language sql as $$
  select b.uncovered_reason from public.bookings as b where b.id = tests.id('booking', p_booking);
$$;
-- What a coach's page writes.
create function pg_temp.become(p_booking text, p_status text) returns void language plpgsql as $$
begin
  perform tests.act_as('ada');
  update public.bookings set status = p_status where id = tests.id('booking', p_booking);
  perform tests.act_as_admin();
end;
$$;
create function pg_temp.on_pack(p_booking text, p_pack text, p_start timestamptz) returns void language plpgsql as $$
begin
  perform tests.booking(p_booking, 'ada', p_start);
  update public.bookings set purchase_id = tests.id('pack', p_pack) where id = tests.id('booking', p_booking);
end;
$$;

-- No-shows: free unless the org says otherwise.
select tests.pack('shows', 'ada', 5);
select pg_temp.on_pack('free', 'shows', tests.soon(-1)), pg_temp.on_pack('charged', 'shows', tests.soon(-2)),
       pg_temp.on_pack('late', 'shows', tests.soon(-3));
select pg_temp.become('free', 'no_show');
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('free'), pg_temp.forfeited('free')), (0, '', false),
  'a no-show takes nothing by default');
update public.booking_settings set charge_no_show = true where org_id = tests.id('org', 'ada');
select pg_temp.become('charged', 'no_show');
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('charged'), pg_temp.forfeited('charged')), (1, '+no_show',
  true),
  'where the org charges no-shows it takes one');
select pg_temp.become('charged', 'no_show');
select is(pg_temp.used('shows'), 1, 'once');
select pg_temp.become('charged', 'confirmed');
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('charged'), pg_temp.forfeited('charged')), (0,
  '+no_show -reopened', false),
  'taken back, it is given back');
select pg_temp.become('charged', 'no_show');
select pg_temp.same((pg_temp.used('shows'), pg_temp.forfeited('charged')), (1, true),
  'and charged when it was one after all');
select tests.act_as('ada');
update public.bookings set forfeited = false where id = tests.id('booking', 'charged');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('charged')), (0, '+no_show -reopened +no_show -cancelled'),
  'a coach lets one off');
-- The worker has completed it by the time anybody says that nobody came.
do $$ begin perform app.complete_past_bookings(now()); end $$;
select is(pg_temp.used('shows'), 1, 'completed by the worker');
select pg_temp.become('late', 'no_show');
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('late'), pg_temp.forfeited('late')), (1, '+completed', true),
  'then marked as a no-show: one session, the same one');
select pg_temp.become('late', 'completed');
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('late'), pg_temp.forfeited('late')), (1, '+completed', false),
  'and back');
update public.booking_settings set charge_no_show = false where org_id = tests.id('org', 'ada');
select pg_temp.become('late', 'no_show');
select pg_temp.same((pg_temp.used('shows'), pg_temp.told('late')), (0, '+completed -cancelled'),
  'where they are free it goes back');
select tests.act_as('ada');
insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, status)
values (tests.id('booking', 'at once'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', 'shows'),
        tests.soon(-4), tests.soon(-4, 11), 'no_show');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('shows'), pg_temp.forfeited('at once')), (0, false),
  'written down afterwards: as the org says,');
update public.booking_settings set charge_no_show = true where org_id = tests.id('org', 'ada');
select tests.act_as('ada');
insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, status)
values (tests.id('booking', 'at once, charged'), tests.id('org', 'ada'), tests.id('client', 'ada'),
        tests.id('pack', 'shows'), tests.soon(-4), tests.soon(-4, 11), 'no_show');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('shows'), pg_temp.forfeited('at once, charged')), (1, true), 'either way');

-- Late cancellations: a client's by the org's policy, a coach's only when the coach says so.
select tests.pack('cancels', 'ada', 9);
select pg_temp.on_pack(n, 'cancels', tests.soon(1) + d * interval '1 minute')
  from (values ('refused', 0), ('late, charged', 1), ('by route', 2), ('by coach', 3), ('coach charges', 4),
               ('in app', 5)) as b (n, d);
select pg_temp.on_pack('in time', 'cancels', tests.soon(5));
update public.booking_settings set cancel_notice_hours = 72 where org_id = tests.id('org', 'ada');
create function pg_temp.portal_cancel(p_booking text) returns jsonb language plpgsql as $$
declare
  v_booking jsonb;
begin
  perform tests.act_as_anon();
  v_booking := public.portal_cancel(tests.id('portal', 'ada'), tests.id('booking', p_booking));
  perform tests.act_as_admin();
  return v_booking;
end;
$$;
select throws_ok($$select pg_temp.portal_cancel('refused')$$, 'PT409', 'cancel_too_late',
  'too late is refused by default');
select tests.act_as_role('service_role');
select throws_ok($$update public.bookings set status = 'cancelled', cancelled_at = now()
  where id = tests.id('booking', 'refused')$$, 'PT409', 'cancel_too_late', 'from the portal''s route, too');
select tests.act_as_admin();
select is((select status from public.bookings where id = tests.id('booking', 'refused')), 'confirmed', 'and it stands');
update public.booking_settings set late_cancel = 'charge' where org_id = tests.id('org', 'ada');
select is(pg_temp.portal_cancel('late, charged') - array['id', 'start_time', 'end_time', 'purchase_id'],
  '{"status": "cancelled", "forfeited": true, "duration_mins": 60, "session_type": "pt_session",
    "location_type": "in_person", "location_details": null, "client_confirmed": false}',
  'where the org charges it, it is taken, and the client is told');
select pg_temp.same((pg_temp.used('cancels'), pg_temp.told('late, charged')), (1, '+late_cancellation'),
  'with its session');
select is(pg_temp.portal_cancel('late, charged') ->> 'forfeited', 'true', 'asked for again: the same answer');
select is(pg_temp.used('cancels'), 1, 'and no second session');
select tests.act_as_role('service_role');
update public.bookings set status = 'cancelled', cancelled_at = now() where id = tests.id('booking', 'by route');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('cancels'), pg_temp.forfeited('by route')), (2, true),
  'the portal''s route: charged as well');
select tests.act_as('ada client');
select is(public.cancel_my_booking(tests.id('booking', 'in app')) ->> 'forfeited', 'true', 'in the app: the same');
select tests.act_as_admin();
select is((select cancelled_by from public.bookings where id = tests.id('booking', 'in app')),
  tests.person('ada client'),
  'and by whom is known');
select is(pg_temp.portal_cancel('in time') ->> 'forfeited', 'false', 'in time: not charged');
select pg_temp.become('by coach', 'cancelled');
select pg_temp.same((pg_temp.used('cancels'), pg_temp.forfeited('by coach')), (3, false),
  'a coach''s own cancellation is not');
select tests.act_as('ada');
update public.bookings set status = 'cancelled', forfeited = true where id = tests.id('booking', 'coach charges');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('cancels'), pg_temp.told('coach charges')), (4, '+late_cancellation'),
  'unless the coach says so');
select tests.act_as('ada');
update public.bookings set forfeited = false where id = tests.id('booking', 'late, charged');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('cancels'), pg_temp.told('late, charged')), (3, '+late_cancellation -cancelled'),
  'and a coach may let one off');
select pg_temp.become('by route', 'confirmed');
select pg_temp.same((pg_temp.used('cancels'), pg_temp.forfeited('by route')), (2, false),
  'taken back, it is only held');
select is((select count(*)::integer from public.bookings where forfeited and status not in ('no_show', 'cancelled')), 0,
  'nothing that stands or took place is forfeited');

-- A pack that cannot pay: completed all the same, and told.
create temp table cases (name text, change text, reason text);
insert into cases values
  ('emptied', 'sessions_total = 0', 'no_session_left'),
  ('unpaid after all', 'payment_status = ''pending''', 'pack_unpaid'),
  ('charge failed', 'payment_status = ''failed''', 'pack_unpaid'),
  ('refunded', 'payment_status = ''refunded''', 'pack_refunded'),
  ('expired before it', 'expires_at = tests.soon(-6)', 'pack_expired'),
  ('sold on', 'client_id = tests.id(''client'', ''other'')', 'pack_not_the_clients'),
  ('expired since', 'expires_at = tests.soon(-6) + interval ''1 second''', null);
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'other'), tests.id('org', 'ada'),
  'Other');
select tests.pack(name, 'ada', 1) from cases;
select pg_temp.on_pack(name, name, tests.soon(-6)) from cases;
do $$
declare
  v_case record;
begin
  for v_case in select * from cases loop
    execute format('update public.client_purchases set %s where id = tests.id(''pack'', %L)', v_case.change,
      v_case.name);
  end loop;
end;
$$;
do $$ begin perform app.complete_past_bookings(now()); end $$;
select is(
  (select (b.status, b.uncovered_reason, pg_temp.used(c.name))::text
     from public.bookings as b where b.id = tests.id('booking', c.name)),
  ('completed'::text, c.reason, (c.reason is null)::integer)::text, format('%s: %s', c.name, coalesce(c.reason,
    'covered')))
  from cases as c;
select tests.act_as('ada');
select set_eq(
  $$select id from public.bookings where uncovered_reason is not null$$,
  $$select tests.id('booking', c.name) from (values ('emptied'), ('unpaid after all'), ('charge failed'), ('refunded'),
      ('expired before it'), ('sold on')) as c (name)$$, 'a coach lists them');
update public.bookings set uncovered_reason = null where id = tests.id('booking', 'emptied');
select is((select uncovered_reason from public.bookings where id = tests.id('booking', 'emptied')), 'no_session_left',
  'writing that nothing is open does not settle it');
update public.bookings set uncovered_reason = 'pack_expired' where id = tests.id('booking', 'expired since');
select is((select uncovered_reason from public.bookings where id = tests.id('booking', 'expired since')), null,
  'nor makes it open');
select tests.act_as_admin();
update public.client_purchases set sessions_total = 1 where id = tests.id('pack', 'emptied');
select is(pg_temp.uncovered('emptied'), 'no_session_left', 'topping the pack up does not charge anything by itself');
select pg_temp.become('emptied', 'completed');
select pg_temp.same((pg_temp.uncovered('emptied'), pg_temp.used('emptied')), (null::text, 1),
  'completing it again does');
select pg_temp.become('unpaid after all', 'cancelled');
select pg_temp.same((pg_temp.uncovered('unpaid after all'), pg_temp.told('unpaid after all')), (null::text, ''),
  'cancelled after all: nothing is open, and nothing to give back');

-- cover_booking(): one call settles it.
select tests.pack('later', 'ada', 3);
update public.client_purchases set purchased_at = tests.soon(-1), expires_at = tests.soon(30)
  where id = tests.id('pack', 'later');
select tests.pack('expired', 'ada', 3);
update public.client_purchases set expires_at = tests.soon(-7) where id = tests.id('pack', 'expired');
create function pg_temp.cover(p_booking text, p_pack text, p_by text default 'ada') returns void language plpgsql as $$
begin
  perform tests.act_as(p_by);
  perform public.cover_booking(tests.id('booking', p_booking), tests.id('pack', p_pack));
  perform tests.act_as_admin();
end;
$$;
select throws_ok(format('select pg_temp.cover(%L, %L, %L)', c.booking, c.pack, c.by), c.state, c.code, c.why)
  from (values
    ('refunded', 'expired', 'ada', 'PT409', 'pack_expired', 'a pack that expired before the session cannot'),
    ('refunded', 'refunded', 'ada', 'PT409', 'pack_refunded', 'nor the one that could not before'),
    ('refunded', 'emptied', 'ada', 'PT409', 'no_session_left', 'nor an empty one'),
    ('refunded', 'sold on', 'ada', 'PT409', 'pack_not_the_clients', 'nor another client''s'),
    ('refunded', 'eve', 'ada', 'PT404', 'purchase_id_not_found', 'nor another org''s'),
    ('refunded', 'none', 'ada', 'PT404', 'purchase_id_not_found', 'nor none at all'),
    ('none', 'later', 'ada', 'PT404', 'booking_not_found', 'an unknown booking'),
    ('refunded', 'later', 'eve', 'PT404', 'booking_not_found', 'another org''s looks unknown'),
    ('refunded', 'later', 'ada books', 'PT404', 'booking_not_found', 'an accountant settles nothing'),
    ('refunded', 'later', 'ada client', 'PT404', 'booking_not_found', 'nor does a client'),
    ('refused', 'later', 'ada', 'PT409', 'booking_not_charged', 'a session to come is held, not charged'),
    ('by coach', 'later', 'ada', 'PT409', 'booking_not_charged', 'nor one that was cancelled')
  ) as c (booking, pack, by, state, code, why);
select tests.act_as('ada');
select throws_ok($$select public.cover_booking(tests.id('booking', 'refunded'), null)$$, 'PT400', 'pack_missing',
  'no pack');
select tests.act_as_anon();
select throws_ok($$select public.cover_booking(tests.id('booking', 'refunded'), tests.id('pack', 'later'))$$,
  '42501', null, 'anon may not call it');
select tests.act_as_admin();
select pg_temp.same((pg_temp.uncovered('refunded'), (select purchase_id from public.bookings
  where id = tests.id('booking', 'refunded'))),
  ('pack_refunded', tests.id('pack', 'refunded')), 'and after all that nothing has changed');
select lives_ok($$select pg_temp.cover('refunded', 'later', 'ada staff')$$, 'a later pack settles it');
select pg_temp.same((pg_temp.uncovered('refunded'), pg_temp.used('later'), pg_temp.told('refunded')), (null::text, 1,
  '+completed'),
  'with one session of it');
select lives_ok($$select pg_temp.cover('refunded', 'later')$$, 'asked for again');
select is(pg_temp.used('later'), 1, 'it takes no second one');
select lives_ok($$select pg_temp.cover('expired since', 'later')$$, 'one that is paid can be moved to another pack');
select pg_temp.same((pg_temp.used('expired since'), pg_temp.used('later'), pg_temp.told('expired since')),
  (0, 2, '+completed -other_pack +completed'), 'the first gets its session back');
select tests.act_as('ada');
select is(public.release_session(tests.id('pack', 'later'), tests.id('booking', 'refunded')), 1, 'given back by hand');
select tests.act_as_admin();
select lives_ok($$select pg_temp.cover('refunded', 'later')$$, 'it can be charged again, to the same pack');
select pg_temp.same((pg_temp.used('later'), pg_temp.told('refunded')), (2, '+completed -manual +completed'),
  'which takes one');
update public.client_purchases set sessions_total = 1 where id = tests.id('pack', 'expired since');
select tests.act_as('ada');
update public.bookings set purchase_id = null where id = tests.id('booking', 'expired since');
select tests.act_as_admin();
select pg_temp.same((pg_temp.used('later'), pg_temp.uncovered('expired since')), (1, null::text),
  'taken off its pack by the coach it costs nothing, which is the coach''s to decide');

-- Two other ways in which a charged booking comes to be paid.
select tests.pack('topped up', 'ada', 1), tests.pack('paid instead', 'ada', 3);
select pg_temp.on_pack('by hand', 'topped up', tests.soon(-7));
update public.client_purchases set sessions_total = 0 where id = tests.id('pack', 'topped up');
select pg_temp.become('by hand', 'completed');
select is(pg_temp.uncovered('by hand'), 'no_session_left', 'one that is not paid');
update public.client_purchases set sessions_total = 1 where id = tests.id('pack', 'topped up');
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'topped up'), tests.id('booking', 'by hand')), true, 'is charged by hand');
select tests.act_as_admin();
select pg_temp.same((pg_temp.uncovered('by hand'), pg_temp.used('topped up'), pg_temp.told('by hand')),
  (null::text, 1, '+completed'), 'and is no longer listed');
select pg_temp.on_pack('elsewhere', 'later', tests.soon(-8));
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'paid instead'), tests.id('booking', 'elsewhere')), true,
  'charged to another pack than it is on');
select tests.act_as_admin();
select pg_temp.become('elsewhere', 'completed');
select pg_temp.cover('elsewhere', 'later');
select pg_temp.same(
  (pg_temp.used('paid instead'), pg_temp.used('later'), app.paid_by(tests.id('booking', 'elsewhere'))),
  (0, 2, tests.id('pack', 'later')), 'the pack it is on pays when the coach says so');

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
