-- SMS-01 to SMS-04: what is queued with what it says, and what may be sent when.
begin;
select plan(106);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550002', quiet_hours_start = null, quiet_hours_end = null
 where org_id = tests.id('org', 'eve');
create function pg_temp.texts(p_booking text, p_kind text) returns setof public.sms_messages language sql as $$
  select m.* from public.sms_messages as m
   where m.related_entity_id = tests.id('booking', p_booking) and m.template_key = p_kind;
$$;
create function pg_temp.text(p_booking text, p_kind text default 'booking_confirmation') returns public.sms_messages
language sql as $$
  select pg_temp.texts(p_booking, p_kind);
$$;

-- app.render_sms_template().
create temp table renderings (template text, variables jsonb, expected text, why text);
insert into renderings values
  ('Hi {{name}}!', '{"name": "Ann"}', 'Hi Ann!', 'a placeholder'),
  ('{{a}}{{b}} {{a}}', '{"a": "1", "b": "2"}', '12 1', 'several, next to each other, repeated'),
  ('Hi {{ name }}.', '{"name": "Ann"}', 'Hi Ann.', 'spaces within'),
  ('Hi {{name}}!', '{}', 'Hi !', 'one that is missing becomes empty'),
  ('Hi {{name}}!', '{"name": null}', 'Hi !', 'so does null'),
  ('{{n}} left', '{"n": 0}', '0 left', 'a number'),
  ('no placeholder', '{"name": "Ann"}', 'no placeholder', 'none at all'),
  ('', '{}', '', 'an empty template'),
  ('{{name}} { {name} } {name}', '{"name": "Ann"}', 'Ann { {name} } {name}', 'single braces are text'),
  (E'Hi {{name}},\nsee you', '{"name": "Ann"}', E'Hi Ann,\nsee you', 'over several lines'),
  ('{{a}} {{b}}', '{"a": "{{b}}", "b": "secret"}', '{{b}} secret', 'a value that looks like a placeholder is text'),
  ('{{a}}b}}', '{"a": "{{", "b": "secret"}', '{{b}}', 'also when it only opens one'),
  ('{{a}}', '{"a": "\\1 & $1 %s \\\\"}', '\1 & $1 %s \\', 'nothing in a value is special');
select is(app.render_sms_template(r.template, r.variables), r.expected, format('render: %s', r.why)) from renderings as r;

-- A booking queues its confirmation, in the org's time, whatever zone the session has.
set local timezone = 'Pacific/Kiritimati';
select tests.booking('kiritimati', 'ada', '2099-03-02 23:00Z');
set local timezone = 'America/Los_Angeles';
select tests.booking('los angeles', 'ada', '2099-03-02 23:00Z');
select tests.booking('new york', 'eve', '2099-07-02 01:30Z');
set local timezone = 'UTC';
select results_eq(
  $$select body, to_phone, from_phone, client_id, org_id, status from pg_temp.texts('kiritimati', 'booking_confirmation')$$,
  $$values ('Hi Client, you are booked for Tue 3 Mar at 9:00 am. Reply Y to confirm. ada', '+61491570156',
            '+15005550001', tests.id('client', 'ada'), tests.id('org', 'ada'), 'pending')$$,
  'a booking queues one confirmation: the org''s time, number and name, the client''s first name');
select is((pg_temp.text('los angeles')).body, (pg_temp.text('kiritimati')).body,
  'a session in another zone writes the same words');
select matches((pg_temp.text('new york')).body, 'Wed 1 Jul at 9:30 pm', 'another org has its own time');
select is((select count(*) from pg_temp.texts('new york', 'booking_confirmation')), 1::bigint, 'once');
update public.bookings set notes = 'bring water', status = 'confirmed' where id = tests.id('booking', 'new york');
select is((select count(*) from pg_temp.texts('new york', 'booking_confirmation')), 1::bigint, 'an edit queues no second one');
savepoint names;
update public.clients set full_name = '{{coach_name}} {{x}}' where id = tests.id('client', 'ada');
select tests.booking('named like a placeholder', 'ada', '2099-03-02 23:00Z');
select matches((pg_temp.text('named like a placeholder')).body, '^Hi \{\{coach_name\}\}, ', 'a client''s name is never a template');
rollback to names;

-- What queues none.
select tests.booking('past', 'ada', '2020-01-01 00:00Z');
select is((pg_temp.text('past')).id, null, 'a booking in the past queues none');
insert into public.bookings (id, org_id, client_id, start_time, end_time, status)
values (tests.id('booking', 'pending'), tests.id('org', 'ada'), tests.id('client', 'ada'), '2099-03-05', '2099-03-06', 'pending');
select is((pg_temp.text('pending')).id, null, 'a pending one queues none');
savepoint settings;
update public.sms_settings set enabled = false where org_id = tests.id('org', 'ada');
select tests.booking('texting off', 'ada', '2099-03-02 23:00Z');
select is((pg_temp.text('texting off')).id, null, 'an org that does not text queues none');
update public.sms_settings set enabled = true, twilio_phone_number = null where org_id = tests.id('org', 'ada');
select tests.booking('no sender', 'ada', '2099-03-02 23:00Z');
select is((pg_temp.text('no sender')).id, null, 'an org without a number queues none');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.clients set phone = null where id = tests.id('client', 'ada');
select tests.booking('no phone', 'ada', '2099-03-02 23:00Z');
select is((pg_temp.text('no phone')).id, null, 'a client without a phone gets none');
rollback to settings;

-- Orgs are apart: a stranger who knows a client's id learns neither number nor name.
update public.clients set phone = '+61491570777', full_name = 'Secret Client' where id = tests.id('client', 'ada');
update public.clients set phone = '+61491570888' where id = tests.id('client', 'eve');
select tests.act_as('eve');
do $$
begin
  insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)
  values (tests.id('org', 'eve'), tests.id('client', 'ada'), tests.id('pack', 'ada'), '2099-03-02 23:00Z', '2099-03-03 00:00Z');
exception when others then
  null;  -- refusing the booking is as good
end;
$$;
select is_empty($$select 1 from public.sms_messages where to_phone = '+61491570777' or body ~ 'Secret'$$,
  'a booking with another org''s client texts nobody and shows nothing');
select tests.act_as_admin();
delete from public.bookings where org_id = tests.id('org', 'eve') and client_id = tests.id('client', 'ada');
update public.clients set phone = '+61491570156', full_name = 'Client Of ada' where id = tests.id('client', 'ada');

-- A completed booking queues its follow-ups, which count the session just used.
update public.sms_schedules set mins_offset = 90, body = 'Left: {{sessions_remaining}}, {{session_datetime}}'
 where org_id = tests.id('org', 'ada') and type = 'post_session';
insert into public.sms_schedules (id, org_id, type, label, mins_offset, body, enabled)
values (tests.id('schedule', 'second'), tests.id('org', 'ada'), 'post_session', 'Second', 1440, 'Second', true),
       (tests.id('schedule', 'off'), tests.id('org', 'ada'), 'post_session', 'Off', 1, 'Off', false);
select tests.booking('done', 'ada', '2026-01-05 00:00Z');
set local timezone = 'America/Los_Angeles';
update public.bookings set status = 'completed' where id = tests.id('booking', 'done');
set local timezone = 'UTC';
select results_eq(
  $$select body, scheduled_for, status from pg_temp.texts('done', 'follow_up') order by scheduled_for$$,
  $$values ('Left: 9, Mon 5 Jan at 10:00 am', '2026-01-05 02:30Z'::timestamptz, 'pending'),
           ('Second', '2026-01-06 01:00Z', 'pending')$$,
  'one text per schedule that is on, after the end by its offset, with the session counted and the org''s time');
update public.bookings set status = 'completed' where id = tests.id('booking', 'done');
select is((select count(*) from pg_temp.texts('done', 'follow_up')), 2::bigint, 'completed again: none more');
update public.bookings set status = 'confirmed' where id = tests.id('booking', 'done');
update public.bookings set status = 'completed' where id = tests.id('booking', 'done');
select is((select count(*) from pg_temp.texts('done', 'follow_up')), 2::bigint, 'reopened and completed: none more');
select is((select count(*) from pg_temp.texts('done', 'booking_confirmation')), 0::bigint, 'and no confirmation');
update public.clients set sms_followup_enabled = false where id = tests.id('client', 'ada');
select tests.booking('no follow-up', 'ada', '2026-01-06 00:00Z');
update public.bookings set status = 'completed' where id = tests.id('booking', 'no follow-up');
select is((pg_temp.text('no follow-up', 'follow_up')).id, null, 'a client who wants none gets none');
update public.clients set sms_followup_enabled = true where id = tests.id('client', 'ada');

-- Cancelling takes back what has not been sent.
select tests.booking('to cancel', 'ada', '2099-03-02 23:00Z');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'to cancel');
select results_eq($$select status, error_code from pg_temp.texts('to cancel', 'booking_confirmation')$$,
  $$values ('cancelled', 'booking_cancelled')$$, 'cancelled: its confirmation is taken back, with the reason');
select is((pg_temp.text('kiritimati')).status, 'pending', 'and no other');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'done');
select is_empty($$select 1 from pg_temp.texts('done', 'follow_up') where status <> 'cancelled'$$,
  'a completed booking that is cancelled takes its follow-ups back');
delete from public.sms_messages;

-- app.claim_sms(): what is due, each to one caller. Only the worker's.
create function tests.queued(
  p_name text, p_org text, p_at timestamptz, p_kind text default null, p_booking text default null,
  p_phone text default '+61491570156'
) returns void language plpgsql as $$
begin
  insert into public.sms_messages
    (id, org_id, to_phone, from_phone, body, scheduled_for, template_key, related_entity_type, related_entity_id)
  values (tests.id('text', p_name), tests.id('org', p_org), p_phone, '+15005550002', p_name, p_at, p_kind,
          case when p_booking is not null then 'booking' end, tests.id('booking', p_booking));
end;
$$;
create function tests.claim(p_now timestamptz, p_limit integer default 50) returns text language plpgsql as $$
declare
  v_bodies text;
begin
  perform tests.act_as_role('coach_os_worker');
  select string_agg(c.body, ', ' order by c.body) into v_bodies from app.claim_sms(p_now, p_limit) as c;
  perform tests.act_as_admin();
  return v_bodies;
end;
$$;
create function pg_temp.fate(p_name text) returns text language sql as $$
  select concat_ws(' ', m.status, m.error_code) from public.sms_messages as m where m.id = tests.id('text', p_name);
$$;
select tests.act_as_role('coach_os_sidecar');
select throws_ok('select * from app.claim_sms()', '42501', 'permission denied for function claim_sms',
  'only the worker claims texts');
select tests.act_as_admin();
select tests.queued('a', 'eve', '2098-01-01 10:00Z'), tests.queued('b', 'eve', '2098-01-01 12:00Z');
select tests.queued('c', 'eve', '2098-01-01 12:00:01Z');
select results_eq(
  $$select message_id, to_phone, from_phone, body from app.claim_sms('2098-01-01 12:00Z', 1)$$,
  $$values (tests.id('text', 'a'), '+61491570156', '+15005550002', 'a')$$, 'the one due longest, when one is asked for');
select is(pg_temp.fate('a'), 'sending', 'it is being sent');
select is((select locked_until > '2098-01-01 12:00Z' from public.sms_messages where body = 'a'), true, 'for a while');
select is(tests.claim('2098-01-01 12:00Z'), 'b', 'due at this instant, and not the one a second later, nor the claimed one');
select is(tests.claim('2098-01-01 12:00Z'), null, 'each once');
select is(tests.claim('2098-01-01 12:30Z'), 'c', 'later the next');
select is(tests.claim('2098-02-01'), null, 'and none is handed out again, however late');

-- What may not be sent, and why.
insert into public.sms_suppression (org_id, phone, reason)
values (tests.id('org', 'ada'), '+61491570888', 'opt_out'), (tests.id('org', 'eve'), '+61491570999', 'opt_out');
select tests.queued('stopped', 'eve', '2098-03-01', p_phone => '+61491570999');
select tests.queued('stopped elsewhere', 'eve', '2098-03-01', p_phone => '+61491570888');
select is(tests.claim('2098-03-01 12:00Z'), 'stopped elsewhere', 'a number stopped at another org may be texted');
select is(pg_temp.fate('stopped'), 'cancelled number_suppressed', 'one stopped at this org may not');
select tests.queued('switched off', 'eve', '2098-03-02');
update public.sms_settings set enabled = false where org_id = tests.id('org', 'eve');
select is(tests.claim('2098-03-02 12:00Z'), null, 'an org that has switched texting off');
select is(pg_temp.fate('switched off'), 'cancelled sms_disabled', 'sends nothing');
update public.sms_settings set enabled = true where org_id = tests.id('org', 'eve');
-- The booking no longer stands. The bookings' own texts are not the point here.
select tests.booking(n, 'eve', '2098-04-01 12:00Z')
  from unnest(array['stands', 'cancelled', 'no show', 'deleted', 'reopened', 'done stands']) as n;
delete from public.sms_messages;
update public.bookings set status = 'completed' where id in (tests.id('booking', 'reopened'), tests.id('booking', 'done stands'));
insert into public.sms_messages (org_id, to_phone, from_phone, body, scheduled_for)
values (tests.id('org', 'eve'), '+61491570156', '+15005550002', 'about nothing', '2098-03-03');
select tests.queued(n, 'eve', '2098-03-03', 'booking_confirmation', n)
  from unnest(array['stands', 'cancelled', 'no show', 'deleted']) as n;
select tests.queued('started', 'eve', '2098-03-03', 'booking_confirmation', 'stands');
set local session_replication_role = replica;  -- not through the trigger, which would take them back itself
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'cancelled');
update public.bookings set status = 'no_show' where id = tests.id('booking', 'no show');
delete from public.bookings where id = tests.id('booking', 'deleted');
set local session_replication_role = origin;
update public.sms_messages set scheduled_for = '2098-04-01 12:00Z' where body = 'started';
select is(tests.claim('2098-03-03 12:00Z'), 'about nothing, stands', 'the confirmation of a booking that stands is sent');
select is(pg_temp.fate('cancelled'), 'cancelled booking_cancelled', 'not that of a cancelled booking');
select is(pg_temp.fate('no show'), 'cancelled booking_no_longer_stands', 'nor of another that is confirmed no more');
select is(pg_temp.fate('deleted'), 'cancelled booking_no_longer_stands', 'nor of one that is gone');
select is(tests.claim('2098-04-01 12:00Z'), null, 'nor, once it has begun');
select is(pg_temp.fate('started'), 'cancelled too_late', 'of a booking that stands');
-- A follow-up is about a session that took place.
delete from public.sms_messages where body not like 'Hi %';
update public.bookings set status = 'no_show' where id = tests.id('booking', 'reopened');
select isnt(tests.claim('2098-04-03'), null, 'the follow-up of a completed booking is sent');
select is((pg_temp.text('done stands', 'follow_up')).status, 'sending', 'that one');
select is((pg_temp.text('reopened', 'follow_up')).status, 'cancelled', 'that of a booking that turned out a no-show is not');
-- A booking that moved while its text waited for the morning.
delete from public.sms_messages;
select tests.booking('to move', 'eve', '2099-04-02 14:00Z');
update public.bookings set start_time = '2099-04-03 15:00Z', end_time = '2099-04-03 16:00Z'
 where id = tests.id('booking', 'to move');
select is(coalesce(tests.claim('2099-04-01 12:00Z'), '') ~ 'Thu 2 Apr', false, 'a moved booking is not confirmed with its old time');
delete from public.sms_messages;

-- Quiet hours, in the org's time: 21 to 8 in Brisbane is 11:00Z to 22:00Z.
select tests.queued('evening', 'ada', '2098-05-01 11:00Z'), tests.queued('before', 'ada', '2098-05-01 10:00Z');
select tests.queued('elsewhere', 'eve', '2098-05-01 11:00Z');
select is(tests.claim('2098-05-01 10:59:59Z'), 'before', 'until quiet hours begin texts are sent');
select is(tests.claim('2098-05-01 11:00Z'), 'elsewhere', 'from then on only where there are none');
select results_eq($$select status, scheduled_for, error_code from public.sms_messages where body = 'evening'$$,
  $$values ('queued', '2098-05-01 22:00Z'::timestamptz, 'quiet_hours')$$, 'the text waits for their end, and says why');
select is(tests.claim('2098-05-01 21:59:59Z'), null, 'through the night');
select is(tests.claim('2098-05-01 22:00Z'), 'evening', 'and is sent as they end');
select is(pg_temp.fate('evening'), 'sending', 'without a reason against it any more');
select tests.queued('stopped at night', 'ada', '2098-05-01 11:00Z', p_phone => '+61491570888');
select is(tests.claim('2098-05-02 12:00Z'), null, 'one that may not be sent at all');
select is(pg_temp.fate('stopped at night'), 'cancelled number_suppressed', 'does not wait');
update public.sms_settings set quiet_hours_start = 9, quiet_hours_end = 9 where org_id = tests.id('org', 'ada');
select tests.queued('equal', 'ada', '2098-05-02 23:00Z');
select is(tests.claim('2098-05-02 23:30Z'), 'equal', 'equal hours are no quiet hours');
update public.sms_settings set quiet_hours_start = 12, quiet_hours_end = 14 where org_id = tests.id('org', 'ada');
select tests.queued('noon', 'ada', '2098-05-03 02:00Z');
select is(tests.claim('2098-05-03 02:00Z'), null, 'hours that do not wrap, at noon');
select is((select scheduled_for from public.sms_messages where body = 'noon'), '2098-05-03 04:00Z', 'wait for the afternoon');
select is(tests.claim('2098-05-03 04:00Z'), 'noon', 'and are sent then');

-- app.settle_sms(): what became of it.
delete from public.sms_messages;
create function tests.settle(p_name text, p_outcome text, p_sid text default null, p_code text default null) returns text
language plpgsql as $$
declare
  v_done boolean;
begin
  perform tests.act_as_role('coach_os_worker');
  v_done := app.settle_sms(tests.id('text', p_name), p_outcome, p_sid, p_code, '2098-06-01 12:00:05Z');
  perform tests.act_as_admin();
  return case when v_done then 'settled' else 'was not being sent' end;
end;
$$;
update public.bookings set start_time = '2098-07-01 12:00Z', end_time = '2098-07-01 13:00Z'
 where id = tests.id('booking', 'stands');
delete from public.sms_messages;
select tests.queued('sent', 'eve', '2098-06-01', 'booking_confirmation', 'stands');
select tests.queued(n, 'eve', '2098-06-01') from unnest(array['failed', 'retry', 'unknown', 'left']) as n;
select tests.queued('waiting', 'eve', '2098-06-02');
select is(tests.settle('sent', 'sent', 'SM1'), 'was not being sent', 'only a claimed text is settled');
select is(tests.claim('2098-06-01 12:00Z'), 'failed, left, retry, sent, unknown', 'five are claimed');
select throws_ok($$select app.settle_sms(tests.id('text', 'left'), 'delivered')$$, 'PT400', 'outcome_invalid', 'an unknown outcome');
select throws_ok($$select app.settle_sms(tests.id('text', 'left'), null)$$, 'PT400', 'outcome_invalid', 'no outcome');
select throws_ok($$select app.settle_sms(tests.id('text', 'left'), 'sent')$$, '23514',
  'new row for relation "sms_messages" violates check constraint "sms_messages_sent_has_provider_id"',
  'nothing is sent without the provider''s id');
select is(tests.settle('sent', 'sent', 'SM1'), 'settled', 'sent');
select results_eq(
  $$select status, provider_message_id, sent_at, locked_until from public.sms_messages where body = 'sent'$$,
  $$values ('sent', 'SM1', '2098-06-01 12:00:05Z'::timestamptz, null::timestamptz)$$, 'with the id and the time');
select is((select confirmation_sent_at from public.bookings where id = tests.id('booking', 'stands')),
  '2098-06-01 12:00:05Z', 'a booking whose confirmation was sent waits for a Y');
select is(tests.settle('sent', 'failed', null, '30006'), 'was not being sent', 'settled once');
select is(tests.settle('failed', 'failed', null, '30006'), 'settled', 'failed');
select is(pg_temp.fate('failed'), 'failed 30006', 'with the provider''s code');
select is(tests.settle('unknown', 'unknown', null, 'timeout'), 'settled', 'the provider never answered');
select is(pg_temp.fate('unknown'), 'unknown timeout', 'nobody knows');
select is(tests.settle('retry', 'retry', null, '429'), 'settled', 'to be tried again');
select is(tests.claim('2098-06-01 12:00:06Z'), null, 'not at once');
select is(tests.claim('2098-06-01 12:01:30Z'), 'retry', 'but soon, and of all the others none is sent again');
select is(pg_temp.fate('retry'), 'sending', 'as if for the first time');
select is(tests.settle('retry', 'sent', 'SM2'), 'settled', 'and this time it is sent');
select is(app.settle_sms(gen_random_uuid(), 'failed'), false, 'a text that is not there');

-- app.record_sms_status(): callbacks in any order, as often as they like.
create function tests.callback(p_sid text, p_status text, p_code text default null, p_message_id uuid default null)
  returns text language plpgsql as $$
declare
  v_ours boolean;
begin
  perform tests.act_as_role('coach_os_sidecar');
  v_ours := app.record_sms_status(p_sid, p_status, p_code, p_message_id, '2098-06-01 12:02Z');
  perform tests.act_as_admin();
  return case when v_ours then 'ours' else 'unknown' end;
end;
$$;
select is(tests.callback('SM999', 'delivered'), 'unknown', 'a text that is not ours');
select is(tests.callback('SM1', 'queued'), 'ours', 'on its way');
select is(tests.callback('SM1', 'sent'), 'ours', 'to the carrier');
select is(pg_temp.fate('sent'), 'sent', 'changes nothing');
select is(tests.callback('SM1', 'delivered'), 'ours', 'delivered');
select results_eq($$select status, delivered_at from public.sms_messages where body = 'sent'$$,
  $$values ('delivered', '2098-06-01 12:02Z'::timestamptz)$$, 'is delivered');
do $$
begin
  perform tests.callback('SM1', s, '30005') from unnest(array['failed', 'undelivered', 'sent', 'queued', 'delivered']) as s;
end;
$$;
select results_eq($$select status, error_code, failed_at from public.sms_messages where body = 'sent'$$,
  $$values ('delivered', null, null::timestamptz)$$, 'whatever comes after it');
select is(tests.callback('SM2', 'undelivered', '30003'), 'ours', 'not delivered');
select is(pg_temp.fate('retry'), 'failed 30003', 'has failed, with the code');
select is(tests.callback('SM2', 'sent'), 'ours', 'a late callback');
select is(pg_temp.fate('retry'), 'failed 30003', 'does not bring it back');
select is_empty($$select 1 from public.sms_events group by provider_message_id, event_status having count(*) > 1$$,
  'each status of a text is kept once');
select is_empty($$select 1 from public.sms_events where event_payload::text ~ '\+?61491'$$, 'without its number');

-- A callback can overtake our own note of Twilio's answer, or tell of a text whose answer was lost.
insert into public.sms_messages (id, org_id, to_phone, from_phone, body, status)
values (tests.id('text', 'early'), tests.id('org', 'ada'), '+61491570156', '+15005550006', 'early', 'sending'),
       (tests.id('text', 'lost'), tests.id('org', 'ada'), '+61491570156', '+15005550006', 'lost', 'unknown');
select is(tests.callback('SM7', 'delivered', null, tests.id('text', 'early')), 'ours', 'found by our own id');
select is(app.settle_sms(tests.id('text', 'early'), 'sent', 'SM7'), false, 'our note comes too late');
select results_eq($$select status, provider_message_id from public.sms_messages where body = 'early'$$,
  $$values ('delivered', 'SM7')$$, 'and changes nothing');
select is(tests.callback('SM8', 'sent', null, tests.id('text', 'lost')), 'ours', 'Twilio tells of an unknown one');
select results_eq($$select status, provider_message_id from public.sms_messages where body = 'lost'$$,
  $$values ('sent', 'SM8')$$, 'so it was sent');

-- The worker was stopped for days: what it would thank for is too long ago.
select tests.booking('old', 'ada', '2098-05-20 12:00+10');
insert into public.sms_messages
  (org_id, to_phone, from_phone, body, template_key, related_entity_type, related_entity_id, scheduled_for)
values (tests.id('org', 'ada'), '+61491570156', '+15005550006', 'late', 'follow_up', 'booking', tests.id('booking', 'old'),
        '2098-05-20 14:00+10');
update public.bookings set status = 'completed' where id = tests.id('booking', 'old');
select is_empty($$select 1 from app.claim_sms('2098-05-23 12:00+10') where body = 'late'$$, 'two days after, no thanks');
select results_eq($$select status, error_code from public.sms_messages where body = 'late'$$,
  $$values ('cancelled', 'too_late')$$, 'and it says why');

select * from finish();
rollback;
