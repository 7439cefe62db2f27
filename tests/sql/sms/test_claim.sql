-- What is looked at again when a text is about to be sent: switches, limits, quiet hours and their exceptions. That of
-- the booking and the number: test_outbox.sql, test_booking_texts.sql.
begin;
select plan(55);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
update public.sms_settings set twilio_phone_number = '+15005550001', quiet_hours_start = null, quiet_hours_end = null
 where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550002', quiet_hours_start = null, quiet_hours_end = null
 where org_id = tests.id('org', 'eve');
insert into public.clients (id, org_id, full_name, phone)
values (tests.id('client', 'bob'), tests.id('org', 'ada'), 'Bob Roe', '+61491570158');
-- A text to a client of an org, due at an instant; of two at one instant the first comes first.
create function pg_temp.text(
  p_body text, p_at timestamptz, p_client text default 'ada', p_org text default 'ada', p_kind text default null,
  p_expires timestamptz default null, p_metadata jsonb default '{}'
) returns void language sql as $$
  insert into public.sms_messages (id, org_id, client_id, to_phone, from_phone, body, scheduled_for, template_key, expires_at, metadata, created_at)
  values (tests.id('text', p_body), tests.id('org', p_org), case when p_client <> 'coach' then tests.id('client', p_client) end,
          '+61491570156', '+15005550099', p_body, p_at, p_kind, p_expires, p_metadata, clock_timestamp());
$$;
create function pg_temp.claim(p_now timestamptz, p_limit integer default 50) returns text language sql as $$
  select string_agg(c.body, ', ' order by c.body) from app.claim_sms(p_now, p_limit) as c;
$$;
create function pg_temp.fate(p_body text) returns text language sql as $$
  select concat_ws(' ', m.status, m.error_code, case when m.status = 'queued' then to_char(m.scheduled_for at time zone 'UTC', 'DD HH24:MI') end)
    from public.sms_messages as m where m.id = tests.id('text', p_body);
$$;
-- As if Twilio had answered, of all that are being sent.
create function pg_temp.settle(p_outcome text default 'sent') returns void language sql as $$
  select app.settle_sms(m.id, p_outcome, case p_outcome when 'sent' then m.id::text end, case p_outcome when 'sent' then null else '30001' end)
    from public.sms_messages as m where m.status = 'sending';
$$;

-- The sender as it is now.
do $$begin perform pg_temp.text('sender', '2098-01-01'); end$$;
select results_eq($$select from_phone, body from app.claim_sms('2098-01-01')$$, $$values ('+15005550001', 'sender')$$,
  'a text leaves from the number that the org has now');
select is((select from_phone from public.sms_messages), '+15005550001', 'and says so');
update public.sms_settings set twilio_phone_number = null where org_id = tests.id('org', 'ada');
do $$begin perform pg_temp.text('no sender', '2098-01-01'); end$$;
select is(pg_temp.claim('2098-01-01'), null, 'without a number nothing leaves');
select is(pg_temp.fate('no sender'), 'cancelled sms_sender_missing', 'and it says why');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');

-- Switches that were thrown after a text was queued: kind by switch.
create temp table switches as
select * from (values
  (1, 'sms_settings', 'send_booking_confirmations', 'confirmations_off', '{booking_confirmation,booking_moved,booking_cancelled}'::text[]),
  (2, 'sms_settings', 'send_session_reminders', 'reminders_off', '{reminder,unconfirmed_warning}'),
  (3, 'sms_settings', 'send_feedback_requests', 'follow_ups_off', '{follow_up}'),
  (4, 'clients', 'sms_reminder_enabled', 'client_reminders_off', '{reminder,unconfirmed_warning}'),
  (5, 'clients', 'sms_followup_enabled', 'client_follow_ups_off', '{follow_up}')) as v (n, tbl, col, code, kinds);
create function pg_temp.thrown(p_switch switches) returns text language plpgsql as $$
declare
  v_seen text;
begin
  update public.sms_settings set max_sms_per_client_per_day = null, max_sms_per_hour = null;
  execute format('update public.%I set %I = false', p_switch.tbl, p_switch.col);
  delete from public.sms_messages;
  perform pg_temp.text(k, '2098-01-01', p_kind => k)
     from unnest(array['booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning', 'follow_up',
                       'portal_link', 'hello']) as k;
  perform app.claim_sms('2098-01-01');
  execute format('update public.%I set %I = true', p_switch.tbl, p_switch.col);
  select string_agg(m.body || ' ' || m.error_code, ', ' order by m.body) into v_seen from public.sms_messages as m where m.status <> 'sending';
  return v_seen;
end;
$$;
select is(pg_temp.thrown(s), (select string_agg(k || ' ' || s.code, ', ' order by k) from unnest(s.kinds) as k), s.col || ' off') from switches as s order by n;

-- A client's day, by the org's clock: in Brisbane it begins at 14:00Z.
delete from public.sms_messages;
update public.sms_settings set max_sms_per_client_per_day = 2, max_sms_per_hour = null;
do $$begin perform pg_temp.text('a' || n, '2098-03-01 13:00Z'::timestamptz + n * interval '1 second') from generate_series(1, 4) as n; end$$;
do $$begin perform pg_temp.text('bob', '2098-03-01 13:00Z', 'bob'), pg_temp.text('coach', '2098-03-01 13:00Z', 'coach'); end$$;
select is(pg_temp.claim('2098-03-01 13:10Z'), 'a1, a2, bob, coach', 'two a day for one client, the two due first; others are not touched');
select is(pg_temp.fate('a3'), 'queued client_daily_limit 01 14:00', 'the third waits for tomorrow, which begins at 14:00Z');
do $$begin perform pg_temp.settle(); end$$;
select is(pg_temp.claim('2098-03-01 13:59:59Z'), null, 'till then nothing');
do $$begin perform pg_temp.text('a5', '2098-03-01 14:00Z'); end$$;
select is(pg_temp.claim('2098-03-01 14:00Z'), 'a3, a4', 'tomorrow two more, which have waited longest');
select is(pg_temp.fate('a5'), 'queued client_daily_limit 02 14:00', 'and the next waits another day');
delete from public.sms_messages;
do $$begin perform pg_temp.text('c' || n, '2098-03-01 13:00Z') from generate_series(1, 3) as n; end$$;
select is(pg_temp.claim('2098-03-01 13:10Z', 1) || pg_temp.claim('2098-03-01 13:10Z', 1), 'c1c2', 'also in several batches');
select is(pg_temp.claim('2098-03-01 13:10Z', 1), null, 'while the others are still being sent');
-- What counts: what Twilio has, or may have.
create function pg_temp.counts(p_status text, p_sid text default null, p_code text default null) returns text language plpgsql as $$
begin
  delete from public.sms_messages;
  perform pg_temp.text('first', '2098-03-01 13:00Z'), pg_temp.text('second', '2098-03-01 13:00Z');
  perform app.claim_sms('2098-03-01 13:00Z');
  update public.sms_messages set status = p_status, provider_message_id = p_sid || body, error_code = p_code;
  perform pg_temp.text('next', '2098-03-01 13:00Z');
  return pg_temp.claim('2098-03-01 13:01Z');
end;
$$;
select is(pg_temp.counts(v.status, v.sid), v.expected, v.why) from (values
  (1, 'sent', 'SM', null, 'sent counts'), (2, 'delivered', 'SM', null, 'delivered counts'), (3, 'unknown', null, null, 'perhaps sent counts'),
  (4, 'failed', null, 'next', 'refused by Twilio does not'), (5, 'failed', 'SM', null, 'accepted and not delivered does'),
  (6, 'cancelled', null, 'next', 'not sent does not')) as v (n, status, sid, expected, why) order by v.n;
delete from public.sms_messages;
do $$begin perform pg_temp.text('first', '2098-03-01 13:00Z'), pg_temp.text('second', '2098-03-01 13:00Z'); end$$;
select is(pg_temp.claim('2098-03-01 13:00Z'), 'first, second', 'two');
do $$begin perform pg_temp.settle('retry'); end$$;
select is(pg_temp.claim('2098-03-01 14:30Z'), 'first, second', 'which Twilio was too busy for, are no more than two when tried again');
update public.sms_settings set max_sms_per_client_per_day = 0;
do $$begin perform pg_temp.text('never', '2098-03-02 13:00Z'); end$$;
select is(pg_temp.claim('2098-03-02 13:00Z'), null, 'none a day');
select is(pg_temp.fate('never'), 'cancelled client_daily_limit', 'is never');
update public.sms_settings set max_sms_per_client_per_day = null;
delete from public.sms_messages;
do $$begin perform pg_temp.text('x' || n, '2098-03-01 13:00Z') from generate_series(1, 40) as n; end$$;
select is((select count(*) from app.claim_sms('2098-03-01 13:00Z')), 40::bigint, 'null: as many as you like');
-- A day of 23 hours, and what would come too late.
delete from public.sms_messages;
update public.sms_settings set max_sms_per_client_per_day = 1;
do $$begin perform pg_temp.text('n1', '2098-03-09 04:30Z', 'eve', 'eve'), pg_temp.text('n2', '2098-03-09 04:30Z', 'eve', 'eve', p_expires => '2098-03-10 04:00Z'),
       pg_temp.text('n3', '2098-03-09 04:30Z', 'eve', 'eve', p_expires => '2098-03-10 04:00:01Z'); end$$;
select is(pg_temp.claim('2098-03-09 05:00Z'), 'n1', 'one a day');
select is(pg_temp.fate('n2'), 'cancelled client_daily_limit_too_late', 'of no use tomorrow: not sent');
select is(pg_temp.fate('n3'), 'queued client_daily_limit 10 04:00', 'of use: at midnight, on a day on which clocks have gone forward');

-- The org's hour.
delete from public.sms_messages;
update public.sms_settings set max_sms_per_client_per_day = null, max_sms_per_hour = 3;
do $$begin perform pg_temp.text('h1', '2098-04-01 10:00Z'), pg_temp.text('h2', '2098-04-01 10:10Z', 'bob'), pg_temp.text('h3', '2098-04-01 10:20Z', 'coach'); end$$;
do $$begin perform pg_temp.claim('2098-04-01 10:00Z'), pg_temp.claim('2098-04-01 10:10Z'), pg_temp.claim('2098-04-01 10:20Z'); end$$;
do $$begin perform pg_temp.settle(); end$$;
do $$begin perform pg_temp.text('h' || n, '2098-04-01 10:30Z'::timestamptz + n * interval '1 second') from generate_series(4, 8) as n; end$$;
do $$begin perform pg_temp.text('eve', '2098-04-01 10:30Z', 'eve', 'eve'); end$$;
select is(pg_temp.claim('2098-04-01 10:40Z'), 'eve', 'three an hour, the coach''s counted; another org is not touched');
select is((select string_agg(pg_temp.fate('h' || n), ', ' order by n) from generate_series(4, 8) as n),
  'queued org_hourly_limit 01 11:00, queued org_hourly_limit 01 11:10, queued org_hourly_limit 01 11:20,'
  || ' queued org_hourly_limit 01 11:40, queued org_hourly_limit 01 11:40', 'as each of the last hour''s is an hour old, one more may go');
select is(pg_temp.claim('2098-04-01 10:59:59Z'), null, 'not before');
select is(pg_temp.claim('2098-04-01 11:00Z'), 'h4', 'then one');
select is(pg_temp.claim('2098-04-01 11:15Z'), 'h5', 'and the next');
select is(pg_temp.claim('2098-04-01 11:41Z'), 'h6', 'another one');
select is(pg_temp.claim('2098-04-01 12:20Z'), 'h7, h8', 'and the rest');
update public.sms_settings set max_sms_per_hour = 0;
do $$begin perform pg_temp.text('never an hour', '2098-04-02'); end$$;
select is(pg_temp.claim('2098-04-02 01:00Z'), null, 'none an hour');
select is(pg_temp.fate('never an hour'), 'cancelled org_hourly_limit', 'is never');
update public.sms_settings set max_sms_per_hour = 1;
do $$begin perform pg_temp.text('in time', '2098-04-03'), pg_temp.text('too late', '2098-04-03 00:00:01Z', p_expires => '2098-04-03 02:00Z'); end$$;
select is(pg_temp.claim('2098-04-03 01:00Z'), 'in time', 'one an hour');
select is(pg_temp.fate('too late'), 'cancelled org_hourly_limit_too_late', 'of no use in an hour: not sent');
-- Both limits, and quiet hours behind them.
delete from public.sms_messages;
update public.sms_settings set max_sms_per_client_per_day = 1, max_sms_per_hour = 2, quiet_hours_start = 23, quiet_hours_end = 7;
do $$begin perform pg_temp.text('l' || n, '2098-04-05 00:00Z') from generate_series(1, 3) as n; end$$;
do $$begin perform pg_temp.text('l4', '2098-04-05 00:00:01Z', 'bob'); end$$;
select is(pg_temp.claim('2098-04-05 01:00Z'), 'l1, l4', 'what a client''s day holds back takes no place of the org''s hour');
select is(pg_temp.fate('l2'), 'queued client_daily_limit 05 21:00', 'tomorrow begins within quiet hours: as they end');
delete from public.sms_messages;
update public.sms_settings set max_sms_per_client_per_day = null, max_sms_per_hour = 1;
do $$begin perform pg_temp.text('m1', '2098-04-05 12:00Z'), pg_temp.text('m2', '2098-04-05 12:00:01Z'); end$$;
select is(pg_temp.claim('2098-04-05 12:30Z'), 'm1', 'in half an hour quiet hours begin');
select is(pg_temp.fate('m2'), 'queued org_hourly_limit 05 21:00', 'an hour on it is night: in the morning');

-- Quiet hours do not hold what is urgent.
delete from public.sms_messages;
update public.sms_settings set max_sms_per_hour = null, urgent_kinds = '{booking_cancelled,client_cancelled}' where org_id = tests.id('org', 'ada');
do $$begin perform pg_temp.text('cancelled', '2098-05-01 14:00Z', p_kind => 'booking_cancelled'),
       pg_temp.text('coach told', '2098-05-01 14:00Z', 'coach', p_kind => 'client_cancelled'),
       pg_temp.text('confirmed', '2098-05-01 14:00Z', p_kind => 'booking_confirmation'),
       pg_temp.text('overrides', '2098-05-01 14:00Z', p_metadata => '{"quiet_hours_override": true}'),
       pg_temp.text('does not', '2098-05-01 14:00Z', p_metadata => '{"quiet_hours_override": false}'),
       pg_temp.text('nor this', '2098-05-01 14:00Z', p_metadata => '{"quiet_hours_override": "yes"}'); end$$;
update public.sms_messages set metadata = null where body = 'coach told';
select is(pg_temp.claim('2098-05-01 14:00Z'), 'cancelled, coach told, overrides', 'kinds that the org calls urgent, and a text that says so itself');
select is(pg_temp.fate('confirmed'), 'queued quiet_hours 01 21:00', 'not the others');
select throws_ok($$update public.sms_settings set urgent_kinds = '{weather}'$$, '23514', null, 'only kinds there are can be urgent');
select tests.act_as('ada');
select lives_ok($$update public.sms_settings set urgent_kinds = '{reminder}'$$, 'the coach decides');
select is((select urgent_kinds from public.sms_settings), '{reminder}', 'which');
select tests.act_as_admin();
select is_empty($$select k from unnest(array(select unnest((regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g'))) from pg_constraint
                    where conname = 'sms_settings_urgent_kinds_check')) as k where (app.sms_kind(k)).words is null$$,
  'and only kinds that app.sms_kind() knows are among them');
select is((select count(*) from pg_constraint as c, regexp_matches(pg_get_constraintdef(c.oid), '''[a-z_]+''', 'g')
            where c.conname = 'sms_settings_urgent_kinds_check'), 10::bigint, 'all ten');

-- An empty answer means that nothing is due: what is put off does not hide what comes behind it.
delete from public.sms_messages;
update public.sms_settings set max_sms_per_client_per_day = 1, max_sms_per_hour = null, quiet_hours_start = null, quiet_hours_end = null;
do $$begin perform pg_temp.text('k' || n, '2098-06-01') from generate_series(1, 30) as n; end$$;
do $$begin perform pg_temp.text('behind', '2098-06-02', 'bob'); end$$;
select is(pg_temp.claim('2098-06-02 01:00Z', 5), 'k1', 'one');
select is(pg_temp.claim('2098-06-02 01:00Z', 5), 'behind', 'and behind 29 that wait, another');
select is(pg_temp.claim('2098-06-02 01:00Z', 5), null, 'then none');

select * from finish();
rollback;
