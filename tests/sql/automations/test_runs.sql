-- CRON-02: a run says what happened. What each action does, what a failed one leaves behind, how it is tried again; events
-- of clients; push notifications.
begin;
select plan(109);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
set local timezone = 'Pacific/Kiritimati';
insert into public.org_members (org_id, user_id, role)
values (tests.id('org', 'ada'), tests.person('ada staff'), 'staff'),
       (tests.id('org', 'ada'), tests.person('ada books'), 'accountant_readonly');
update public.clients set created_at = '2027-01-01 00:00Z', full_name = ' Ann  van Dyk ' where id = tests.id('client', 'ada');

create function pg_temp.automation(
  p_name text, p_actions jsonb, p_trigger jsonb default '{"type": "schedule", "schedule": "daily"}',
  p_due_at timestamptz default '2027-03-01 09:00+10', p_guardrails jsonb default '{}', p_conditions jsonb default '[]'
) returns text language plpgsql as $$
begin
  insert into public.automations (id, org_id, name, trigger, conditions, guardrails, actions)
  values (tests.id('automation', p_name), tests.id('org', 'ada'), p_name, p_trigger, p_conditions, p_guardrails, p_actions);
  update public.automations set next_due_at = p_due_at
   where id = tests.id('automation', p_name) and next_due_at is not null;
  return '';
end;
$$;
-- One tick of everything but push notifications; how much was done.
create function pg_temp.tick(p_at timestamptz default '2027-03-01 09:00+10') returns text language plpgsql as $$
declare
  v_done integer;
  v_all integer := 0;
begin
  loop
    v_done := app.claim_due_automations(p_at) + app.run_due_slots(p_at) + app.retry_due_runs(p_at);
    v_all := v_all + v_done;
    exit when v_done = 0;
  end loop;
  return v_all;
end;
$$;
create function pg_temp.run(p_name text) returns public.automation_runs language sql as $$
  select r.* from public.automation_runs as r where r.automation_id = tests.id('automation', p_name)
   order by r.due_at desc limit 1;
$$;
create function pg_temp.types(p_actions jsonb) returns text language sql as $$
  select string_agg(a ->> 'type', ' ' order by n) from jsonb_array_elements(p_actions) with ordinality as e (a, n);
$$;
create function pg_temp.thread() returns setof public.messages language sql as $$
  select m.* from public.messages as m join public.message_threads as t on t.id = m.thread_id
   where t.client_id = tests.id('client', 'ada') order by m.created_at;
$$;
-- A way to make writing a message fail, as trouble on our side would.
create function pg_temp.boom() returns trigger language plpgsql as $$
begin
  if current_setting('tests.boom', true) = 'on' then
    raise exception using errcode = 'XX000', message = 'secret +61491570156';
  end if;
  return new;
end;
$$;
create trigger boom before insert on public.messages for each row execute function pg_temp.boom();

-- What actions do -------------------------------------------------------------------------------------------------------
select pg_temp.automation('message',
  '[{"type": "send_message", "params": {"body": "Hi {{first_name}}, {{ name }}: {{days_inactive}} days!"}}]');
select pg_temp.tick();
select results_eq('select sender_type, sender_user_id, body, created_at, org_id from pg_temp.thread()',
  $$values ('system', null::uuid, 'Hi Ann, Ann  van Dyk: 59 days!', '2027-03-01 09:00+10'::timestamptz, tests.id('org', 'ada'))$$,
  'send_message: the system writes into the client''s thread, made for it, with the client''s own words filled in');
select is((pg_temp.run('message')).status, 'ok', 'that is ok');
update public.automations set next_due_at = '2027-03-02 09:00+10' where id = tests.id('automation', 'message');
select pg_temp.tick('2027-03-02 09:00+10');
select is((select count(*) from pg_temp.thread()), 2::bigint, 'a second one is in the same thread');
delete from public.automations;
delete from public.messages;

-- notify_trainer tells the trainer, not the client.
select pg_temp.automation('note', '[{"type": "notify_trainer", "params": {"body": "Call {{name}}", "title": "{{days_inactive}} days"}},
                                    {"type": "notify_trainer", "params": {"body": "Now"}}]');
select pg_temp.tick();
select is((select count(*) from pg_temp.thread()), 0::bigint, 'notify_trainer: nothing in the client''s thread');
select results_eq(
  $$select type, direction, subject, content, user_id, created_at from public.client_communications
     where client_id = tests.id('client', 'ada') order by subject$$,
  $$values ('note', 'inbound', '59 days', 'Call Ann  van Dyk', null::uuid, '2027-03-01 09:00+10'::timestamptz),
           ('note', 'inbound', 'note', 'Now', null, '2027-03-01 09:00+10')$$,
  'but a note on the client''s page, under its title or the automation''s name');
select is((select count(*) from public.sms_messages), 0::bigint, 'no text without a phone of the coach''s');
select is((pg_temp.run('note')).status, 'ok', 'which is ok: the note is there');
select tests.act_as('ada staff');
select is((select count(*) from public.client_communications), 2::bigint, 'staff reads it');
select tests.act_as_admin();
update public.clients set auth_user_id = tests.person('ada client') where id = tests.id('client', 'ada');
select tests.act_as('ada client');
select is((select count(*) from public.client_communications), 0::bigint, 'the client does not');
select tests.act_as_admin();
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.booking_settings set notify_phone = '0412 345 678' where org_id = tests.id('org', 'ada');
update public.automations set next_due_at = '2027-03-02 09:00+10';
select pg_temp.tick('2027-03-02 09:00+10');
select results_eq(
  $$select to_phone, client_id, body, scheduled_for, status from public.sms_messages order by body$$,
  $$values ('+61412345678', null::uuid, 'Ann  van Dyk: 60 days: Call Ann  van Dyk', '2027-03-02 09:00+10'::timestamptz, 'pending'),
           ('+61412345678', null, 'Ann  van Dyk: note: Now', '2027-03-02 09:00+10', 'pending')$$,
  'and a text to the coach''s own phone, where there is one');
delete from public.automations;
delete from public.sms_messages;
delete from public.client_communications;

select pg_temp.automation('tag', '[{"type": "tag_client", "params": {"tag": " vip "}}]');
select pg_temp.tick();
update public.automations set next_due_at = '2027-03-02 09:00+10';
select pg_temp.tick('2027-03-02 09:00+10');
select is((select tags from public.clients where id = tests.id('client', 'ada')), '{vip}', 'tag_client: once on the client');
select is((pg_temp.run('tag')).status, 'ok', 'who has it already has it');
select is((select actor_role || ' ' || (changes ->> 'tags') from public.audit_events
            where table_name = 'clients' and row_id = tests.id('client', 'ada') and changes ? 'tags' order by seq desc limit 1),
  'system {"to": ["vip"], "from": []}', 'which is recorded');
delete from public.automations;

-- send_sms goes through the outbox, or says why not.
select pg_temp.automation('text', '[{"type": "send_sms", "params": {"body": "Hi {{first_name}}"}}]');
select pg_temp.tick();
select results_eq(
  $$select to_phone, from_phone, client_id, body, template_key, related_entity_type, related_entity_id, scheduled_for, status
      from public.sms_messages$$,
  $$values ('+61491570156', '+15005550001', tests.id('client', 'ada'), 'Hi Ann', 'automation', 'automation',
            tests.id('automation', 'text'), '2027-03-01 09:00+10'::timestamptz, 'pending')$$, 'send_sms: in the outbox');
select is((pg_temp.run('text')).status, 'ok', 'that is ok: whether it arrives, the outbox says');
select is((select count(*) from public.sms_messages where idempotency_key = format('automation:%s:0', (pg_temp.run('text')).id)),
  1::bigint, 'under a key of the run, so that no second try doubles it');
create function pg_temp.refused(p_change text) returns text language plpgsql as $$
declare
  v_run public.automation_runs;
begin
  execute p_change;
  update public.automations set next_due_at = '2027-03-02 09:00+10';
  perform pg_temp.tick('2027-03-02 09:00+10');
  v_run := pg_temp.run('text');
  raise exception using errcode = 'TT000', message = concat_ws('|', v_run.status, v_run.failed_action, v_run.reason,
    v_run.next_attempt_at, v_run.attempts, (select count(*) from public.sms_messages));
exception when sqlstate 'TT000' then
  return sqlerrm;
end;
$$;
select is(pg_temp.refused(r.change), format('failed|send_sms|Text: %s.|1|1', r.reason), r.reason)
  from (values
    ($$update public.clients set phone = null$$, 'the client has no phone number'),
    ($$update public.sms_settings set enabled = false$$, 'texting is switched off'),
    ($$update public.sms_settings set twilio_phone_number = null$$, 'there is no number to text from'),
    ($$insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '+61491570156', 'opt_out')$$,
     'the client''s number must not be texted'),
    ($$update public.clients set sms_opt_in = false$$, 'the client does not want texts'),
    ($$update public.automations set actions = '[{"type": "send_sms", "params": {"body": "{{name}}"}}]';
       update public.clients set full_name = repeat('x', 1602)$$, 'it is longer than 1600 characters')
  ) as r (change, reason);
delete from public.automations;
delete from public.sms_messages;

-- Saved before anybody looked, and not to be done.
select pg_temp.automation('old', '[{"type": "tag_client", "params": {"tag": "a"}}]');
alter table public.automations disable trigger automations_prepare;
update public.automations set actions = '[{"type": "create_offer"}, {"type": "tag_client", "params": {"tag": "b"}}]';
alter table public.automations enable trigger automations_prepare;
select pg_temp.tick();
select results_eq($$select status, failed_action, reason, next_attempt_at from pg_temp.run('old')$$,
  $$values ('failed', 'create_offer', 'Action: it is empty.', null::timestamptz)$$, 'create_offer does not pass for done');
delete from public.automations;

-- When an action fails --------------------------------------------------------------------------------------------------
set local tests.boom = 'on';
select pg_temp.automation('three', '[{"type": "tag_client", "params": {"tag": "one"}},
                                     {"type": "send_message", "params": {"body": "two"}},
                                     {"type": "tag_client", "params": {"tag": "three"}}]');
select pg_temp.tick();
select results_eq(
  $$select status, failed_action, reason, attempts, next_attempt_at, fired_at, pg_temp.types(actions_fired), pg_temp.types(actions_left)
      from pg_temp.run('three')$$,
  $$values ('failed', 'send_message', 'Message: something went wrong on our side (XX000).', 1,
            '2027-03-01 09:01+10'::timestamptz, '2027-03-01 09:00+10'::timestamptz, 'tag_client', 'send_message tag_client')$$,
  'a failing action makes the run failed: which one, why, how often it was tried, and what is left');
select is((select tags from public.clients where id = tests.id('client', 'ada')), '{vip,one}',
  'what came before it took effect, what comes after it did not');
select is((select count(*) from pg_temp.thread()), 0::bigint, 'and of itself nothing is left');
select tests.act_as('ada staff');
select is((select status || ': ' || reason from public.automation_runs where automation_id = tests.id('automation', 'three')),
  'failed: Message: something went wrong on our side (XX000).', 'the coach reads it through the API');
select tests.act_as_admin();
select is(pg_temp.tick('2027-03-01 09:00:59+10'), '0', 'not tried again before its time');
select pg_temp.tick('2027-03-01 09:01+10');
select results_eq($$select status, attempts, next_attempt_at, fired_at from pg_temp.run('three')$$,
  $$values ('failed', 2, '2027-03-01 09:05+10'::timestamptz, '2027-03-01 09:01+10'::timestamptz)$$,
  'tried again a minute later, then after four');
savepoint tried;
set local tests.boom = 'off';
select pg_temp.tick('2027-03-01 09:05+10');
select results_eq($$select status, reason, failed_action, attempts, next_attempt_at, pg_temp.types(actions_fired), actions_left from pg_temp.run('three')$$,
  $$values ('ok', null, null, 3, null::timestamptz, 'tag_client send_message tag_client', '[]'::jsonb)$$,
  'when the cause is gone it goes on from there, to the end');
select is((select tags from public.clients where id = tests.id('client', 'ada')), '{vip,one,three}', 'doing nothing twice');
select is((select count(*) from pg_temp.thread()), 1::bigint, 'and what had failed once');
select is(pg_temp.tick('2027-03-01 12:00+10'), '0', 'and is not tried again');
rollback to tried;
-- By policy, then final.
select pg_temp.tick('2027-03-01 09:05+10');
select is((pg_temp.run('three')).next_attempt_at, '2027-03-01 09:21+10', 'then after 16 minutes');
select pg_temp.tick('2027-03-01 09:21+10');
select is((pg_temp.run('three')).next_attempt_at, '2027-03-01 10:25+10', 'then after 64');
select pg_temp.tick('2027-03-01 10:25+10');
select results_eq($$select status, attempts, next_attempt_at from pg_temp.run('three')$$,
  $$values ('failed', 5, null::timestamptz)$$, 'the fifth time is the last');
select is(pg_temp.tick('2027-03-02 08:00+10'), '0', 'then it is not tried again by itself');

-- The retry button.
create temp table the as select (pg_temp.run('three')).id;
grant select on the to public;
select tests.act_as('eve');
select throws_ok('select public.retry_automation_run(id) from the', 'PT404', 'automation_run_not_found', 'nobody of another org');
select tests.act_as('ada books');
select throws_ok('select public.retry_automation_run(id) from the', 'PT404', 'automation_run_not_found', 'nor who only reads the books');
select tests.act_as('ada client');
select throws_ok('select public.retry_automation_run(id) from the', 'PT404', 'automation_run_not_found', 'nor the client');
select tests.act_as_anon();
select throws_ok('select public.retry_automation_run(id) from the', '42501', null, 'nor anybody');
select tests.act_as('ada staff');
select is((select public.retry_automation_run(id) from the), now(), 'staff has it tried again, now');
select is((select public.retry_automation_run(id) from the), now(), 'twice is once');
select tests.act_as_admin();
set local tests.boom = 'off';
select pg_temp.tick('2027-03-02 08:00+10');
select results_eq($$select status, attempts from pg_temp.run('three')$$, $$values ('ok', 6)$$, 'and it is done');
select tests.act_as('ada staff');
select throws_ok('select public.retry_automation_run(id) from the', 'PT409', 'run_not_failed', 'what is done is not done again');
select tests.act_as_admin();
delete from public.messages;

-- Before it is tried again it is looked whether it still applies, and whether it is quiet.
set local tests.boom = 'on';
create function pg_temp.later(p_change text, p_at timestamptz default '2027-03-02 09:10+10') returns text
language plpgsql as $$
declare
  v_run public.automation_runs;
begin
  update public.automations set next_due_at = '2027-03-02 09:00+10' where id = tests.id('automation', 'three');
  perform pg_temp.tick('2027-03-02 09:00+10');
  execute p_change;
  perform set_config('tests.boom', 'off', true);
  perform pg_temp.tick(p_at);
  v_run := pg_temp.run('three');
  raise exception using errcode = 'TT000',
    message = concat_ws('|', v_run.status, v_run.reason, v_run.next_attempt_at at time zone 'Australia/Brisbane', v_run.attempts);
exception when sqlstate 'TT000' then
  return sqlerrm;
end;
$$;
update public.automations set actions = '[{"type": "send_message", "params": {"body": "two"}}]',
                              conditions = '[{"field": "status", "operator": "neq", "value": "x"}]';
select is(pg_temp.later('select'), 'ok|2', 'as it is: done');
select is(pg_temp.later($$update public.automations set enabled = false$$), 'skipped|Switched off|1', 'switched off: skipped');
select is(pg_temp.later($$update public.clients set status = 'left' where id = tests.id('client', 'ada')$$),
  'skipped|No longer applies|1', 'a client who left: skipped');
select is(pg_temp.later($$update public.automations set conditions = '[{"field": "tags", "operator": "contains", "value": "x"}]'$$),
  'skipped|No longer applies|1', 'conditions that hold no longer: skipped');
select is(pg_temp.later($$update public.automations set guardrails = '{"quiet_hours_start": 9, "quiet_hours_end": 11}'$$),
  'failed|Message: something went wrong on our side (XX000).|2027-03-02 11:00:00|1', 'quiet: when they end');
select is(pg_temp.later($$update public.automations set actions = '[{"type": "tag_client", "params": {"tag": "new"}}]'$$), 'ok|2',
  'other actions: those it was to do are done');
select is((select tags from public.clients where id = tests.id('client', 'ada')), '{vip,one,three}', 'and not the new ones');
select is(pg_temp.later($$update public.automation_runs
     set actions_fired = '[{"type": "tag_client"}]' where automation_id = tests.id('automation', 'three');
     update public.automations set enabled = false$$),
  'failed|Message: something went wrong on our side (XX000).|1', 'what was done in part stays failed');
update public.automations set guardrails = '{"quiet_hours_start": 9, "quiet_hours_end": 11}', enabled = true,
                              next_due_at = '2027-03-03 08:59+10';
select pg_temp.tick('2027-03-03 08:59+10');
select is((pg_temp.run('three')).next_attempt_at, '2027-03-03 11:00+10', 'a retry that would fall into quiet hours waits for their end');
truncate the;
insert into the select (pg_temp.run('three')).id;
select is(app.retry_automation_run(id, '2027-03-03 10:00+10'), '2027-03-03 11:00+10', 'so does the button''s') from the;
update public.automations set enabled = false;
select throws_ok('select app.retry_automation_run(id, now()) from the', 'PT409', 'automation_disabled',
  'what is switched off is not tried again by the button either');
select throws_ok('select public.retry_automation_run(gen_random_uuid())', 'PT404', 'automation_run_not_found', 'nor what there is not');
insert into public.automation_runs (id, org_id, automation_id, client_id, status, reason)
values (tests.id('run', 'old'), tests.id('org', 'ada'), tests.id('automation', 'three'), tests.id('client', 'ada'), 'failed',
        'One or more actions failed');
select throws_ok($$select public.retry_automation_run(tests.id('run', 'old'))$$, 'PT409', 'run_not_failed',
  'nor one of the old function''s, of which nobody knows what it did');
delete from public.automations;
delete from public.messages;
set local tests.boom = 'off';

-- Events of clients -----------------------------------------------------------------------------------------------------
create function pg_temp.runs(p_name text) returns setof public.automation_runs language sql as $$
  select r.* from public.automation_runs as r where r.automation_id = tests.id('automation', p_name) order by r.due_at, r.fired_at;
$$;
create function pg_temp.score(p_day date, p_tier text) returns text language plpgsql as $$
begin
  insert into public.client_risk as r (org_id, client_id, as_of_date, score, tier)
  values (tests.id('org', 'ada'), tests.id('client', 'ada'), p_day, 60, p_tier)
  on conflict (org_id, client_id, as_of_date) do update set tier = excluded.tier;
  return '';
end;
$$;
select pg_temp.automation('red', '[{"type": "send_message", "params": {"body": "red"}}]', '{"type": "event", "event": "risk_red"}');
select pg_temp.automation('failed', '[{"type": "send_message", "params": {"body": "pay"}}]', '{"type": "event", "event": "payment_failed"}');
select is(pg_temp.tick(), '0', 'nothing happened: nothing fires');
select pg_temp.score('2027-03-01', 'amber');
select is(pg_temp.tick(), '0', 'amber is not red');
select pg_temp.score('2027-03-01', 'red');
select pg_temp.tick('2027-03-01 12:00+10');
select results_eq($$select event, due_at, fired_at, status from pg_temp.runs('red')$$,
  $$values ('risk_red:2027-03-01', '2027-03-01 00:00Z'::timestamptz, '2027-03-01 12:00+10'::timestamptz, 'ok')$$,
  'a client becomes red: it fires, once');
select pg_temp.score('2027-03-01', 'amber');
select pg_temp.score('2027-03-01', 'red');
select pg_temp.tick('2027-03-01 12:05+10');
select is((select count(*) from pg_temp.runs('red')), 1::bigint, 'not again on the same day');
select pg_temp.score('2027-03-02', 'red');
select is(pg_temp.tick('2027-03-02 12:00+10'), '0', 'nor while they stay red');
select pg_temp.score('2027-03-03', 'green');
select pg_temp.score('2027-03-04', 'red');
select pg_temp.tick('2027-03-04 12:00+10');
select is((select count(*) from pg_temp.runs('red')), 2::bigint, 'but when they become red again');
select is((select count(*) from pg_temp.runs('failed')), 0::bigint, 'and what waits for another event does not');
-- Late: only who is still red.
select pg_temp.score('2027-03-05', 'green');
select pg_temp.score('2027-03-06', 'red');
select pg_temp.score('2027-03-07', 'green');
select pg_temp.tick('2027-03-07 12:00+10');
select is((select count(*) from pg_temp.runs('red')), 2::bigint, 'who is red no more when it comes to it, is left alone');
-- In quiet hours an event waits, and is not lost.
update public.automations set guardrails = '{"quiet_hours_start": 21, "quiet_hours_end": 13}' where id = tests.id('automation', 'red');
select pg_temp.score('2027-03-08', 'red');
select pg_temp.tick('2027-03-08 12:00+10');
select is((select run_at from app.automation_slots), '2027-03-08 13:00+10', 'an event in quiet hours waits for their end');
select is(pg_temp.tick('2027-03-08 12:59+10'), '0', 'quietly');
select pg_temp.tick('2027-03-08 13:00+10');
select results_eq($$select due_at, fired_at, status from pg_temp.runs('red') order by due_at desc limit 1$$,
  $$values ('2027-03-08 00:00Z'::timestamptz, '2027-03-08 13:00+10'::timestamptz, 'ok')$$, 'and fires then');
-- A guardrail that holds it back says so, once.
update public.automations set guardrails = '{"max_per_client_per_week": 1}' where id = tests.id('automation', 'red');
select pg_temp.score('2027-03-09', 'green');
select pg_temp.score('2027-03-10', 'red');
select pg_temp.tick('2027-03-10 12:00+10');
select pg_temp.tick('2027-03-10 12:05+10');
select results_eq($$select event, status, reason from pg_temp.runs('red') order by due_at desc limit 1$$,
  $$values ('risk_red:2027-03-10', 'skipped', 'Weekly limit reached')$$, 'held back: skipped, with the reason');
-- One statement with many rows, as the worker's.
update public.automations set guardrails = '{}' where id = tests.id('automation', 'red');
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'ada 2'), tests.id('org', 'ada'), 'Two');
insert into public.client_risk (org_id, client_id, as_of_date, score, tier)
select tests.id('org', 'ada'), tests.id('client', 'ada 2'), d::date, 60, 'red' from generate_series(timestamp '2027-03-11', '2027-03-12', '1 day') as d;
select is((select array_agg(event order by event) from app.automation_slots), '{risk_red:2027-03-11}',
  'of two days in one statement the first is when they became red');
delete from app.automation_slots;

-- A payment that fails.
insert into public.subscriptions (org_id, client_id, status) values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'active');
select is((select count(*) from app.automation_slots), 0::bigint, 'a subscription that runs is no failure');
update public.subscriptions set status = 'past_due';
update public.subscriptions set status = 'past_due', stripe_customer_id = 'cus_1';
update public.automations set enabled = false where id = tests.id('automation', 'red');
select is(pg_temp.tick(now()), '1', 'a subscription becomes past due: it fires');
select is((select array_agg(status) from pg_temp.runs('failed')), '{ok}', 'once');
update public.subscriptions set status = 'active';
select is(pg_temp.tick(now()), '0', 'not when it is paid');
insert into public.client_purchases (org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status)
values (tests.id('org', 'ada'), tests.id('client', 'ada 2'), tests.id('offer', 'ada'), 90000, 10, 'pending');
select is(pg_temp.tick(now()), '0', 'a sale that waits for its payment is no failure');
update public.client_purchases set payment_status = 'failed' where payment_status = 'pending';
select is(pg_temp.tick(now()), '1', 'a payment of a sale fails: it fires');
select is((select array_agg(r.client_id) from pg_temp.runs('failed') as r where r.client_id <> tests.id('client', 'ada')),
  array[tests.id('client', 'ada 2')], 'for that client');
insert into public.subscriptions (org_id, client_id, status)
values (tests.id('org', 'ada'), tests.id('client', 'ada 2'), 'past_due'), (tests.id('org', 'eve'), tests.id('client', 'eve'), 'past_due');
select is(pg_temp.tick(now()), '1', 'a subscription that is past due when it is first heard of; another org''s is its own');
update public.automations set enabled = false;
update public.subscriptions set status = 'none';
update public.subscriptions set status = 'past_due';
select is((select count(*) from app.automation_slots), 0::bigint, 'what is switched off does not hear of it');
delete from public.automations;
delete from public.clients where id = tests.id('client', 'ada 2');

-- Nothing happens: looked for daily, told once.
delete from public.activity_events;
insert into public.activity_events (org_id, client_id, type, payload, created_at)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'workout', '{}', '2027-03-20 18:00+10');
select pg_temp.automation('idle', '[{"type": "tag_client", "params": {"tag": "idle"}}]', '{"type": "event", "event": "inactivity"}',
                          '2027-03-21 09:00+10');
select pg_temp.automation('idle 3', '[{"type": "tag_client", "params": {"tag": "idle"}}]', '{"type": "event", "event": "inactivity"}',
                          '2027-03-21 09:00+10',
                          p_conditions => '[{"field": "days_since_activity", "operator": "gte", "value": 3}]');
select pg_temp.tick('2027-03-21 09:00+10'::timestamptz + make_interval(days => n)) from generate_series(0, 12) as n;
select results_eq($$select due_at, status, event from pg_temp.runs('idle 3')$$,
  $$values ('2027-03-23 09:00+10'::timestamptz, 'ok', 'inactivity:2027-03-20T08:00:00.000000Z')$$,
  'inactive for three days, as its condition says: once, however long it lasts');
select results_eq($$select due_at, status from pg_temp.runs('idle')$$,
  $$values ('2027-03-27 09:00+10'::timestamptz, 'ok')$$, 'without a condition: for a week');
insert into public.activity_events (org_id, client_id, type, payload, created_at)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'workout', '{}', '2027-04-03 18:00+10');
select pg_temp.tick('2027-04-03 09:00+10'::timestamptz + make_interval(days => n)) from generate_series(0, 5) as n;
select is((select array_agg(to_char(due_at at time zone 'Australia/Brisbane', 'MM-DD') order by due_at) from pg_temp.runs('idle 3')),
  '{03-23,04-06}', 'again when they stop again');
-- Held back one day, told the next: that it was skipped is not that it was told.
update public.automations set guardrails = '{"max_per_client_per_week": 1}' where id = tests.id('automation', 'idle 3');
insert into public.activity_events (org_id, client_id, type, payload, created_at)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'workout', '{}', '2027-04-08 18:00+10');
select pg_temp.tick('2027-04-09 09:00+10'::timestamptz + make_interval(days => n)) from generate_series(0, 5) as n;
select results_eq(
  $$select to_char(due_at at time zone 'Australia/Brisbane', 'MM-DD'), status from pg_temp.runs('idle 3') offset 2$$,
  $$values ('04-11', 'skipped'), ('04-12', 'skipped'), ('04-13', 'ok')$$, 'held back, it is looked at again the next day');
delete from public.automations;

-- Push notifications ----------------------------------------------------------------------------------------------------
create function pg_temp.claim(p_at timestamptz default '2027-03-01 09:00+10') returns text language sql as $$
  select coalesce(string_agg(concat_ws('|', array_to_string(c.tokens, ','), c.title, c.body), ' / '), '')
    from app.claim_automation_pushes(p_at) as c;
$$;
select pg_temp.automation('push', '[{"type": "tag_client", "params": {"tag": "before"}},
                                    {"type": "send_push", "params": {"title": "Hi {{first_name}}", "body": "{{days_inactive}} days"}},
                                    {"type": "tag_client", "params": {"tag": "after"}}]',
                          p_guardrails => '{"max_per_client_per_day": 1}');
delete from public.activity_events;
select pg_temp.tick();
select results_eq($$select status, reason, next_attempt_at from pg_temp.runs('push')$$,
  $$values ('failed', 'Push notification: the client has no device with the app.', null::timestamptz)$$,
  'send_push to nobody''s device fails, and says so');
insert into public.push_tokens (id, org_id, client_id, expo_token)
select tests.id('token', n::text), tests.id('org', 'ada'), tests.id('client', 'ada'), 'ExponentPushToken[' || n || ']' from generate_series(1, 2) as n;
update public.automations set next_due_at = '2027-03-02 09:00+10';
select pg_temp.tick('2027-03-02 09:00+10');
select results_eq($$select status, pg_temp.types(actions_fired), pg_temp.types(actions_left), next_attempt_at from pg_temp.run('push')$$,
  $$values ('pending', 'tag_client', 'send_push tag_client', '2027-03-02 09:00+10'::timestamptz)$$,
  'pending, until it is sent; what comes after waits');
select is(app.guardrail_problem(tests.id('automation', 'push'), tests.id('client', 'ada'), '{"max_per_client_per_day": 1}',
                                'Australia/Brisbane', '2027-03-02 09:01+10'), 'Daily limit reached', 'it counts already');
select is(pg_temp.tick('2027-03-02 09:01+10'), '0', 'a tick does not touch it');
select is(app.settle_automation_push((pg_temp.run('push')).id, 'sent'), null, 'nobody settles what nobody sends');
select is(pg_temp.claim('2027-03-02 09:00+10'),
  (select string_agg(expo_token, ',' order by id) from public.push_tokens) || '|Hi Ann|60 days',
  'handed out once, with every device and the words filled in');
select is(pg_temp.claim('2027-03-02 09:04:59+10'), '', 'to one');
select throws_ok($$select app.settle_automation_push((pg_temp.run('push')).id, 'maybe')$$, 'PT400', 'outcome_invalid', 'the outcome is one of four');
savepoint handed_out;
select is(app.settle_automation_push((pg_temp.run('push')).id, 'sent', null, '2027-03-02 09:00:05+10'), 'ok', 'sent: the run goes on');
select results_eq($$select status, pg_temp.types(actions_fired), actions_left, next_attempt_at, sending_since from pg_temp.run('push')$$,
  $$values ('ok', 'tag_client send_push tag_client', '[]'::jsonb, null::timestamptz, null::timestamptz)$$, 'to its end');
select is((select tags @> '{before,after}' from public.clients where id = tests.id('client', 'ada')), true, 'with what came after');
select is(app.settle_automation_push((pg_temp.run('push')).id, 'sent'), null, 'settled once');
rollback to handed_out;
select is(app.settle_automation_push((pg_temp.run('push')).id, 'failed', 'push notifications are not set up', '2027-03-02 09:00:05+10'), 'failed', 'failed');
select results_eq($$select reason, failed_action, attempts, next_attempt_at, pg_temp.types(actions_left) from pg_temp.run('push')$$,
  $$values ('Push notification: push notifications are not set up.', 'send_push', 1, null::timestamptz, 'send_push tag_client')$$,
  'with the cause; final');
rollback to handed_out;
select app.settle_automation_push((pg_temp.run('push')).id, 'retry', 'the push service is busy', '2027-03-02 09:00:05+10');
select results_eq($$select status, reason, next_attempt_at from pg_temp.run('push')$$,
  $$values ('failed', 'Push notification: the push service is busy.', '2027-03-02 09:01:05+10'::timestamptz)$$, 'tried again later');
select pg_temp.tick('2027-03-02 09:02+10');
select results_eq($$select status, attempts, pg_temp.types(actions_fired) from pg_temp.run('push')$$, $$values ('pending', 2, 'tag_client')$$, 'from there on');
rollback to handed_out;
select app.settle_automation_push((pg_temp.run('push')).id, 'unknown', p_now => '2027-03-02 09:00:05+10');
select results_eq($$select status, reason, next_attempt_at from pg_temp.run('push')$$,
  $$values ('failed', 'Push notification: it is not known whether it was sent.', null::timestamptz)$$, 'not known: not sent again by itself');
rollback to handed_out;
select is(pg_temp.claim('2027-03-02 09:05+10'), '', 'a worker that dies over it');
select results_eq($$select status, reason, next_attempt_at from pg_temp.run('push')$$,
  $$values ('failed', 'Push notification: it is not known whether it was sent.', null::timestamptz)$$, 'leaves it unknown, too');
select app.retry_automation_run((pg_temp.run('push')).id, '2027-03-02 10:00+10')::text;
select pg_temp.tick('2027-03-02 10:00+10');
select isnt(pg_temp.claim('2027-03-02 10:00+10'), '', 'the coach may have it sent all the same');
rollback to handed_out;
update public.automation_runs set sending_since = null where status = 'pending';
update public.automations set guardrails = '{"quiet_hours_start": 9, "quiet_hours_end": 11}';
select is(pg_temp.claim('2027-03-02 09:05+10'), '', 'quiet hours that began meanwhile');
select is((pg_temp.run('push')).next_attempt_at, '2027-03-02 11:00+10', 'are waited for');
select is(pg_temp.claim('2027-03-02 11:00+10') <> '', true, 'and then it is handed out');
rollback to handed_out;
update public.automation_runs set sending_since = null where status = 'pending';
delete from public.push_tokens;
select is(pg_temp.claim('2027-03-02 09:05+10'), '', 'a device that is gone meanwhile');
select is((pg_temp.run('push')).reason, 'Push notification: the client has no device with the app.', 'is said');
select * from finish();
rollback;
