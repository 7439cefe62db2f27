-- The pure time functions. Expected instants come from Python's zoneinfo, not from Postgres.
begin;
select plan(215);

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
  ('2026-07-15 06:00Z', 'Pacific/Kiritimati', 20, 21, true, 'Kiritimati is +14: 20:00 that day'),
  ('2026-01-15 10:14Z', 'Pacific/Chatham', 0, 23, false, 'Chatham is +13:45 in summer: 23:59 of the 15th'),
  ('2026-01-15 10:15Z', 'Pacific/Chatham', 0, 23, true, 'Chatham: midnight of the 16th'),
  -- Azores repeats the hour from midnight on 27 October 2024, Lord Howe the half hour before 02:00 on 7 April.
  ('2024-10-27 00:30Z', 'Atlantic/Azores', 0, 1, true, 'Azores: the first hour from midnight'),
  ('2024-10-27 01:30Z', 'Atlantic/Azores', 0, 1, true, 'Azores: the second one'),
  ('2024-10-27 02:00Z', 'Atlantic/Azores', 0, 1, false, 'Azores: after both'),
  ('2024-04-06 15:15Z', 'Australia/Lord_Howe', 22, 2, true, 'Lord Howe: 01:45 for the second time'),
  ('infinity', 'Australia/Brisbane', 21, 8, false, 'never is not quiet'),
  ('-infinity', 'Australia/Brisbane', 8, 21, false, 'nor was it ever'),
  (null, 'Australia/Brisbane', 21, 8, null, 'no instant, no answer');
select is(app.is_quiet_time(q.at, q.zone, q.s, q.e), q.expected, format('quiet: %s', q.why)) from quiet as q;
select throws_ok(format('select app.%s(now(), ''UTC'', %s)', f, hours), 'PT400', 'quiet_hours_invalid',
  format('%s: hours %s are an error, not an endless search', f, hours))
  from unnest(array['is_quiet_time', 'next_send_time']) as f, unnest(array['0, 24', '-1, 8', '24, 8', '8, 25']) as hours;

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
  ('2026-10-25 01:30Z', 'Antarctica/Troll', 22, 2, '2026-10-25 02:00Z', 'and, when it is quiet again, the second one'),
  ('2026-10-03 15:00:00.25Z', 'Australia/Lord_Howe', 22, 2, '2026-10-03 15:30Z', 'on the second, whatever the fraction'),
  ('2018-02-18 01:30Z', 'America/Sao_Paulo', 22, 0, '2018-02-18 03:00Z', 'Sao Paulo: 23:00 comes twice before midnight'),
  ('2006-10-29 02:00Z', 'America/St_Johns', 22, 0, '2006-10-29 02:30Z', 'St. John''s: the first midnight, for a minute'),
  ('2006-10-29 02:31Z', 'America/St_Johns', 22, 0, '2006-10-29 03:30Z', 'and the second one'),
  ('2024-10-27 00:30Z', 'Atlantic/Azores', 0, 1, '2024-10-27 02:00Z', 'Azores: the repeated hour is quiet twice'),
  ('2024-03-10 01:30Z', 'Africa/Casablanca', 2, 3, '2024-03-10 03:00Z', 'Casablanca: back for Ramadan'),
  ('2024-04-14 01:30Z', 'Africa/Casablanca', 22, 3, '2024-04-14 02:00Z', 'Casablanca: forth after it'),
  ('2018-05-04 14:45Z', 'Asia/Pyongyang', 20, 0, '2018-05-04 15:00Z', 'Pyongyang skips the last half hour of a day'),
  ('1994-12-31 09:30Z', 'Pacific/Kiritimati', 22, 0, '1994-12-31 10:00Z', 'Kiritimati skips the last day of 1994'),
  ('infinity', 'Australia/Brisbane', 21, 8, 'infinity', 'never stays never'),
  ('-infinity', 'Australia/Brisbane', 21, 8, '-infinity', 'and long ago stays long ago'),
  ('9999-12-31 20:00Z', 'Australia/Brisbane', 21, 8, '9999-12-31 22:00Z', 'far ahead'),
  (null, 'Australia/Brisbane', 21, 8, null, 'no instant, no answer');
select is(app.next_send_time(s.at, s.zone, s.s, s.e), s.expected, format('send: %s', s.why)) from sends as s;

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
  ('2011-12-31 00:00', 'Pacific/Apia', '2011-12-30 10:00Z', 'Apia, the date after it'),
  ('2018-11-04 00:30', 'America/Sao_Paulo', '2018-11-04 03:30Z', 'Sao Paulo, a gap at midnight'),
  ('2018-02-17 23:30', 'America/Sao_Paulo', '2018-02-18 01:30Z', 'Sao Paulo, a fold before midnight'),
  ('2024-10-27 00:30', 'Atlantic/Azores', '2024-10-27 00:30Z', 'Azores, a fold at midnight'),
  ('2024-03-10 02:30', 'Africa/Casablanca', '2024-03-10 01:30Z', 'Casablanca, the fold of Ramadan'),
  ('2024-04-14 02:30', 'Africa/Casablanca', '2024-04-14 02:30Z', 'Casablanca, the gap after it'),
  ('2023-10-28 01:30', 'Asia/Gaza', '2023-10-27 22:30Z', 'Gaza, a fold'),
  ('2024-03-31 02:30', 'Antarctica/Troll', '2024-03-31 02:30Z', 'Troll, a gap of two hours'),
  ('2024-10-27 02:30', 'Antarctica/Troll', '2024-10-27 00:30Z', 'Troll, a fold of two hours'),
  ('1994-12-31 12:00', 'Pacific/Kiritimati', '1994-12-31 22:00Z', 'Kiritimati, the skipped date'),
  ('2024-07-01 09:00', 'Pacific/Kiritimati', '2024-06-30 19:00Z', 'Kiritimati, beyond +12'),
  ('infinity', 'Australia/Brisbane', 'infinity', 'never'),
  ('-infinity', 'Australia/Brisbane', '-infinity', 'for ever ago'),
  (null, 'Australia/Brisbane', null, 'no time, no instant');
select is(app.local_to_instant(w.local, w.zone), w.expected, format('instant: %s', w.why)) from walls as w;

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
  ('day', '2011-12-30', 'Pacific/Apia', 1, '2011-12-30 10:00Z', '2011-12-30 10:00Z', 'Apia, the date that was not: empty'),
  ('day', '2011-12-29', 'Pacific/Apia', 1, '2011-12-29 10:00Z', '2011-12-30 10:00Z', 'Apia, the day before it'),
  ('day', '2011-12-31', 'Pacific/Apia', 1, '2011-12-30 10:00Z', '2011-12-31 10:00Z', 'Apia, the day after it'),
  ('week', '2011-12-31', 'Pacific/Apia', 1, '2011-12-26 10:00Z', '2012-01-01 10:00Z', 'Apia, a week of six days'),
  ('month', '2011-12-31', 'Pacific/Apia', 1, '2011-12-01 10:00Z', '2011-12-31 10:00Z', 'Apia, a December of thirty'),
  ('day', '1994-12-31', 'Pacific/Kiritimati', 1, '1994-12-31 10:00Z', '1994-12-31 10:00Z', 'Kiritimati skips a New Year''s Eve'),
  ('day', '1995-01-01', 'Pacific/Kiritimati', 1, '1994-12-31 10:00Z', '1995-01-01 10:00Z', 'and is first in the year'),
  ('day', '2018-11-04', 'America/Sao_Paulo', 1, '2018-11-04 03:00Z', '2018-11-05 02:00Z', 'Sao Paulo, a day from 01:00'),
  ('day', '2018-02-17', 'America/Sao_Paulo', 1, '2018-02-17 02:00Z', '2018-02-18 03:00Z', 'Sao Paulo, 23:00 comes twice'),
  ('day', '2006-10-28', 'America/St_Johns', 1, '2006-10-28 02:30Z', '2006-10-29 02:30Z', 'St. John''s, until the first midnight'),
  ('day', '2006-10-29', 'America/St_Johns', 1, '2006-10-29 02:30Z', '2006-10-30 03:30Z', 'St. John''s, from it'),
  ('day', '2006-04-02', 'America/St_Johns', 1, '2006-04-02 03:30Z', '2006-04-03 02:30Z', 'St. John''s, a minute before the gap'),
  ('day', '2024-10-27', 'Atlantic/Azores', 1, '2024-10-27 00:00Z', '2024-10-28 01:00Z', 'Azores, from the first midnight'),
  ('day', '2024-03-31', 'Atlantic/Azores', 1, '2024-03-31 01:00Z', '2024-04-01 00:00Z', 'Azores, a day from 01:00'),
  ('day', '2024-10-06', 'Australia/Lord_Howe', 1, '2024-10-05 13:30Z', '2024-10-06 13:00Z', 'Lord Howe, 23 hours and a half'),
  ('day', '2024-04-07', 'Australia/Lord_Howe', 1, '2024-04-06 13:00Z', '2024-04-07 13:30Z', 'Lord Howe, 24 hours and a half'),
  ('day', '2018-05-05', 'Asia/Pyongyang', 1, '2018-05-04 15:00Z', '2018-05-05 15:00Z', 'Pyongyang, after half an hour skipped'),
  ('day', '2015-08-15', 'Asia/Pyongyang', 1, '2015-08-14 15:30Z', '2015-08-15 15:30Z', 'Pyongyang, after half an hour repeated'),
  ('day', '2024-03-31', 'America/Nuuk', 1, '2024-03-31 01:00Z', '2024-04-01 01:00Z', 'Nuuk, after an hour skipped'),
  ('day', '2020-10-04', 'Antarctica/Casey', 1, '2020-10-03 16:00Z', '2020-10-04 13:00Z', 'Casey, a day of 21 hours'),
  ('day', '1919-03-31', 'America/Toronto', 1, '1919-03-31 04:30Z', '1919-04-01 04:00Z', 'Toronto 1919, a gap through midnight'),
  ('month', '2024-03-10', 'Africa/Casablanca', 1, '2024-02-29 23:00Z', '2024-04-01 00:00Z', 'Casablanca, a month into Ramadan'),
  ('day', '0001-01-01', 'UTC', 1, '0001-01-01 00:00Z', '0001-01-02 00:00Z', 'the first day there is'),
  ('week', '9999-12-31', 'UTC', 1, '9999-12-27 00:00Z', '10000-01-03 00:00Z', 'the last one');
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
select throws_ok(format('select app.calendar_range(''day'', %L, ''UTC'')', d), 'PT400', 'anchor_invalid',
  format('calendar: an anchor of %s is an error, not a range without an end', coalesce(d, 'null')))
  from unnest(array[null, 'infinity', '-infinity', '10000-01-01', '0001-12-31 BC']) as d;

-- A zone is an IANA name that Postgres knows, spelled so; `at time zone` alone would take most of these.
create temp table refused (zone text, why text);
insert into refused values
  ('Mars/Phobos', 'a name that is none'),
  ('Mars/Phobos5', 'a POSIX string that looks like one'),
  ('America/New_York+3', 'or like one with an addition'),
  ('UTC+3', 'a POSIX string'),
  ('EST5EDT4', 'a POSIX string that is almost a name'),
  ('<+10>-10', 'a POSIX string in brackets'),
  ('AEST', 'an abbreviation'),
  ('Z', 'a military one'),
  ('+10:00', 'an offset'),
  ('australia/brisbane', 'another spelling'),
  (' Australia/Brisbane', 'a space before'),
  ('Australia', 'half a name'),
  ('../timezone/UTC', 'a path'),
  ('', 'nothing'),
  (null, 'null');
select throws_ok(format('select app.require_timezone(%L)', r.zone), 'PT400', 'timezone_unknown', format('refused: %s', r.why))
  from refused as r;
select throws_ok(format('select %s', replace(call, '$zone', quote_nullable(z))), 'PT400', 'timezone_unknown',
  format('%s refuses %s', split_part(call, '(', 1), coalesce(z, 'null')))
  from unnest(array['UTC+3', 'australia/brisbane', null]) as z, unnest(array[
    'app.is_quiet_time(now(), $zone, 21, 8)', 'app.next_send_time(now(), $zone, 21, 8)',
    'app.format_local(now(), $zone, ''YYYY'')', 'app.local_to_instant(''2026-05-01'', $zone)',
    'app.day_start(''2026-05-01'', $zone)', 'app.calendar_range(''day'', ''2026-05-01'', $zone)',
    'public.calendar_range(''day'', ''2026-05-01'', $zone)']) as call;
select throws_ok($$select app.is_quiet_time(null, 'Mars/Phobos', null, null)$$, 'PT400', 'timezone_unknown',
  'also where it would not matter');
select is_empty(
  $$select z.name from pg_timezone_names as z where z.name ~ '^[A-Z]' and app.require_timezone(z.name) <> z.name$$,
  'every name that Postgres knows is taken');
select is(app.require_timezone(z), z, format('%s is a name', z))
  from unnest(array['UTC', 'Etc/GMT+5', 'EST5EDT', 'America/Port-au-Prince', 'America/Argentina/Buenos_Aires', 'NZ-CHAT']) as z;
-- A server that has learned a zone since: it is taken at once, and remembered when an org has it.
delete from app.timezones where name in ('Asia/Tokyo', 'Europe/Oslo');
select is(app.format_local('2026-05-01 00:00Z', 'Asia/Tokyo', 'HH24:MI'), '09:00', 'a new zone is taken');
select tests.org('tokyo', 'Asia/Tokyo');
select results_eq($$select name from app.timezones where name in ('Asia/Tokyo', 'Europe/Oslo')$$, $$values ('Asia/Tokyo' collate "C")$$,
  'and kept once an org has it');

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
  elsif exists (select from quiet as q where app.is_quiet_time(q.at, q.zone, q.s, q.e) is distinct from q.expected) then
    return 'is_quiet_time';
  elsif exists (select from walls as w where app.local_to_instant(w.local, w.zone) is distinct from w.expected) then
    return 'local_to_instant';
  elsif exists (select from ranges as r, app.calendar_range(r.view, r.anchor, r.zone, r.week_start) as x
                 where (x.range_start, x.range_end) <> (r.a, r.b)) then
    return 'calendar_range';
  elsif exists (select from sends as s
                 where app.next_send_time(s.at, s.zone, s.s, s.e) is distinct from s.expected) then
    return 'next_send_time';
  end if;
  return null;
end;
$$;
select is(pg_temp.differs(s.zone), null, format('the session is in %s, nothing changes', s.zone)) from sessions as s;

select is(app.format_local(at, 'Australia/Brisbane', 'YYYY'), null, format('format: nothing of %s', coalesce(at::text, 'null')))
  from unnest(array[null, 'infinity', '-infinity']::timestamptz[]) as at;
select is(app.day_start(null, 'UTC'), null, 'day: no date, no start');

select * from finish();
rollback;
