-- CRON-01, when an automation is saved: what cannot be done is refused through any door, with a reason that says where;
-- when it is due follows from what is saved, and saving makes nothing due.
begin;
select plan(105);

select tests.org('ada', 'Australia/Sydney');
select tests.org('eve', 'America/New_York');
insert into public.org_members (org_id, user_id, role)
values (tests.id('org', 'ada'), tests.person('ada staff'), 'staff');
set local timezone = 'Pacific/Kiritimati';

-- An automation of ada's with these parts.
create function pg_temp.save(
  p_trigger jsonb default '{"type": "schedule", "schedule": "daily"}', p_conditions jsonb default '[]',
  p_actions jsonb default '[]', p_guardrails jsonb default '{}', p_enabled boolean default true
) returns uuid language sql as $$
  insert into public.automations (id, org_id, name, trigger, conditions, actions, guardrails, enabled)
  values (gen_random_uuid(), tests.id('org', 'ada'), 'Nudge', p_trigger, p_conditions, p_actions, p_guardrails, p_enabled)
  returning id;
$$;
-- The answer to saving: the code and the hint, or null.
create function pg_temp.refusal(
  p_trigger jsonb default '{"type": "schedule", "schedule": "daily"}', p_conditions jsonb default '[]',
  p_actions jsonb default '[]', p_guardrails jsonb default '{}'
) returns text language plpgsql as $$
declare
  v_hint text;
begin
  perform pg_temp.save(p_trigger, p_conditions, p_actions, p_guardrails);
  return null;
exception when others then
  get stacked diagnostics v_hint = pg_exception_hint;
  return sqlstate || ' ' || sqlerrm || ': ' || v_hint;
end;
$$;

-- Triggers: what is refused is said where.
create temp table wrong_schedules (schedule text, hint text);
insert into wrong_schedules values
  ('', 'At character 1: a schedule is daily, weekly, or five fields: minute, hour, day of month, month, day of week.'),
  ('hourly', 'At character 7: a schedule is daily, weekly, or five fields: minute, hour, day of month, month, day of week.'),
  ('0 25 * * *', 'At character 3: an hour is 0 to 23.'),
  ('0 9 * * 1-5,x', 'At character 13: a day of the week is 0 to 7 or sun to sat.'),
  ('*/0 * * * *', 'At character 3: a step is a number from 1 on.'),
  ('0 9 30 2 *', 'At character 5: that day is in none of these months.');
select is(pg_temp.refusal(jsonb_build_object('type', 'schedule', 'schedule', w.schedule)),
          'PT400 schedule_invalid: ' || w.hint, format('refused when saved: "%s"', w.schedule))
  from wrong_schedules as w;
select matches(pg_temp.refusal(t::jsonb), '^PT400 trigger_invalid: ', 'refused as a trigger: ' || t)
  from unnest(array[
         '{}', '{"type": "schedule"}', '{"type": "schedule", "schedule": 5}', '{"type": "schedule", "schedule": null}',
         '{"type": "event"}', '{"type": "event", "event": "birthday"}', '{"schedule": "daily"}',
         '{"type": "webhook", "schedule": "daily"}'
       ]) as t;
select is(pg_temp.refusal(t::jsonb), null, 'taken as a trigger: ' || t)
  from unnest(array[
         '{"type": "schedule", "schedule": "daily"}', '{"type": "schedule", "schedule": "weekly"}',
         '{"type": "schedule", "schedule": "*/15 6-20 * * mon-fri"}', '{"type": "event", "event": "inactivity"}',
         '{"type": "event", "event": "risk_red"}', '{"type": "event", "event": "payment_failed"}',
         '{"type": "schedule", "schedule": "0 9 29 2 *", "label": "leap day"}'
       ]) as t;
select throws_ok($$select pg_temp.save('[]')$$, 'PT400', 'trigger_invalid', 'a trigger that is no object');

-- Every door: the API as the coach and as a service, an update, an upsert; and while it is switched off.
select tests.act_as('ada');
select throws_ok(
  $$insert into public.automations (org_id, name, enabled, trigger, conditions, actions, guardrails)
    values (tests.id('org', 'ada'), 'x', true, '{"type": "schedule", "schedule": "61 * * * *"}', '[]', '[]', '{}')$$,
  'PT400', 'schedule_invalid', 'a coach''s insert');
select lives_ok(
  $$insert into public.automations (id, org_id, name, enabled, trigger, conditions, actions, guardrails)
    values (tests.id('automation', 'hers'), tests.id('org', 'ada'), 'x', true,
            '{"type": "schedule", "schedule": "daily"}', '[]',
            '[{"type": "send_message", "params": {"body": "Hi {{first_name}}"}}]',
            '{"max_per_client_per_day": 1, "quiet_hours_start": 21, "quiet_hours_end": 8, "dedupe_hours": 24}')$$,
  'what the existing page saves is taken');
select throws_ok(
  $$update public.automations set trigger = '{"type": "schedule", "schedule": "61 * * * *"}'
     where id = tests.id('automation', 'hers')$$, 'PT400', 'schedule_invalid', 'a coach''s update');
select throws_ok(
  $$update public.automations set next_due_at = '2000-01-01' where id = tests.id('automation', 'hers')$$,
  '42501', 'permission denied for table automations', 'when it is due is not for the API to write');
select throws_ok(
  $$insert into public.automations (org_id, name, trigger, next_due_at)
    values (tests.id('org', 'ada'), 'x', '{"type": "schedule", "schedule": "daily"}', '2000-01-01')$$,
  '42501', 'permission denied for table automations', 'nor on the way in');
select tests.act_as_role('service_role');
select throws_ok(
  $$insert into public.automations (org_id, name, trigger, enabled)
    values (tests.id('org', 'ada'), 'x', '{"type": "schedule", "schedule": "61 * * * *"}', false)$$,
  'PT400', 'schedule_invalid', 'a service key''s insert, though it is switched off');
select throws_ok(
  $$insert into public.automations (id, org_id, name, trigger)
    values (tests.id('automation', 'hers'), tests.id('org', 'ada'), 'x', '{"type": "schedule", "schedule": "daily"}')
    on conflict (id) do update set trigger = '{"type": "schedule", "schedule": "61 * * * *"}'$$,
  'PT400', 'schedule_invalid', 'an upsert');
select lives_ok(
  $$insert into public.automations (id, org_id, name, trigger, next_due_at)
    values (tests.id('automation', 'service'), tests.id('org', 'ada'), 'x',
            '{"type": "schedule", "schedule": "daily"}', '2000-01-01')$$, 'a service key may name a due time');
select tests.act_as_admin();
select ok((select next_due_at > now() from public.automations where id = tests.id('automation', 'service')),
  'but it is worked out all the same: nothing is due by being saved');
select throws_ok(
  $$update public.automations set trigger = '{"type": "schedule", "schedule": "61 * * * *"}'
     where id = tests.id('automation', 'hers')$$, 'PT400', 'schedule_invalid', 'an operator''s update');
select throws_ok(
  $$insert into public.automations (org_id, name, trigger) values (gen_random_uuid(), 'x', '{"type": "schedule", "schedule": "daily"}')$$,
  '23503', null, 'an org that there is not is the foreign key''s to refuse');

-- Conditions.
select is(pg_temp.refusal(p_conditions => c.conditions::jsonb), 'PT400 conditions_invalid: ' || c.hint, 'refused: ' || c.conditions)
  from (values
    ('[{"field": "mood", "operator": "eq", "value": "x"}]',
     'Condition 1: the field is one of risk_tier, risk_score, subscription_status, days_since_activity, status and tags.'),
    ('["risk_tier"]',
     'Condition 1: the field is one of risk_tier, risk_score, subscription_status, days_since_activity, status and tags.'),
    ('[{"field": "risk_tier", "operator": "eq", "value": "red"}, {"field": "risk_score", "operator": "about", "value": 1}]',
     'Condition 2: the operator for this field is one of eq, neq, gt, lt, gte, lte, in.'),
    ('[{"field": "risk_tier", "operator": "gt", "value": "red"}]',
     'Condition 1: the operator for this field is one of eq, neq, in, contains.'),
    ('[{"field": "tags", "operator": "eq", "value": "vip"}]',
     'Condition 1: the operator for this field is one of contains.'),
    ('[{"field": "days_since_activity", "operator": "gte", "value": "soon"}]', 'Condition 1: the value is a number.'),
    ('[{"field": "days_since_activity", "operator": "gte"}]', 'Condition 1: the value is a number.'),
    ('[{"field": "days_since_activity", "operator": "in", "value": [1, "x"]}]', 'Condition 1: the value is a number.'),
    ('[{"field": "risk_tier", "operator": "eq", "value": null}]', 'Condition 1: the value is a text.'),
    ('[{"field": "risk_tier", "operator": "eq", "value": {}}]', 'Condition 1: the value is a text.'),
    ('[{"field": "risk_tier", "operator": "in", "value": "red"}]', 'Condition 1: the value is a list.'),
    ('[{"field": "risk_tier", "operator": "in", "value": []}]', 'Condition 1: the value is a list.')
  ) as c (conditions, hint);
select is(pg_temp.refusal(p_conditions => c::jsonb), null, 'taken: ' || c)
  from unnest(array[
         '[]', '[{"field": "risk_tier", "operator": "eq", "value": "red"}]',
         '[{"field": "days_since_activity", "operator": "gte", "value": "14"}]',
         '[{"field": "risk_score", "operator": "lt", "value": 50.5}, {"field": "status", "operator": "neq", "value": "paused"}]',
         '[{"field": "subscription_status", "operator": "in", "value": ["past_due", "canceled"]}]',
         '[{"field": "tags", "operator": "contains", "value": "vip"}]'
       ]) as c;
select throws_ok($$select pg_temp.save(p_conditions => '{}')$$, '23514', null, 'no list of conditions at all');

-- Actions.
select is(pg_temp.refusal(p_actions => a.actions::jsonb), 'PT400 ' || a.answer, 'refused: ' || left(a.actions, 80))
  from (values
    ('[{"type": "send_fax", "params": {"body": "x"}}]', 'actions_invalid: Action 1: the type is one of send_message, '
     'send_sms, send_push, notify_trainer and tag_client.'),
    ('["send_message"]', 'actions_invalid: Action 1: the type is one of send_message, send_sms, send_push, '
     'notify_trainer and tag_client.'),
    ('[{"type": "send_message"}]', 'actions_invalid: Action 1: params.body has 1 to 4000 characters.'),
    ('[{"type": "send_message", "params": {"body": " \n "}}]', 'actions_invalid: Action 1: params.body has 1 to 4000 '
     'characters.'),
    (format('[{"type": "send_sms", "params": {"body": "%s"}}]', repeat('x', 1601)),
     'actions_invalid: Action 1: params.body has 1 to 1600 characters.'),
    (format('[{"type": "send_push", "params": {"body": "x", "title": "%s"}}]', repeat('x', 201)),
     'actions_invalid: Action 1: params.title has at most 200 characters.'),
    ('[{"type": "tag_client", "params": {"body": "vip"}}]', 'actions_invalid: Action 1: params.tag has 1 to 50 characters.'),
    ('[{"type": "send_message", "params": {"body": "x"}}, {"type": "send_message", "params": {"body": "Hi {{frist_name}}"}}]',
     'actions_invalid: Action 2: the placeholders are {{name}}, {{first_name}} and {{days_inactive}}.'),
    ('[{"type": "send_push", "params": {"body": "x", "title": "{{ coach }}"}}]',
     'actions_invalid: Action 1: the placeholders are {{name}}, {{first_name}} and {{days_inactive}}.'),
    ('[{"type": "create_offer", "params": {}}]', 'action_unavailable: Action 1: there are no offers for one client alone, '
     'so none can be made for them.')
  ) as a (actions, answer);
select is(pg_temp.refusal(p_actions => jsonb_agg(jsonb_build_object('type', 'tag_client', 'params', jsonb_build_object('tag', n)))),
  'PT400 actions_invalid: An automation has at most 10 actions.', 'eleven actions are too many')
  from generate_series(1, 11) as n;
select is(pg_temp.refusal(p_actions => a::jsonb), null, 'taken: ' || a)
  from unnest(array[
         '[]', '[{"type": "send_message", "params": {"body": "Hi {{ first_name }} ({{name}}), {{days_inactive}} days!"}}]',
         '[{"type": "send_sms", "params": {"body": "Hi"}}, {"type": "send_push", "params": {"title": "Hi", "body": "x"}}]',
         '[{"type": "notify_trainer", "params": {"body": "Call {{name}}", "title": ""}}]',
         '[{"type": "tag_client", "params": {"tag": "win back"}}]'
       ]) as a;

-- Guardrails.
select matches(pg_temp.refusal(p_guardrails => g::jsonb), '^PT400 guardrails_invalid: ', 'refused: ' || g)
  from unnest(array[
         '{"max_per_client_per_day": 0}', '{"max_per_client_per_day": -1}', '{"max_per_client_per_week": 1.5}',
         '{"max_per_client_per_week": "many"}', '{"quiet_hours_start": 24, "quiet_hours_end": 8}',
         '{"quiet_hours_end": "8am"}', '{"dedupe_hours": 8761}', '{"dedupe_hours": [24]}', '{"dedupe_hours": true}'
       ]) as g;
select is(pg_temp.refusal(p_guardrails => '{"quiet_hours_start": 24}'),
  'PT400 guardrails_invalid: quiet_hours_start is 0 to 23, or left out.', 'and it is said which, and what it may be');
select is(pg_temp.refusal(p_guardrails => g::jsonb), null, 'taken: ' || g)
  from unnest(array[
         '{}', '{"max_per_client_per_day": 1, "quiet_hours_start": 21, "quiet_hours_end": 8, "dedupe_hours": 24}',
         '{"max_per_client_per_day": null, "max_per_client_per_week": "3", "dedupe_hours": 0}', '{"later": "something"}'
       ]) as g;

-- When it is due.
create function pg_temp.due(p_id uuid) returns timestamptz language sql as $$
  select next_due_at from public.automations where id = p_id;
$$;
select is(pg_temp.due(pg_temp.save(jsonb_build_object('type', 'schedule', 'schedule', s))),
          app.next_due(s, 'Australia/Sydney', now()), format('"%s": the next time on the org''s clock', s))
  from unnest(array['daily', 'weekly', '*/20 * * * *', '30 2 29 2 *']) as s;
select is(pg_temp.due(pg_temp.save('{"type": "event", "event": "inactivity"}')),
          app.next_due('daily', 'Australia/Sydney', now()), 'who is inactive is looked at daily');
select is(pg_temp.due(pg_temp.save('{"type": "event", "event": "risk_red"}')), null, 'an event is not due by the clock');
select is(pg_temp.due(pg_temp.save(p_enabled => false)), null, 'nor is what is switched off');
create temp table kept as select pg_temp.save() as id;
-- As if it had waited since yesterday: what is due stays so, unless what makes it due changes.
create function pg_temp.overdue() returns void language plpgsql as $$
begin
  update public.automations set next_due_at = now() - interval '1 day' where id = (select id from kept);
end;
$$;
create function pg_temp.is_overdue() returns boolean language sql as $$
  select pg_temp.due(id) = now() - interval '1 day' from kept;
$$;
select pg_temp.overdue();
update public.automations set name = 'Renamed', conditions = '[{"field": "status", "operator": "eq", "value": "active"}]'
 where id = (select id from kept);
update public.automations set trigger = trigger, enabled = enabled where id = (select id from kept);
select ok(pg_temp.is_overdue(), 'a new name or other conditions leave it due, and so does saving the same again');
update public.automations set trigger = '{"type": "schedule", "schedule": "0 5 * * *"}' where id = (select id from kept);
select is((select pg_temp.due(id) from kept), app.next_due('0 5 * * *', 'Australia/Sydney', now()),
  'another schedule: its next time from now, and what was missed of the old one is gone');
update public.automations set enabled = false where id = (select id from kept);
select is((select pg_temp.due(id) from kept), null, 'switched off: not due');
update public.automations set enabled = true where id = (select id from kept);
select is((select pg_temp.due(id) from kept), app.next_due('0 5 * * *', 'Australia/Sydney', now()),
  'switched on: due next time, not for what was missed');
update public.automations set trigger = '{"type": "event", "event": "risk_red"}' where id = (select id from kept);
select is((select pg_temp.due(id) from kept), null, 'now by an event: not due');
update public.automations set trigger = '{"type": "schedule", "schedule": "daily"}' where id = (select id from kept);

-- The org's clock, through each of the three columns, and its hour.
select pg_temp.overdue();
update public.orgs set timezone = 'Asia/Kathmandu' where id = tests.id('org', 'ada');
select is((select pg_temp.due(id) from kept), app.next_due('daily', 'Asia/Kathmandu', now()), 'another zone: due on its clock');
update public.booking_settings set timezone = 'Europe/London' where org_id = tests.id('org', 'ada');
select is((select pg_temp.due(id) from kept), app.next_due('daily', 'Europe/London', now()), 'also by the old settings');
update public.sms_settings set timezone = 'America/New_York' where org_id = tests.id('org', 'ada');
select is((select pg_temp.due(id) from kept), app.next_due('daily', 'America/New_York', now()), 'either of them');
select tests.act_as('ada staff');
update public.orgs set automation_hour = 17 where id = tests.id('org', 'ada');
select tests.act_as_admin();
select is((select pg_temp.due(id) from kept), app.next_due('daily', 'America/New_York', now(), 17),
  'another hour, chosen by staff: due then');
select is((select count(*) from public.automations
            where org_id = tests.id('org', 'ada') and trigger ->> 'event' = 'risk_red' and next_due_at is not null),
  0::bigint, 'what is not due by the clock stays so');
update public.automations set next_due_at = now() - interval '1 day' where id = (select id from kept);
update public.orgs set name = 'Ada' where id = tests.id('org', 'ada');
select ok(pg_temp.is_overdue(), 'another name of the org changes nothing');
select throws_ok($$update public.orgs set automation_hour = 24 where id = tests.id('org', 'ada')$$, '23514', null,
  'there is no hour 24');
insert into public.automations (id, org_id, name, trigger)
values (tests.id('automation', 'eve'), tests.id('org', 'eve'), 'x', '{"type": "schedule", "schedule": "daily"}');
select is(pg_temp.due(tests.id('automation', 'eve')), app.next_due('daily', 'America/New_York', now()),
  'another org has its own clock and hour');

-- Whatever writes the row: scheduled and switched on is due some time.
select throws_ok(
  $$alter table public.automations disable trigger automations_prepare;
    update public.automations set next_due_at = null where id = tests.id('automation', 'eve')$$,
  '23514', null, 'a constraint holds without the trigger');
-- The clock writes no audit and touches no updated_at.
update public.automations set next_due_at = next_due_at + interval '1 day', updated_at = '2000-01-01'
 where id = tests.id('automation', 'eve');
select is((select updated_at from public.automations where id = tests.id('automation', 'eve')), '2000-01-01'::timestamptz,
  'that it fired is no change of it');
select is((select count(*) from public.audit_events
            where table_name = 'automations' and row_id = tests.id('automation', 'eve') and action = 'update'),
  0::bigint, 'and not recorded as one');
select * from finish();
rollback;
