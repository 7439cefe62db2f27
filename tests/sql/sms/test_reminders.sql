-- Reminders by the org's schedules, and the warning of a session that nobody has confirmed: written as they fall due, once
-- for each version of a booking, while they are of use.
begin;
select plan(95);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
update public.sms_settings set twilio_phone_number = '+15005550001', quiet_hours_start = null, quiet_hours_end = null
 where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550002', quiet_hours_start = null, quiet_hours_end = null
 where org_id = tests.id('org', 'eve');
delete from public.sms_schedules;
create function pg_temp.schedule(p_name text, p_mins integer, p_org text default 'ada') returns void language sql as $$
  insert into public.sms_schedules (id, org_id, type, label, mins_offset, body)
  values (tests.id('schedule', p_name), tests.id('org', p_org), 'pre_session', p_name, p_mins, p_name || ' {{session_datetime}}');
$$;
-- A booking of an hour that starts so far from now; none but those of a test are there. The last tick was now.
create function pg_temp.only(p_ahead interval, p_name text default 'b', p_org text default 'ada') returns void
language plpgsql as $$
begin
  update public.bookings set status = 'cancelled' where start_time > now();
  perform tests.booking(p_name, p_org, now() + p_ahead);
  delete from public.sms_messages;
  update app.reminder_progress set queued_until = now();
end;
$$;
-- The worker's tick, so far from now: how many it wrote.
create function pg_temp.tick(p_from_now interval, p_limit integer default 500) returns integer language plpgsql as $$
declare
  v_queued integer;
begin
  perform tests.act_as_role('coach_os_worker');
  v_queued := app.queue_reminders(now() + p_from_now, p_limit);
  perform tests.act_as_admin();
  return v_queued;
end;
$$;
create function pg_temp.outbox() returns text language sql as $$
  select string_agg(concat_ws(' ', split_part(m.body, ' ', 1), m.status, m.error_code), ', ' order by m.scheduled_for, m.body)
    from public.sms_messages as m;
$$;

select tests.act_as_role('coach_os_sidecar');
select throws_ok('select app.queue_reminders()', '42501', 'permission denied for function queue_reminders', 'only the worker''s');
select tests.act_as_admin();

-- When.
do $$begin perform pg_temp.schedule('day', 1440), pg_temp.only('48 hours'); end$$;
select is(pg_temp.tick('24 hours -1 second'), 0, 'a second before its moment');
select is(pg_temp.tick('24 hours'), 1, 'at its moment');
select results_eq(
  $$select body, template_key, status, scheduled_for, expires_at, schedule_id, client_id, booking_version from public.sms_messages$$,
  $$values ('day ' || app.session_time(now() + interval '48 hours', 'Australia/Brisbane'), 'reminder', 'pending',
            now() + interval '24 hours', now() + interval '36 hours', tests.id('schedule', 'day'), tests.id('client', 'ada'), 1)$$,
  'one reminder, in the org''s time, of use for half a day');
select is(pg_temp.tick('24 hours'), 0, 'once');
select is(pg_temp.tick('25 hours'), 0, 'and no more');
select is((select string_agg(c.body, ', ') from app.claim_sms(now() + interval '24 hours') as c),
  'day ' || app.session_time(now() + interval '48 hours', 'Australia/Brisbane'), 'it is sent');
do $$begin perform pg_temp.only('10 hours', 'late'); end$$;
select is(pg_temp.tick('0') + pg_temp.tick('1 hour') + pg_temp.tick('9 hours'), 0, 'a booking made after its moment gets none');
do $$begin perform pg_temp.only('24 hours', 'at once'); end$$;
select is(pg_temp.tick('0') + pg_temp.tick('1 minute'), 0, 'nor one made just then');
do $$begin perform pg_temp.only('48 hours', 'moved'); end$$;
do $$begin perform pg_temp.tick('24 hours'); end$$;
update public.bookings set start_time = now() + interval '72 hours', end_time = now() + interval '73 hours' where id = tests.id('booking', 'moved');
select is((select string_agg(concat_ws(' ', template_key, status, error_code), ', ' order by template_key) from public.sms_messages),
  'booking_moved pending, reminder cancelled booking_moved', 'moved: the one that waits is not sent');
select is(pg_temp.tick('25 hours'), 0, 'nor another one now');
select is(pg_temp.tick('48 hours'), 1, 'but at the moment of the new time');
update public.bookings set start_time = now() + interval '48 hours', end_time = now() + interval '49 hours' where id = tests.id('booking', 'moved');
delete from public.sms_messages;
select is(pg_temp.tick('24 hours'), 1, 'and moved back to where it was reminded of before');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'moved');
select is((select string_agg(concat_ws(' ', template_key, status, error_code), ', ' order by template_key) from public.sms_messages),
  'booking_cancelled pending, reminder cancelled booking_cancelled', 'cancelled: not sent');
select is(pg_temp.tick('24 hours 1 minute'), 0, 'nor written again');
update public.bookings set status = 'confirmed' where id = tests.id('booking', 'moved');
select is(pg_temp.tick('24 hours 2 minutes'), 1, 'put back before its moment: it is reminded of');
do $$begin perform pg_temp.only('48 hours', 'pending'); end$$;
update public.bookings set status = 'pending' where id = tests.id('booking', 'pending');
select is(pg_temp.tick('24 hours'), 0, 'one that is only asked for is not reminded of');
update public.bookings set status = 'confirmed' where id = tests.id('booking', 'pending');
select is(pg_temp.tick('24 hours 10 minutes'), 1, 'accepted a little later: it is');

-- A worker that was stopped, and clocks that were wrong.
do $$begin perform pg_temp.only('48 hours', 'stopped'); end$$;
select is(pg_temp.tick('49 hours'), 0, 'back after the session: nothing');
select is(pg_temp.tick('24 hours'), 1, 'unless it was the clock that was wrong');
do $$begin perform pg_temp.only('48 hours', 'stopped longer'); end$$;
select is(pg_temp.tick('36 hours'), 0, 'half a day late: nothing');
do $$begin perform pg_temp.only('48 hours', 'stopped for a while'); end$$;
select is(pg_temp.tick('35 hours 59 minutes'), 1, 'less: what is still of use');
do $$begin perform pg_temp.schedule('hour', 60), pg_temp.only('30 hours', 'both'); end$$;
select is(pg_temp.tick('29 hours 30 minutes'), 1, 'of two that are overdue');
select is(pg_temp.outbox(), 'hour pending', 'the one that is still of use');
do $$begin perform pg_temp.schedule('three', 180), pg_temp.only('30 hours', 'both of use'); end$$;
select is(pg_temp.tick('29 hours 30 minutes'), 1, 'of two that are of use');
select is(pg_temp.outbox(), 'hour pending', 'the one whose moment came last');
delete from public.sms_schedules where label = 'three';
do $$begin perform pg_temp.only('30 hours', 'each'); end$$;
select is(pg_temp.tick('6 hours') + pg_temp.tick('29 hours'), 2, 'each in its time');
select is(pg_temp.outbox(), 'day cancelled superseded, hour pending', 'and one that has waited till then gives way');
do $$begin perform pg_temp.only('30 hours', 'each sent'); end$$;
select is(pg_temp.tick('6 hours'), 1, 'a day before');
update public.sms_messages set status = 'sent', provider_message_id = 'SM1';
select is(pg_temp.tick('29 hours'), 1, 'an hour before');
select is(pg_temp.outbox(), 'day sent, hour pending', 'are two texts');
delete from public.sms_schedules where label = 'hour';

-- Many at once.
do $$begin perform pg_temp.only('48 hours', 'one'); end$$;
select tests.booking('two', 'ada', now() + interval '48 hours 1 minute'), tests.booking('three', 'ada', now() + interval '48 hours 1 minute');
delete from public.sms_messages;
select is(pg_temp.tick('25 hours', 2), 2, 'a batch');
select is(pg_temp.tick('25 hours', 2), 1, 'the rest');
select is(pg_temp.tick('25 hours', 2), 0, 'no more');
do $$begin perform pg_temp.schedule('day too', 1440); end$$;
do $$begin perform pg_temp.only('48 hours', 'twins'); end$$;
select is(pg_temp.tick('24 hours'), 2, 'two schedules of one offset are two texts');
select is(pg_temp.outbox(), 'day pending, day pending', 'and neither stands in for the other');
delete from public.sms_schedules where label = 'day too';

-- Whose schedule, whose booking.
do $$begin perform pg_temp.schedule('eve''s', 1440, 'eve'), pg_temp.schedule('eve''s short', 30, 'eve'); end$$;
do $$begin perform pg_temp.only('48 hours', 'of ada'); end$$;
select tests.booking('of eve', 'eve', now() + interval '48 hours');
delete from public.sms_messages;
select is(pg_temp.tick('24 hours'), 2, 'two orgs');
select results_eq('select org_id, body from public.sms_messages order by body',
  $$values (tests.id('org', 'ada'), 'day ' || app.session_time(now() + interval '48 hours', 'Australia/Brisbane')),
           (tests.id('org', 'eve'), 'eve''s ' || app.session_time(now() + interval '48 hours', 'America/New_York'))$$,
  'each by its own schedule and time');
select is(pg_temp.tick('47 hours 30 minutes'), 1, 'and only who has a shorter one, once more');

-- What keeps one from being written: nothing is, and once it no longer does, it is.
create temp table reasons (n integer, off text, on_again text, why text);
insert into reasons values
  (1, 'update public.sms_settings set enabled = false', 'update public.sms_settings set enabled = true', 'texting off'),
  (2, 'update public.sms_settings set twilio_phone_number = null where org_id = tests.id(''org'', ''ada'')',
   'update public.sms_settings set twilio_phone_number = ''+15005550001'' where org_id = tests.id(''org'', ''ada'')', 'no sender'),
  (3, 'update public.sms_settings set send_session_reminders = false', 'update public.sms_settings set send_session_reminders = true', 'reminders off'),
  (4, 'update public.clients set sms_reminder_enabled = false', 'update public.clients set sms_reminder_enabled = true', 'off for this client'),
  (5, 'update public.clients set phone = null', 'update public.clients set phone = ''+61491570156''', 'no phone'),
  (6, 'update public.clients set phone = '' ''', 'update public.clients set phone = ''+61491570156''', 'a blank one');
create function pg_temp.tried(p_reason reasons) returns text language plpgsql as $$
declare
  v_ticks text;
begin
  perform pg_temp.only('48 hours', 'reason ' || p_reason.n);
  execute p_reason.off;
  v_ticks := pg_temp.tick('24 hours');
  execute p_reason.on_again;
  return v_ticks || ' ' || pg_temp.tick('24 hours 1 minute');
end;
$$;
select is(pg_temp.tried(r), '0 1', r.why) from reasons as r order by r.n;

-- A schedule that is edited, while one of its texts waits for the morning.
do $$begin perform pg_temp.only('48 hours', 'edited'), pg_temp.tick('24 hours'); end$$;
update public.sms_schedules set label = 'Day before', sort_order = 3 where id = tests.id('schedule', 'day');
select is(pg_temp.outbox(), 'day pending', 'another label: the same text');
update public.sms_messages set status = 'queued', error_code = 'quiet_hours', scheduled_for = now() + interval '30 hours';
update public.sms_schedules set body = 'new {{client_name}}' where id = tests.id('schedule', 'day');
select is(pg_temp.outbox(), 'day cancelled schedule_changed', 'other words: the old ones are not sent');
select is(pg_temp.tick('24 hours 1 minute'), 1, 'the new ones are');
select is((select string_agg(body, ', ') from public.sms_messages where status = 'pending'), 'new Client', 'as they are');
update public.sms_schedules set enabled = false where id = tests.id('schedule', 'day');
select is((select string_agg(error_code, ', ' order by body) from public.sms_messages), 'schedule_changed, schedule_off', 'switched off: not sent');
select is(pg_temp.tick('24 hours 2 minutes'), 0, 'nor written');
update public.sms_schedules set enabled = true, mins_offset = 2000 where id = tests.id('schedule', 'day');
select is(pg_temp.tick('14 hours 40 minutes'), 1, 'on again, for a moment that is still to come');
do $$begin perform pg_temp.only('30 hours', 'longer offset'); end$$;
update public.sms_schedules set mins_offset = 40 * 60 where id = tests.id('schedule', 'day');
select is(pg_temp.tick('0') + pg_temp.tick('1 hour'), 0, 'an offset that puts its moment into the past: it is missed');
update public.sms_schedules set mins_offset = 60 where id = tests.id('schedule', 'day');
select is(pg_temp.tick('29 hours'), 1, 'one that puts it ahead: then');
select is((select timing_since from public.sms_schedules where id = tests.id('schedule', 'day')), now(), 'it counts from its last change');
update public.sms_schedules set timing_since = now() - interval '1 year' where id = tests.id('schedule', 'day');
select is((select timing_since from public.sms_schedules where id = tests.id('schedule', 'day')), now(), 'whatever a page writes');
delete from public.sms_schedules where id = tests.id('schedule', 'day');
select is(pg_temp.outbox(), 'new cancelled schedule_off', 'deleted: not sent');
select is(pg_temp.tick('29 hours 1 minute'), 0, 'nor written');
-- A booking from long ago, a schedule from just now; a booking from just now, a schedule from long ago.
do $$begin perform pg_temp.schedule('new', 60), pg_temp.only('59 minutes', 'old'); end$$;
set local session_replication_role = replica;
update public.bookings set text_version_at = now() - interval '9 days' where id = tests.id('booking', 'old');
set local session_replication_role = origin;
select is(pg_temp.tick('1 minute'), 0, 'a schedule that was made after its moment does not remind');
set local session_replication_role = replica;
update public.bookings set text_version_at = now() where id = tests.id('booking', 'old');
update public.sms_schedules set timing_since = now() - interval '9 days' where label = 'new';
set local session_replication_role = origin;
select is(pg_temp.tick('2 minutes'), 0, 'nor of a booking that was');
set local session_replication_role = replica;
update public.bookings set text_version_at = now() - interval '9 days' where id = tests.id('booking', 'old');
set local session_replication_role = origin;
select is(pg_temp.tick('3 minutes'), 1, 'both were there: it does');
set local session_replication_role = replica;  -- as if switched off at the moment at which the tick wrote it
update public.sms_schedules set enabled = false where label = 'new';
set local session_replication_role = origin;
select is_empty($$select 1 from app.claim_sms(now() + interval '3 minutes') where body ~ 'new'$$, 'switched off meanwhile: not sent');
select is(pg_temp.outbox(), 'new cancelled schedule_off', 'and it says why');
delete from public.sms_schedules;
-- What fell due before the edit and waits: in the new words, at once.
do $$begin perform pg_temp.schedule('past', 60), pg_temp.only('30 minutes', 'waits'); end$$;
insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body, template_key, related_entity_type, related_entity_id,
  schedule_id, status, error_code, scheduled_for)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), '+61491570156', '+15005550001', 'old', 'reminder', 'booking',
        tests.id('booking', 'waits'), tests.id('schedule', 'past'), 'queued', 'quiet_hours', now() + interval '10 minutes');
update public.sms_schedules set body = 'new', mins_offset = 90 where id = tests.id('schedule', 'past');
select is((select string_agg(concat_ws(' ', body, status, error_code), ', ' order by body) from public.sms_messages),
  'new pending, old cancelled schedule_changed', 'what was due and waits is due in its new words');
delete from public.sms_schedules;

-- Follow-ups of a schedule that is edited.
delete from public.sms_messages;
insert into public.sms_schedules (id, org_id, type, label, mins_offset, body)
values (tests.id('schedule', 'thanks'), tests.id('org', 'ada'), 'post_session', 'Thanks', 120, 'thanks');
select tests.booking('done', 'ada', now() - interval '90 minutes'), tests.booking('done long ago', 'ada', now() - interval '9 days');
update public.bookings set status = 'completed' where id in (tests.id('booking', 'done'), tests.id('booking', 'done long ago'));
create function pg_temp.thanks(p_booking text default 'done') returns text language sql as $$
  select string_agg(concat_ws(' ', m.body, m.status, m.error_code, m.scheduled_for - b.end_time), ', ' order by m.status desc, m.body)
    from public.sms_messages as m join public.bookings as b on b.id = m.related_entity_id
   where b.id = tests.id('booking', p_booking) and m.status <> 'cancelled';
$$;
select is(pg_temp.thanks(), 'thanks pending 02:00:00', 'two hours after');
update public.sms_schedules set body = 'thank you', mins_offset = 180 where id = tests.id('schedule', 'thanks');
select is(pg_temp.thanks(), 'thank you pending 03:00:00', 'edited: its new words, at its new time');
select is(pg_temp.thanks('done long ago'), 'thank you pending 03:00:00', 'whatever waited');
update public.sms_schedules set enabled = false where id = tests.id('schedule', 'thanks');
select is(pg_temp.thanks(), null, 'switched off: none');
update public.sms_schedules set enabled = true where id = tests.id('schedule', 'thanks');
select is(pg_temp.thanks(), 'thank you pending 03:00:00', 'on again: what is still to come');
select is(pg_temp.thanks('done long ago'), null, 'and nothing of what was');
update public.sms_messages set status = 'sent', provider_message_id = id where status = 'pending';
update public.sms_schedules set body = 'thx', mins_offset = 300 where id = tests.id('schedule', 'thanks');
select is(pg_temp.thanks(), 'thank you sent 03:00:00', 'what is sent is not sent again');
insert into public.sms_schedules (id, org_id, type, label, mins_offset, body)
values (tests.id('schedule', 'next day'), tests.id('org', 'ada'), 'post_session', 'Next day', 1440, 'next day');
select is(pg_temp.thanks(), 'thank you sent 03:00:00, next day pending 1 day', 'a new schedule: for what is still to come');
select is(pg_temp.thanks('done long ago'), null, 'not for what was');
delete from public.sms_schedules where id = tests.id('schedule', 'next day');
select is(pg_temp.thanks(), 'thank you sent 03:00:00', 'deleted: none');
update public.sms_schedules set type = 'pre_session' where id = tests.id('schedule', 'thanks');
select is(pg_temp.thanks(), 'thank you sent 03:00:00', 'turned into a reminder: nothing of the past');
select lives_ok($$delete from public.orgs where id = tests.id('org', 'eve')$$, 'an org goes with all of it');
delete from public.sms_schedules;

-- The warning.
do $$begin perform pg_temp.only('40 hours', 'unconfirmed'); end$$;
select is(pg_temp.tick('14 hours'), 0, 'who was not asked is not warned');
update public.bookings set confirmation_sent_at = now() where id = tests.id('booking', 'unconfirmed');
select is(pg_temp.tick('13 hours 59 minutes'), 0, 'nor more than 26 hours ahead');
select is(pg_temp.tick('14 hours 1 minute'), 1, 'who was, and has not answered, is');
select results_eq('select template_key, body, scheduled_for from public.sms_messages',
  $$values ('unconfirmed_warning', format('Hi Client, your session on %s is not confirmed yet. Reply Y to confirm. ada',
            app.session_time(now() + interval '40 hours', 'Australia/Brisbane')), now() + interval '14 hours')$$, 'of what');
select is(pg_temp.tick('14 hours 2 minutes'), 0, 'once');
update public.bookings set client_confirmed = true where id = tests.id('booking', 'unconfirmed');
select is_empty($$select 1 from app.claim_sms(now() + interval '14 hours 3 minutes')$$, 'a Y in between');
select is((select error_code from public.sms_messages), 'already_confirmed', 'makes it pointless');
do $$begin perform pg_temp.only('40 hours', 'confirmed'); end$$;
update public.bookings set confirmation_sent_at = now(), client_confirmed = true where id = tests.id('booking', 'confirmed');
select is(pg_temp.tick('14 hours'), 0, 'who has confirmed is not warned');
do $$begin perform pg_temp.only('27 hours', 'just asked'); end$$;
update public.bookings set confirmation_sent_at = now() + interval '59 minutes' where id = tests.id('booking', 'just asked');
select is(pg_temp.tick('1 hour'), 0, 'nor who was asked a minute ago');
do $$begin perform pg_temp.only('40 hours', 'switched off'); end$$;
update public.bookings set confirmation_sent_at = now() where id = tests.id('booking', 'switched off');
update public.sms_settings set send_session_reminders = false;
select is(pg_temp.tick('14 hours'), 0, 'reminders off: no warning');
update public.sms_settings set send_session_reminders = true;
update public.clients set sms_reminder_enabled = false;
select is(pg_temp.tick('14 hours 1 minute'), 0, 'nor to a client who wants no reminders');

-- Quiet hours: 21 to 8.
update public.clients set sms_reminder_enabled = true;
update public.sms_settings set quiet_hours_start = 21, quiet_hours_end = 8;
do $$begin perform pg_temp.schedule('day', 1440), pg_temp.schedule('hour', 60); end$$;
create function pg_temp.at_soon(p_days integer, p_hour integer) returns integer language plpgsql as $$
begin
  perform app.queue_reminders(tests.soon(p_days, p_hour));
  return (select count(*) from app.claim_sms(tests.soon(p_days, p_hour)));
end;
$$;
update public.bookings set status = 'cancelled' where start_time > now();
select tests.booking('early', 'ada', tests.soon(3, 6));
delete from public.sms_messages;
select is(pg_temp.at_soon(2, 6), 0, 'a reminder that falls into the night');
select results_eq('select status, error_code, scheduled_for, expires_at from public.sms_messages',
  $$values ('queued', 'quiet_hours', tests.soon(2, 8), tests.soon(2, 20))$$, 'waits for the morning, and is of use for half a day from there');
select is(pg_temp.at_soon(2, 8), 1, 'and is sent then');
update public.sms_messages set status = 'sent', provider_message_id = 'SM2';
select is(pg_temp.at_soon(3, 5), 0, 'one that would wait till after the start');
select is((select string_agg(concat_ws(' ', status, error_code), ', ' order by scheduled_for) from public.sms_messages),
  'sent, cancelled quiet_hours_too_late', 'is not sent at all, and says why');
select tests.booking('half past', 'ada', tests.soon(5, 8) + interval '30 minutes');
delete from public.sms_messages;
update public.sms_schedules set mins_offset = 660 where label = 'day';
select is(pg_temp.at_soon(4, 22), 0, 'two of one night');
select is(pg_temp.at_soon(5, 7), 0, 'both before the morning');
do $$begin perform app.queue_reminders(tests.soon(5, 7) + interval '30 minutes'); end$$;
select is((select string_agg(c.body, ', ') from app.claim_sms(tests.soon(5, 8)) as c),
  'hour ' || app.session_time(tests.soon(5, 8) + interval '30 minutes', 'Australia/Brisbane'), 'are one in the morning');

select * from finish();
rollback;
