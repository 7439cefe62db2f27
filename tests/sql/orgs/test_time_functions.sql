-- The pure time functions. Expected instants come from Python's zoneinfo, not from Postgres.
begin;
select plan(99);

-- app.is_quiet_time: hours of the local wall clock, start inclusive, end exclusive.
create temp table quiet (at timestamptz, zone text, s integer, e integer, expected boolean, why text);
insert into quiet values
  -- Brisbane is +10 all year: 21:00 local is 11:00Z.
  ('2026-05-01 10:59:59.999999Z', 'Australia/Brisbane', 21, 8, false, 'the last instant before the start'),
  ('2026-05-01 11:00Z', 'Australia/Brisbane', 21, 8, true, 'start inclusive'),
  ('2026-05-01 13:59:59Z', 'Australia/Brisbane', 21, 8, true, 'before midnight'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', 21, 8, true, 'midnight'),
  ('2026-05-01 21:59:59.999999Z', 'Australia/Brisbane', 21, 8, true, 'the last instant before the end'),
  ('2026-05-01 22:00Z', 'Australia/Brisbane', 21, 8, false, 'end exclusive'),
  ('2026-05-01 02:00Z', 'Australia/Brisbane', 21, 8, false, 'noon'),
  ('2026-05-01 01:59:59Z', 'Australia/Brisbane', 12, 14, false, 'no wrap: before'),
  ('2026-05-01 02:00Z', 'Australia/Brisbane', 12, 14, true, 'no wrap: start inclusive'),
  ('2026-05-01 03:59:59Z', 'Australia/Brisbane', 12, 14, true, 'no wrap: the last second'),
  ('2026-05-01 04:00Z', 'Australia/Brisbane', 12, 14, false, 'no wrap: end exclusive'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', 12, 14, false, 'no wrap: midnight'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', 0, 6, true, 'from midnight'),
  ('2026-05-01 13:59:59Z', 'Australia/Brisbane', 0, 6, false, 'not before midnight'),
  ('2026-05-01 13:59:59Z', 'Australia/Brisbane', 22, 0, true, 'until midnight'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', 22, 0, false, 'not at midnight'),
  ('2026-05-01 11:00Z', 'Australia/Brisbane', 21, 21, false, 'equal: never quiet'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', 0, 0, false, 'equal at midnight: never quiet'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', null, 8, false, 'null start: never quiet'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', 21, null, false, 'null end: never quiet'),
  ('2026-05-01 14:00Z', 'Australia/Brisbane', null, null, false, 'both null: never quiet'),
  ('2026-01-15 02:30Z', 'America/New_York', 21, 8, true, 'New York, winter: 21:30'),
  ('2026-07-15 00:30Z', 'America/New_York', 21, 8, false, 'New York, summer: 20:30'),
  ('2026-07-15 01:30Z', 'America/New_York', 21, 8, true, 'New York, summer: 21:30'),
  ('2026-05-01 15:14Z', 'Asia/Kathmandu', 21, 8, false, 'Kathmandu is +05:45: 20:59'),
  ('2026-05-01 15:15Z', 'Asia/Kathmandu', 21, 8, true, 'Kathmandu: 21:00'),
  ('2026-07-15 06:00Z', 'Pacific/Kiritimati', 20, 21, true, 'Kiritimati is +14: 20:00 that day');
select is(app.is_quiet_time(q.at, q.zone, q.s, q.e), q.expected, format('quiet: %s', q.why)) from quiet as q;
select throws_ok($$select app.is_quiet_time('2026-05-01Z', 'Mars/Phobos', 21, 8)$$,
  '22023', 'time zone "Mars/Phobos" not recognized', 'quiet: an unknown zone is an error');

-- app.next_send_time: the first allowed instant, not before the given one.
create temp table sends (at timestamptz, zone text, s integer, e integer, expected timestamptz, why text);
insert into sends values
  ('2026-05-01 02:00:00.5Z', 'Australia/Brisbane', 21, 8, '2026-05-01 02:00:00.5Z', 'allowed: the instant itself'),
  ('2026-05-01 11:00Z', 'Australia/Brisbane', 21, 8, '2026-05-01 22:00Z', 'evening: the morning after'),
  ('2026-05-01 15:30Z', 'Australia/Brisbane', 21, 8, '2026-05-01 22:00Z', 'after midnight: the same morning'),
  ('2026-05-01 22:00Z', 'Australia/Brisbane', 21, 8, '2026-05-01 22:00Z', 'at the end: at once'),
  ('2026-05-01 02:30Z', 'Australia/Brisbane', 12, 14, '2026-05-01 04:00Z', 'no wrap: the same day'),
  ('2026-05-01 12:30Z', 'Australia/Brisbane', 22, 0, '2026-05-01 14:00Z', 'until midnight'),
  ('2026-05-01 12:30Z', 'Australia/Brisbane', 22, 22, '2026-05-01 12:30Z', 'equal: at once'),
  ('2026-05-01 12:30Z', 'Australia/Brisbane', null, null, '2026-05-01 12:30Z', 'null: at once'),
  ('2026-05-01 12:30Z', 'Australia/Brisbane', null, 8, '2026-05-01 12:30Z', 'null start: at once'),
  ('2026-05-01 12:30Z', 'Australia/Brisbane', 21, null, '2026-05-01 12:30Z', 'null end: at once'),
  -- New York goes from 02:00 to 03:00 on 8 March 2026 at 07:00Z and back from 02:00 to 01:00 on 1 November at 06:00Z.
  ('2026-03-08 03:00Z', 'America/New_York', 21, 8, '2026-03-08 12:00Z', 'a night of one hour less'),
  ('2026-11-01 02:00Z', 'America/New_York', 21, 8, '2026-11-01 13:00Z', 'a night of one hour more'),
  ('2026-03-08 06:30Z', 'America/New_York', 22, 2, '2026-03-08 07:00Z', 'an end that is skipped: the skip'),
  ('2026-11-01 05:30Z', 'America/New_York', 22, 2, '2026-11-01 07:00Z', 'the repeated hour is quiet twice'),
  ('2026-11-01 04:30Z', 'America/New_York', 22, 1, '2026-11-01 05:00Z', 'an end that repeats: the first one'),
  ('2026-10-25 00:30Z', 'Europe/Berlin', 22, 3, '2026-10-25 02:00Z', 'Berlin: 03:00 comes after both passes'),
  ('2026-10-03 15:00Z', 'Australia/Lord_Howe', 22, 2, '2026-10-03 15:30Z', 'Lord Howe skips half an hour'),
  ('2026-04-04 14:50Z', 'Australia/Lord_Howe', 22, 2, '2026-04-04 15:30Z', 'Lord Howe repeats half an hour'),
  ('2026-03-08 04:30Z', 'America/Havana', 22, 0, '2026-03-08 05:00Z', 'Havana has no midnight that day'),
  ('2011-12-30 08:00Z', 'Pacific/Apia', 21, 8, '2011-12-30 18:00Z', 'Apia skips 30 December: the morning of the 31st'),
  -- Troll (Antarctica) moves by two hours: 01:00 to 03:00, and 03:00 back to 01:00.
  ('2026-03-29 00:30Z', 'Antarctica/Troll', 22, 2, '2026-03-29 01:00Z', 'an end within a gap: the skip'),
  ('2026-10-24 23:30Z', 'Antarctica/Troll', 22, 2, '2026-10-25 00:00Z', 'an end that repeats: the first one'),
  ('2026-10-25 01:30Z', 'Antarctica/Troll', 22, 2, '2026-10-25 02:00Z', 'and, when it is quiet again, the second one');
select is(app.next_send_time(s.at, s.zone, s.s, s.e), s.expected, format('send: %s', s.why)) from sends as s;
select throws_ok($$select app.next_send_time('2026-05-01Z', 'Mars/Phobos', 21, 8)$$,
  '22023', 'time zone "Mars/Phobos" not recognized', 'send: an unknown zone is an error');

-- app.local_to_instant: in a gap the offset before it, in a fold the first occurrence.
create temp table walls (local timestamp, zone text, expected timestamptz, why text);
insert into walls values
  ('2026-07-01 09:00', 'Australia/Brisbane', '2026-06-30 23:00Z', 'Brisbane'),
  ('2026-07-01 09:00', 'Europe/Berlin', '2026-07-01 07:00Z', 'Berlin in summer'),
  ('2026-03-08 02:30', 'America/New_York', '2026-03-08 07:30Z', 'New York, gap'),
  ('2026-03-08 01:59:59', 'America/New_York', '2026-03-08 06:59:59Z', 'New York, the last second before the gap'),
  ('2026-03-08 03:00', 'America/New_York', '2026-03-08 07:00Z', 'New York, the first instant after the gap'),
  ('2026-11-01 01:30', 'America/New_York', '2026-11-01 05:30Z', 'New York, fold'),
  ('2026-11-01 01:00', 'America/New_York', '2026-11-01 05:00Z', 'New York, where the fold begins'),
  ('2026-11-01 02:00', 'America/New_York', '2026-11-01 07:00Z', 'New York, where the fold ends'),
  ('2026-04-05 01:45', 'Australia/Lord_Howe', '2026-04-04 14:45Z', 'Lord Howe, a fold of half an hour'),
  ('2026-10-04 02:15', 'Australia/Lord_Howe', '2026-10-03 15:45Z', 'Lord Howe, a gap of half an hour'),
  ('2026-03-08 00:30', 'America/Havana', '2026-03-08 05:30Z', 'Havana, a gap at midnight'),
  ('2026-11-01 00:30', 'America/Havana', '2026-11-01 04:30Z', 'Havana, a fold at midnight'),
  ('2011-12-29 23:59', 'Pacific/Apia', '2011-12-30 09:59Z', 'Apia, the last minute before the skipped date'),
  ('2011-12-30 12:00', 'Pacific/Apia', '2011-12-30 22:00Z', 'Apia, the skipped date'),
  ('2011-12-31 00:00', 'Pacific/Apia', '2011-12-30 10:00Z', 'Apia, the date after it');
select is(app.local_to_instant(w.local, w.zone), w.expected, format('instant: %s', w.why)) from walls as w;
select throws_ok($$select app.local_to_instant('2026-05-01', 'Mars/Phobos')$$,
  '22023', 'time zone "Mars/Phobos" not recognized', 'instant: an unknown zone is an error');

-- app.calendar_range: half-open local days, weeks and months.
create temp table ranges (view text, anchor date, zone text, week_start integer, a timestamptz, b timestamptz, why text);
insert into ranges values
  ('day', '2026-05-13', 'Australia/Brisbane', 1, '2026-05-12 14:00Z', '2026-05-13 14:00Z', 'Brisbane, a day'),
  ('week', '2026-05-13', 'Australia/Brisbane', 1, '2026-05-10 14:00Z', '2026-05-17 14:00Z', 'a week from Monday'),
  ('week', '2026-05-13', 'Australia/Brisbane', 0, '2026-05-09 14:00Z', '2026-05-16 14:00Z', 'a week from Sunday'),
  ('week', '2026-05-17', 'Australia/Brisbane', 1, '2026-05-10 14:00Z', '2026-05-17 14:00Z', 'Sunday ends a Monday week'),
  ('week', '2026-05-17', 'Australia/Brisbane', 0, '2026-05-16 14:00Z', '2026-05-23 14:00Z', 'Sunday begins a Sunday week'),
  ('week', '2026-05-11', 'Australia/Brisbane', 1, '2026-05-10 14:00Z', '2026-05-17 14:00Z', 'Monday begins a Monday week'),
  ('week', '2026-05-16', 'Australia/Brisbane', 6, '2026-05-15 14:00Z', '2026-05-22 14:00Z', 'a week from Saturday'),
  ('month', '2026-01-31', 'Australia/Brisbane', 1, '2025-12-31 14:00Z', '2026-01-31 14:00Z', 'from a month''s last day'),
  ('month', '2024-02-29', 'Australia/Brisbane', 1, '2024-01-31 14:00Z', '2024-02-29 14:00Z', 'a leap February'),
  ('month', '2026-12-01', 'Australia/Brisbane', 1, '2026-11-30 14:00Z', '2026-12-31 14:00Z', 'across the year'),
  ('week', '2026-03-08', 'America/New_York', 1, '2026-03-02 05:00Z', '2026-03-09 04:00Z', 'New York, a week of 167 hours'),
  ('week', '2026-11-01', 'America/New_York', 1, '2026-10-26 04:00Z', '2026-11-02 05:00Z', 'New York, a week of 169 hours'),
  ('day', '2026-03-08', 'America/New_York', 1, '2026-03-08 05:00Z', '2026-03-09 04:00Z', 'New York, a day of 23 hours'),
  ('day', '2026-11-01', 'America/New_York', 1, '2026-11-01 04:00Z', '2026-11-02 05:00Z', 'New York, a day of 25 hours'),
  ('month', '2026-03-20', 'America/New_York', 1, '2026-03-01 05:00Z', '2026-04-01 04:00Z', 'New York, March'),
  ('day', '2026-03-08', 'America/Havana', 1, '2026-03-08 05:00Z', '2026-03-09 04:00Z', 'Havana, a day from 01:00'),
  ('day', '2026-03-07', 'America/Havana', 1, '2026-03-07 05:00Z', '2026-03-08 05:00Z', 'Havana, the day before it'),
  ('day', '2026-11-01', 'America/Havana', 1, '2026-11-01 04:00Z', '2026-11-02 05:00Z', 'Havana, from the first midnight'),
  ('day', '2011-12-30', 'Pacific/Apia', 1, '2011-12-30 10:00Z', '2011-12-30 10:00Z', 'Apia, the date that was not: empty');
select results_eq(
  format('select range_start, range_end from app.calendar_range(%L, %L, %L, %s)', r.view, r.anchor, r.zone, r.week_start),
  format('values (%L::timestamptz, %L::timestamptz)', r.a, r.b), format('calendar: %s', r.why)) from ranges as r;
select tests.act_as_role('authenticated');
select results_eq($$select * from public.calendar_range('week', '2026-03-08', 'America/New_York')$$,
  $$values ('2026-03-02 05:00Z'::timestamptz, '2026-03-09 04:00Z'::timestamptz)$$, 'the API''s says the same, from Monday');
select tests.act_as_admin();
select throws_ok($$select app.calendar_range('year', '2026-05-13', 'Australia/Brisbane')$$,
  'PT400', 'view_invalid', 'calendar: an unknown view');
select throws_ok($$select app.calendar_range(null, '2026-05-13', 'Australia/Brisbane')$$,
  'PT400', 'view_invalid', 'calendar: no view');
select throws_ok($$select app.calendar_range('week', '2026-05-13', 'Australia/Brisbane', 7)$$,
  'PT400', 'week_start_invalid', 'calendar: a week starts on 0 to 6');
select throws_ok($$select app.calendar_range('week', '2026-05-13', 'Australia/Brisbane', null)$$,
  'PT400', 'week_start_invalid', 'calendar: never on null');
select throws_ok($$select app.calendar_range('day', '2026-05-13', 'Mars/Phobos')$$,
  '22023', 'time zone "Mars/Phobos" not recognized', 'calendar: an unknown zone is an error');

-- app.format_local, and all of the above: the same whatever zone the session has.
create temp table sessions (zone text);
insert into sessions values ('UTC'), ('America/New_York'), ('Pacific/Kiritimati'), ('Asia/Kathmandu'), ('Europe/London');
create function pg_temp.differs(p_session text) returns text language plpgsql as $$
begin
  perform set_config('TimeZone', p_session, true);
  if app.format_local('2026-05-01 22:30Z', 'Australia/Brisbane', 'FMDy FMDD FMMon "at" FMHH12:MI am')
     is distinct from 'Sat 2 May at 8:30 am' then
    return 'format_local';
  elsif app.format_local('2026-07-01 03:30Z', 'America/New_York', 'YYYY-MM-DD HH24:MI') <> '2026-06-30 23:30' then
    return 'format_local in summer';
  elsif exists (select from quiet as q where app.is_quiet_time(q.at, q.zone, q.s, q.e) <> q.expected) then
    return 'is_quiet_time';
  elsif exists (select from walls as w where app.local_to_instant(w.local, w.zone) <> w.expected) then
    return 'local_to_instant';
  elsif exists (select from ranges as r, app.calendar_range(r.view, r.anchor, r.zone, r.week_start) as x
                 where (x.range_start, x.range_end) <> (r.a, r.b)) then
    return 'calendar_range';
  elsif app.next_send_time('2026-05-01 11:00Z', 'Australia/Brisbane', 21, 8) <> '2026-05-01 22:00Z' then
    return 'next_send_time';
  end if;
  return null;
end;
$$;
select is(pg_temp.differs(s.zone), null, format('the session is in %s, nothing changes', s.zone)) from sessions as s;
select throws_ok($$select app.format_local('2026-05-01Z', 'Mars/Phobos', 'YYYY')$$,
  '22023', 'time zone "Mars/Phobos" not recognized', 'format: an unknown zone is an error');

select * from finish();
rollback;
