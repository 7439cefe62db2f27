-- When a client can book: the org's switches, notice, hours, blocks, bookings and buffers, by the clock on its wall.
begin;
select plan(88);

select tests.open_org('ada');
-- A business day is Monday 9 to 12 and 13 to 17; it is Monday 1 June 2026, eight in the morning in Brisbane (UTC+10).
delete from public.availability where org_id = tests.id('org', 'ada');
insert into public.availability (org_id, day_of_week, start_time, end_time)
values (tests.id('org', 'ada'), 1, '09:00', '12:00'), (tests.id('org', 'ada'), 1, '13:00', '17:00');
create function pg_temp.problem(p_start timestamptz, p_mins integer default 60,
  p_now timestamptz default '2026-06-01 08:00+10')
returns text language sql as $$
  select app.slot_problem(tests.id('org', 'ada'), p_start, p_start + make_interval(mins => p_mins), null, p_now);
$$;
-- Local starts of free slots: "09:00 09:15 …".
create function pg_temp.free(
  p_from date, p_to date default null, p_mins integer default 60, p_now timestamptz default '2026-06-01 08:00+10',
  p_org text default 'ada', p_pattern text default 'HH24:MI'
) returns text language sql as $$
  select coalesce(string_agg(to_char(s.slot_start at time zone o.timezone, p_pattern), ' ' order by s.slot_start), '')
    from public.orgs as o, app.free_slots(o.id, p_from, coalesce(p_to, p_from), p_mins, p_now) as s
   where o.id = tests.id('org', p_org);
$$;
create procedure pg_temp.settings(p_change text, p_org text default 'ada') language plpgsql as $$
begin
  execute format('update public.booking_settings set %s where org_id = %L', p_change, tests.id('org', p_org));
end;
$$;

-- Hours.
select is(pg_temp.free('2026-06-01'),
  '09:00 09:15 09:30 09:45 10:00 10:15 10:30 10:45 11:00 13:00 13:15 13:30 13:45 14:00 14:15 14:30 14:45 15:00 15:15 '
  '15:30 15:45 16:00', 'every quarter of an hour at which an hour fits into the hours');
select is(pg_temp.free('2026-06-02'), '', 'none on a day without hours');
select is(pg_temp.free('2026-06-01', p_mins => 180), '09:00 13:00 13:15 13:30 13:45 14:00',
  'longer ones fit less often');
select is(pg_temp.free('2026-06-01', p_mins => 241), '', 'or not at all');
select is(pg_temp.problem('2026-06-01 11:00+10'), null, 'up to the end of the hours');
select is(pg_temp.problem('2026-06-01 11:00:01+10'), 'slot_not_open', 'not a second longer');
select is(pg_temp.problem('2026-06-01 08:59:59+10'), 'slot_not_open', 'nor before they begin');
select is(pg_temp.problem('2026-06-01 12:00+10'), 'slot_not_open', 'nor between them');
select is(pg_temp.problem('2026-06-01 10:07+10'), null, 'not only on a quarter');
insert into public.availability (org_id, day_of_week, start_time, end_time)
values (tests.id('org', 'ada'), 1, '12:00', '13:00');
select is(pg_temp.problem('2026-06-01 11:30+10'), null, 'hours that meet are one stretch');
insert into public.availability (org_id, day_of_week, start_time, end_time, is_available)
values (tests.id('org', 'ada'), 2, '09:00', '12:00', false);
select is(pg_temp.free('2026-06-02'), '', 'hours marked as not available are none');
insert into public.availability (org_id, day_of_week, start_time, end_time, specific_date)
values (tests.id('org', 'ada'), 1, '18:00', '19:30', '2026-06-08'), (tests.id('org', 'ada'), 0, '08:00', '09:00',
  '2026-06-10');
select is(pg_temp.free('2026-06-08'), '18:00 18:15 18:30', 'hours of a date stand in place of its weekday''s');
select is(pg_temp.free('2026-06-10'), '08:00', 'and open a day that has none, whatever weekday they name');
select is(pg_temp.free('2026-06-14'), '', 'but not that weekday');
insert into public.availability (org_id, day_of_week, start_time, end_time, is_available, specific_date)
values (tests.id('org', 'ada'), 1, '00:00', '24:00', false, '2026-06-15');
select is(pg_temp.free('2026-06-15'), '', 'a date marked as not available is closed');

-- Blocks.
insert into public.blocked_times (org_id, date, start_time, end_time)
values (tests.id('org', 'ada'), '2026-06-01', '10:00', '10:30'), (tests.id('org', 'ada'), '2026-06-01', '05:00',
  '09:05');
insert into public.blocked_times (org_id, day_of_week, start_time, end_time)
values (tests.id('org', 'ada'), 1, '11:30', '16:30'), (tests.id('org', 'ada'), 2, '00:00', '24:00');
select is(pg_temp.free('2026-06-01', p_mins => 30), '09:15 09:30 10:30 10:45 11:00 16:30',
  'blocks of the date and of the weekday are left out');
select is(pg_temp.problem('2026-06-01 09:05+10', 55), null, 'up to where one begins');
select is(pg_temp.problem('2026-06-01 09:05+10', 56), 'slot_not_open', 'not into it');
select is(pg_temp.free('2026-06-22', p_mins => 30),
  '09:00 09:15 09:30 09:45 10:00 10:15 10:30 10:45 11:00 16:30', 'another Monday has only the weekday''s');
delete from public.blocked_times where org_id = tests.id('org', 'ada');

-- Bookings and the buffer between them. Status says whether one counts; whose it is does not matter.
select tests.booking('standing', 'ada', '2026-06-22 14:00+10');
create function pg_temp.around(p_status text) returns text language plpgsql as $$
begin
  update public.bookings set status = p_status where id = tests.id('booking', 'standing');
  return pg_temp.free('2026-06-22', p_mins => 120);
end;
$$;
select is(pg_temp.around(s), '09:00 09:15 09:30 09:45 10:00 10:15 10:30 10:45 11:00 11:15 11:30 11:45 12:00 15:00',
  format('a %s booking takes its time', s)) from unnest(array['confirmed', 'pending', 'completed']) as s;
select matches(pg_temp.around(s), '13:00 13:15 13:30', format('a %s one does not', s))
  from unnest(array['cancelled', 'no_show']) as s;
update public.bookings set status = 'confirmed' where id = tests.id('booking', 'standing');
call pg_temp.settings('buffer_between_mins = 15');
select is(pg_temp.problem('2026-06-22 12:45+10'), null, 'as long as the buffer before it');
select is(pg_temp.problem('2026-06-22 12:45:01+10'), 'slot_taken', 'not less');
select is(pg_temp.problem('2026-06-22 15:15+10'), null, 'as long as the buffer after it');
select is(pg_temp.problem('2026-06-22 15:14:59+10'), 'slot_taken', 'not less');
select is(pg_temp.free('2026-06-22', p_mins => 105),
  '09:00 09:15 09:30 09:45 10:00 10:15 10:30 10:45 11:00 11:15 11:30 11:45 12:00 15:15',
  'in the list as well');
select is(pg_temp.problem('2026-06-22 09:00+10', 480), 'slot_taken', 'one that goes around it is taken');
select is(app.slot_problem(tests.id('org', 'ada'), '2026-06-22 14:30+10', '2026-06-22 15:30+10',
                           tests.id('booking', 'standing'), '2026-06-01 08:00+10'), null,
  'a booking is not in its own way when it moves');
call pg_temp.settings('buffer_between_mins = null');
select is(pg_temp.problem('2026-06-22 13:00+10'), null, 'no buffer: back to back');
insert into public.bookings (org_id, client_id, start_time, end_time)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), '2026-06-28 12:00+10', '2026-06-29 12:00+10');
select is(pg_temp.problem('2026-06-29 11:30+10'), 'slot_taken',
  'one that began the day before and lasts a day is seen');
select is(pg_temp.problem('2026-06-29 12:00+10'), null, 'to its end');

-- Notice. `now` is Monday 1 June, 08:00.
call pg_temp.settings('late_notice_hours = 2');
select is(pg_temp.free('2026-06-01', p_mins => 30, p_now => '2026-06-01 14:10+10'), '16:15 16:30',
  'two hours'' notice');
select is(pg_temp.problem('2026-06-01 10:00+10'), null, 'exactly that long is enough');
select is(pg_temp.problem('2026-06-01 09:59:59+10'), 'slot_too_soon', 'a second less is not');
call pg_temp.settings('late_notice_hours = 0');
select is(pg_temp.problem('2026-06-01 10:00+10', p_now => '2026-06-01 10:00+10'), 'slot_in_past',
  'what begins now has begun');
select is(pg_temp.problem('2026-06-01 10:00+10', p_now => '2026-06-01 09:59:59+10'), null,
  'a second before it has not');
call pg_temp.settings('min_notice_hours = 1000');
select is(pg_temp.problem('2026-06-01 10:00+10'), null, 'a setting that no screen goes by decides nothing');
call pg_temp.settings('early_cutoff_before_hour = 11, early_cutoff_time = ''20:00''');
select is(pg_temp.free('2026-06-08', p_now => '2026-06-07 20:00+10'), '18:00 18:15 18:30', 'evening of the day before');
select is(pg_temp.free('2026-06-22', p_mins => 120, p_now => '2026-06-21 20:00+10'),
  '09:00 09:15 09:30 09:45 10:00 10:15 10:30 10:45 11:00 11:15 11:30 11:45 12:00 15:00',
  'until the evening before, early sessions can be booked');
select is(pg_temp.free('2026-06-22', p_mins => 120, p_now => '2026-06-21 20:00:01+10'),
  '11:00 11:15 11:30 11:45 12:00 15:00',
  'after that only later ones');
select is(pg_temp.problem('2026-06-22 10:59+10', 30, p_now => '2026-06-21 20:01+10'), 'slot_too_soon',
  'one of 10:59 is early');
call pg_temp.settings('early_cutoff_before_hour = 0');
select is(pg_temp.problem('2026-06-01 10:00+10', p_now => '2026-06-01 09:00+10'), null, 'hour 0: none is early');
call pg_temp.settings('max_advance_days = 7');
select is(pg_temp.problem('2026-06-08 18:00+10', p_now => '2026-06-01 00:00+10'), null,
  'seven days ahead, by the date');
select is(pg_temp.problem('2026-06-08 18:00+10', p_now => '2026-05-31 23:59+10'), 'slot_too_far_ahead', 'not eight');
select is(pg_temp.free('2026-06-22', p_now => '2026-06-14 12:00+10'), '', 'the list ends there, too');
call pg_temp.settings('max_advance_days = 0');
select is(pg_temp.problem('2026-06-01 10:00+10'), null, 'no days ahead: today');
call pg_temp.settings('max_advance_days = 2147483647');
select is(pg_temp.problem('2026-06-22 10:00+10'), null, 'any number of days is fine');
call pg_temp.settings('max_advance_days = null, late_notice_hours = null, early_cutoff_before_hour = null, '
                      'early_cutoff_time = null, allow_client_booking = null');
select is(array[pg_temp.problem('2026-06-01 09:59+10'), pg_temp.problem('2026-07-02 10:00+10'),
                pg_temp.problem('2026-06-22 10:00+10', p_now => '2026-06-21 23:00+10')],
  array['slot_too_soon', 'slot_too_far_ahead', null], 'what is not set: 2 hours, 30 days, before 9');

-- Switches.
call pg_temp.settings('allow_client_booking = false');
select is(pg_temp.problem('2026-06-22 10:00+10'), 'client_booking_off', 'not where clients book nothing');
select is(pg_temp.free('2026-06-22'), '', 'and nothing is listed');
call pg_temp.settings('allow_client_booking = true');

-- Nonsense.
select is(pg_temp.problem(null), 'slot_invalid', 'no time');
select is(pg_temp.problem('2026-06-22 10:00+10', 0), 'slot_invalid', 'no length');
select is(pg_temp.problem('2026-06-22 10:00+10', -60), 'slot_invalid', 'a negative one');
select is(pg_temp.problem('2026-06-22 10:00+10', 1441), 'slot_invalid', 'longer than a day');
select is(pg_temp.problem('infinity'), 'slot_invalid', 'for ever');
select is(pg_temp.problem('-infinity'), 'slot_invalid', 'since ever');
select is(app.slot_problem(gen_random_uuid(), '2026-06-22 10:00+10', '2026-06-22 11:00+10'), 'slot_invalid',
  'nobody''s');
select is(array[pg_temp.free('2026-06-22', '2026-06-01'), pg_temp.free(null), pg_temp.free('infinity'),
                pg_temp.free('-infinity', 'infinity'), pg_temp.free('-infinity'), pg_temp.free('2026-06-22',
                  p_mins => 0),
                pg_temp.free('2026-06-22', p_mins => null)],
  array_fill(''::text, array[7]), 'lists of nothing');
call pg_temp.settings('max_advance_days = 3650');
select is(
  (select count(distinct (s.slot_start at time zone 'Australia/Brisbane')::date)
     from app.free_slots(tests.id('org', 'ada'), '2026-07-01', '2030-01-01', 30, '2026-06-01 08:00+10') as s),
       4::bigint,
  'and never more than 32 days: four Mondays in July');

-- Clocks that change, by the clock on the wall.
create function pg_temp.hours(p_org text, p_start time, p_end time) returns void language plpgsql as $$
begin
  delete from public.availability where org_id = tests.id('org', p_org);
  insert into public.availability (org_id, day_of_week, start_time, end_time)
  select tests.id('org', p_org), d, p_start, p_end from generate_series(0, 6) as d;
end;
$$;
select tests.open_org('syd', 'Australia/Sydney'), tests.open_org('hav', 'America/Havana'),
       tests.open_org('lord', 'Australia/Lord_Howe');
create function pg_temp.count_of(p_org text, p_day date) returns bigint language sql as $$
  select count(*) from app.free_slots(tests.id('org', p_org), p_day, p_day, 15, p_day::timestamptz - interval '3 days');
$$;
select is(pg_temp.count_of(c.org, c.day)::integer, c.quarters, format('%s, %s: %s quarters of an hour', c.org, c.day,
  c.quarters))
  from (values ('syd', '2026-04-04'::date, 96), ('syd', '2026-04-05', 100), ('syd', '2026-10-04', 92),
               ('hav', '2026-03-08', 92), ('hav', '2026-11-01', 100), ('lord', '2026-04-05', 98),
               ('lord', '2026-10-04', 94)) as c (org, day, quarters);
select pg_temp.hours('syd', '01:30', '03:30'), pg_temp.hours('lord', '01:00', '03:00'), pg_temp.hours('hav', '00:15',
  '01:45');
select is(pg_temp.free('2026-10-04', p_mins => 15, p_now => '2026-10-01', p_org => 'syd'), '01:30 01:45 03:00 03:15',
  'clocks go forward: what is skipped is not there');
select is(pg_temp.free('2026-04-05', p_mins => 15, p_now => '2026-04-01', p_org => 'syd'),
  '01:30 01:45 02:00 02:15 02:30 02:45 02:00 02:15 02:30 02:45 03:00 03:15',
    'clocks go back: what repeats is there twice');
select is(pg_temp.free('2026-10-04', p_mins => 15, p_now => '2026-10-01', p_org => 'lord'),
  '01:00 01:15 01:30 01:45 02:30 02:45',
  'half an hour forward');
select is(pg_temp.free('2026-04-05', p_mins => 15, p_now => '2026-04-01', p_org => 'lord'),
  '01:00 01:15 01:30 01:45 01:30 01:45 02:00 02:15 02:30 02:45', 'and back');
select is(pg_temp.free('2026-03-08', p_mins => 15, p_now => '2026-03-05', p_org => 'hav'), '01:00 01:15 01:30',
  'at midnight: the day begins at one');
select is(pg_temp.free('2026-11-01', p_mins => 15, p_now => '2026-10-30', p_org => 'hav'),
  '00:15 00:30 00:45 00:15 00:30 00:45 01:00 01:15 01:30', 'or midnight comes twice');
select pg_temp.hours('syd', '02:15', '02:45');
select is(pg_temp.free('2026-10-04', p_mins => 15, p_now => '2026-10-01', p_org => 'syd'), '',
  'hours skipped altogether');
select pg_temp.hours('syd', '00:00', '24:00');
insert into public.blocked_times (org_id, date, start_time, end_time)
values (tests.id('org', 'syd'), '2026-04-05', '02:15', '24:00'), (tests.id('org', 'syd'), '2026-10-04', '00:00',
  '02:30'),
       (tests.id('org', 'syd'), '2026-10-04', '03:15', '24:00');
select is(pg_temp.free('2026-10-04', p_mins => 15, p_now => '2026-10-01', p_org => 'syd'), '03:00', 'blocks likewise');
select matches(pg_temp.free('2026-04-05', p_mins => 15, p_now => '2026-04-01', p_org => 'syd'), '01:45 02:00 02:00$',
  'both times the clock shows it');

-- Across midnight, and days that are open without end.
select pg_temp.hours('hav', '00:00', '24:00');
select is(app.slot_problem(tests.id('org', 'hav'), '2026-10-31 23:30-04', '2026-11-01 00:30-04', null,
  '2026-10-30 00:00Z'), null,
  'from one open day into the next');
select is(app.slot_problem(tests.id('org', 'hav'), '2026-03-06 12:00-05', '2026-03-07 12:00-05', null,
  '2026-03-05 00:00Z'), null,
  'for a whole day');
select matches(pg_temp.free('2026-03-07', p_mins => 1440, p_now => '2026-03-05', p_org => 'hav'), '23:45$',
  'also when it ends two dates later, for the next has 23 hours');

-- is_slot_available() for whom.
select pg_temp.hours('ada', '00:00', '24:00');
create function pg_temp.available(p_who text, p_org text default 'ada') returns boolean language plpgsql as $$
declare
  v_available boolean;
begin
  if p_who = 'service' then perform tests.act_as_role('service_role'); else perform tests.act_as(p_who); end if;
  v_available := public.is_slot_available(tests.id('org', p_org), tests.soon(3), tests.soon(3, 11));
  perform tests.act_as_admin();
  return v_available;
end;
$$;
select is(array[pg_temp.available('service'), pg_temp.available('ada')], array[true, true],
  'the portal''s route and the coach ask');
select is(array[pg_temp.available('syd'), pg_temp.available('ada client')], array[false, false],
  'another coach, a client: false');
select is(pg_temp.available('service', 'nobody'), false, 'an unknown org: false');
select tests.act_as_role('service_role');
select is(public.is_slot_available(tests.id('org', 'ada'), null, tests.soon(3)), false, 'null: false, not null');
select tests.act_as_anon();
select throws_ok($$select public.is_slot_available(tests.id('org', 'ada'), tests.soon(3), tests.soon(3, 11))$$,
  '42501', null,
  'anon may not ask');
select tests.act_as_admin();

-- A look at one time reads what is around it, however much an org has stored.
set local session_replication_role = replica;  -- twenty thousand rows, without their triggers
insert into public.bookings (org_id, client_id, start_time, end_time)
select tests.id('org', 'lord'), tests.id('client', 'lord'), s, s + interval '20 minutes'
  from generate_series('2024-01-01 00:00Z'::timestamptz, '2026-06-01 00:00Z', interval '1 hour') as s;
insert into public.availability (org_id, day_of_week, specific_date, start_time, end_time)
select tests.id('org', 'lord'), 0, d, '09:00', '17:00' from generate_series('2010-01-01'::date, '2026-06-01',
  '1 day') as d;
insert into public.blocked_times (org_id, date, start_time, end_time)
select tests.id('org', 'lord'), d, '09:00', '17:00' from generate_series('2010-01-01'::date, '2026-06-01',
  '1 day') as d;
set local session_replication_role = origin;
analyze public.bookings, public.availability, public.blocked_times;
create temp view rows_read as
  select relname::text, seq_tup_read + coalesce(idx_tup_fetch, 0) as n from pg_stat_xact_user_tables
   where schemaname = 'public' and relname in ('bookings', 'availability', 'blocked_times');
create temp table read_before as select * from rows_read;
do $$
begin
  perform app.slot_problem(tests.id('org', 'lord'), s, s + interval '1 hour', null, '2026-02-01 00:00Z')
     from generate_series('2026-03-01 00:00Z'::timestamptz, '2026-03-10 00:00Z', interval '1 day') as s;
end;
$$;
select is_empty(
  $$select a.relname, a.n - b.n from rows_read as a join read_before as b using (relname) where a.n - b.n > 10 * 100$$,
  'no look at a slot reads more than a hundred rows of any of them');
select isnt_empty('select 1 from rows_read as a join read_before as b using (relname) where a.n > b.n',
  'which are counted');

select * from finish();
rollback;
