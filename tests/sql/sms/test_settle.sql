-- What becomes of a text that was claimed: which attempt is settled, when it is tried again, when it is looked for.
begin;
select plan(72);

select tests.org('ada');
select tests.org('eve');
update public.sms_settings
   set twilio_phone_number = case org_id when tests.id('org', 'ada') then '+15005550001' else '+15005550002' end,
       quiet_hours_start = null, quiet_hours_end = null, max_sms_per_client_per_day = null,
       max_sms_per_hour = null;

create function tests.queued(p_name text, p_org text default 'ada', p_phone text default '+61491570156') returns void
language plpgsql as $$
begin
  insert into public.sms_messages (id, org_id, client_id, to_phone, from_phone, body, scheduled_for)
  values (tests.id('text', p_name), tests.id('org', p_org), tests.id('client', p_org), p_phone, '+15005550009', p_name,
          '2098-01-01 12:00Z');
end;
$$;
create function tests.take(p_now timestamptz default '2098-01-01 12:00Z') returns text language plpgsql as $$
declare
  v_taken text;
begin
  perform tests.act_as_role('coach_os_worker');
  select string_agg(t.body || ' ' || t.attempt, ', ' order by t.body) into v_taken from app.take_sms(p_now, 50) as t;
  perform tests.act_as_admin();
  return v_taken;
end;
$$;
create function tests.settle(p_name text, p_settled jsonb, p_now timestamptz default '2098-01-01 12:00:05Z')
  returns integer language plpgsql as $$
declare
  v_count integer;
begin
  perform tests.act_as_role('coach_os_worker');
  v_count := app.settle_sms_batch(
    jsonb_build_array(jsonb_build_object('message_id', tests.id('text', p_name)) || p_settled), p_now);
  perform tests.act_as_admin();
  return v_count;
end;
$$;
create function tests.doubted(p_now timestamptz) returns text language plpgsql as $$
declare
  v_found text;
begin
  perform tests.act_as_role('coach_os_worker');
  select string_agg(d.body || ' ' || d.attempt, ', ' order by d.body) into v_found from app.sms_in_doubt(p_now, 50) as d;
  perform tests.act_as_admin();
  return v_found;
end;
$$;
create function pg_temp.fate(p_name text) returns text language sql as $$
  select concat_ws(' ', m.status, m.error_code, 'after ' || m.attempts)
    from public.sms_messages as m where m.id = tests.id('text', p_name);
$$;
create function pg_temp.due(p_name text) returns timestamptz language sql as $$
  select m.scheduled_for from public.sms_messages as m where m.id = tests.id('text', p_name);
$$;
create function pg_temp.looked(p_name text) returns timestamptz language sql as $$
  select m.reconcile_at from public.sms_messages as m where m.id = tests.id('text', p_name);
$$;

-- Whose it is.
select tests.act_as_role('coach_os_sidecar');
select throws_ok(format('select %s', call), '42501', null, call || ': the worker''s alone')
  from unnest(array['app.take_sms(now(), 1)', 'app.sms_in_doubt(now(), 1)', 'app.settle_sms_batch(''[]'', now())',
                    'app.known_sms_ids(''{}'')']) as call;
select tests.act_as_admin();

-- How long to wait.
select is(app.sms_backoff(n, tests.id('text', 'a'), null) between make_interval(secs => s) and make_interval(secs => s * 1.25),
          true, format('after attempt %s: %s seconds, and up to a quarter more', n, s))
  from (values (1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (10, 3600), (1000, 3600), (0, 60)) as x (n, s);
select is((select count(distinct app.sms_backoff(1, gen_random_uuid(), null)) > 20 from generate_series(1, 40)), true,
  'not all at the same time');
select is(app.sms_backoff(3, tests.id('text', 'a'), null), app.sms_backoff(3, tests.id('text', 'a'), null), 'each at its own');
select is(app.sms_backoff(1, tests.id('text', 'a'), 600), '10 minutes', 'at least as long as the provider asks for');
select is(app.sms_backoff(3, tests.id('text', 'a'), 5) > '4 minutes', true, 'and not shorter');
select is(app.sms_backoff(1, tests.id('text', 'a'), 1000000), '1 hour', 'an hour at most');

-- Taking: the attempt, and from which number.
select tests.queued(n) from unnest(array['sent', 'retry', 'failed', 'unknown', 'deferred', 'died', 'stale']) as n;
select is(tests.take(), 'deferred 1, died 1, failed 1, retry 1, sent 1, stale 1, unknown 1', 'each once, as the first attempt');
select is(tests.take(), null, 'and no more');
select results_eq($$select from_phone, account_sid, attempted_at from public.sms_messages where body = 'sent'$$,
  $$values ('+15005550001', null::text, '2098-01-01 12:00Z'::timestamptz)$$,
  'from the number that the org has now, through the platform''s account');

-- Settling.
select is(tests.settle('sent', '{"attempt": 1, "outcome": "sent", "provider_message_id": "SM1", "http_status": 201}'), 1, 'sent');
select is(pg_temp.fate('sent'), 'sent after 1', 'is sent');
select is(tests.settle('sent', '{"attempt": 1, "outcome": "sent", "provider_message_id": "SM9"}'), 0, 'once');
select is(tests.settle('failed', '{"attempt": 1, "outcome": "failed", "error_code": "30006"}'), 1, 'failed');
select is(pg_temp.fate('failed'), 'failed 30006 after 1', 'is final, with the code');
select is_empty('select 1 from public.sms_suppression', 'and the number may be texted again');
select is(tests.settle('retry', '{"attempt": 1, "outcome": "retry", "error_code": "20429", "retry_after_s": 600}'), 1, 'not now');
select is(pg_temp.fate('retry'), 'queued 20429 after 1', 'waits');
select is(pg_temp.due('retry'), '2098-01-01 12:10:05Z', 'as long as Twilio asks');
select is(tests.settle('deferred', '{"attempt": 1, "outcome": "deferred", "retry_after_s": 7}'), 1, 'was not called at all');
select is(pg_temp.fate('deferred'), 'queued after 0', 'has not been tried');
select is(pg_temp.due('deferred'), '2098-01-01 12:00:12Z', 'and is soon');
select is(tests.settle('unknown', '{"attempt": 1, "outcome": "unknown", "error_code": "20500"}'), 1, 'no clear answer');
select is(pg_temp.fate('unknown'), 'unknown 20500 after 1', 'is unknown');
select is(pg_temp.looked('unknown') between '2098-01-01 12:01:05Z' and '2098-01-01 12:01:20Z', true,
  'and looked for after a minute');
select is(tests.take('2098-01-01 12:01:30Z'), 'deferred 1', 'not sent again blindly; the deferred one is at its first attempt');
select throws_ok($$select app.settle_sms_batch('[{"outcome": "delivered"}]', now())$$, 'PT400', 'outcome_invalid', 'no other outcome');
select throws_ok($$select app.settle_sms_batch('[{}]', now())$$, 'PT400', 'outcome_invalid', 'nor none');
select is(app.settle_sms_batch('[]', now()), 0, 'nothing to settle');
select results_eq(
  $$select m.body, a.attempt_number, a.status, a.error_code, a.provider_message_id, a.response_status
      from public.sms_attempts as a join public.sms_messages as m on m.id = a.message_id order by 1$$,
  $$values ('failed', 1, 'permanent_error', '30006', null, null::integer),
           ('retry', 1, 'transient_error', '20429', null, null),
           ('sent', 1, 'success', null, 'SM1', 201), ('unknown', 1, 'transient_error', '20500', null, null)$$,
  'each attempt is kept');

-- A sender that died.
select is(tests.doubted('2098-01-01 12:01Z'), null, 'while it may still come back nobody looks');
select is(tests.doubted('2098-01-01 12:05:01Z'), 'died 1, stale 1, unknown 1', 'after five minutes: these are in doubt');
select is(pg_temp.fate('died'), 'unknown interrupted after 1', 'and unknown, for whoever looks');
select is(tests.doubted('2098-01-01 12:05:01Z'), null, 'each is handed to one');
select is(tests.settle('died', '{"attempt": 1, "outcome": "absent"}', '2098-01-01 12:05:02Z'), 1, 'Twilio never had it');
select is(pg_temp.fate('died'), 'queued interrupted after 1', 'so it is sent again');
select is(tests.settle('unknown', '{"attempt": 1, "outcome": "sent", "provider_message_id": "SM2"}', '2098-01-01 12:05:02Z'), 1,
  'Twilio has it');
select is(pg_temp.fate('unknown'), 'sent after 1', 'so it was sent');
select is((select status from public.sms_attempts where message_id = tests.id('text', 'unknown')), 'success', 'by that attempt');
select is(tests.settle('stale', '{"attempt": 1, "outcome": "unclear"}', '2098-01-01 12:05:02Z'), 1, 'nobody can tell');
select is(pg_temp.fate('stale'), 'unknown interrupted after 1', 'it stays unknown');
select is(pg_temp.looked('stale'), '2098-01-01 12:10:04Z', 'and is looked for again');
select is(tests.settle('stale', '{"attempt": 1, "outcome": "unclear"}', '2098-01-02 11:59Z'), 1, 'for a day');
select is(pg_temp.looked('stale'), '2098-01-02 12:59Z', 'hourly at last');
select is(tests.settle('stale', '{"attempt": 1, "outcome": "unclear"}', '2098-01-02 12:59Z'), 1, 'then no more');
select is(pg_temp.looked('stale'), null, 'it stays as it is, visible');
select is(tests.doubted('2098-02-02'), 'deferred 1', 'the one that was claimed and left is in doubt, that one is not');

-- Whoever comes back late settles nothing of another attempt, but what Twilio has, it has.
select is(tests.take('2098-01-01 12:05:03Z'), 'died 2', 'the second attempt');
select is(tests.settle('died', '{"attempt": 1, "outcome": "failed", "error_code": "21211"}'), 0, 'the first sender is too late to fail it');
select is(tests.settle('died', '{"attempt": 1, "outcome": "retry", "error_code": "20429"}'), 0, 'or to have it tried again');
select is(tests.settle('died', '{"attempt": 1, "outcome": "deferred", "retry_after_s": 0}'), 0, 'or to give it back');
select is(pg_temp.fate('died'), 'sending after 2', 'it is under way');
select is(tests.settle('died', '{"attempt": 1, "outcome": "sent", "provider_message_id": "SM3"}'), 1, 'but that it was sent, counts');
select is(tests.settle('died', '{"attempt": 2, "outcome": "failed", "error_code": "21211"}'), 0, 'also against the second');
select is(pg_temp.fate('died'), 'sent after 2', 'it is sent');
update public.sms_messages set status = 'cancelled', reconcile_at = null where body = 'deferred';
select is(tests.settle('deferred', '{"attempt": 1, "outcome": "sent", "provider_message_id": "SM4"}'), 1,
  'one that was taken back meanwhile, too');
select is(pg_temp.fate('deferred'), 'sent after 1', 'says what happened');

-- Ten attempts.
select tests.queued('often'), tests.queued('never there');
update public.sms_messages set attempts = 9 where body in ('often', 'never there');
select is(tests.take(), 'never there 10, often 10', 'the tenth');
select is(tests.settle('often', '{"attempt": 10, "outcome": "retry", "error_code": "20429"}'), 1, 'is the last');
select is(pg_temp.fate('often'), 'failed 20429 after 10', 'which failed');
do $$
begin
  perform tests.settle('never there', '{"attempt": 10, "outcome": "unknown", "error_code": "no_answer"}');
  perform tests.settle('never there', '{"attempt": 10, "outcome": "absent"}');
end;
$$;
select is(pg_temp.fate('never there'), 'failed no_answer after 10', 'also when nobody answered');

-- Numbers that are not texted again.
select tests.queued(c, 'ada', '+6149157' || c) from unnest(array['1610', '1211', '1614']) as c;
do $$
begin
  perform tests.take();
  perform tests.settle(right(c, 4), jsonb_build_object('attempt', 1, 'outcome', 'failed', 'error_code', c))
     from unnest(array['21610', '21211', '21614']) as c;
end;
$$;
select results_eq($$select phone, reason, source, client_id from public.sms_suppression order by 1$$,
  $$values ('+61491571211', 'invalid_number', 'api_error', tests.id('client', 'ada')),
           ('+61491571610', 'opt_out', 'api_error', tests.id('client', 'ada')),
           ('+61491571614', 'invalid_number', 'api_error', tests.id('client', 'ada'))$$, 'after these errors, and why');

select * from finish();
rollback;
