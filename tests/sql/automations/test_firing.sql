-- CRON-01: an automation fires when it is due, once for each due time and client, whoever asks how often; for whom, and
-- what its guardrails hold back.
begin;
select plan(113);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
set local timezone = 'Pacific/Kiritimati';
insert into public.clients (id, org_id, full_name, created_at)
select tests.id('client', 'ada ' || n), tests.id('org', 'ada'), 'Client ' || n, '2027-01-01 00:00Z' from generate_series(2, 5) as n;
update public.clients set created_at = '2027-01-01 00:00Z' where id in (tests.id('client', 'ada'), tests.id('client', 'eve'));

-- An automation, tests.id('automation', p_name), that tags, which does no harm, and is due at p_due_at.
create function pg_temp.automation(
  p_name text, p_due_at timestamptz, p_trigger jsonb default '{"type": "schedule", "schedule": "daily"}',
  p_conditions jsonb default '[]', p_guardrails jsonb default '{}', p_org text default 'ada',
  p_actions jsonb default '[{"type": "tag_client", "params": {"tag": "seen"}}]'
) returns text language plpgsql as $$
begin
  insert into public.automations (id, org_id, name, trigger, conditions, guardrails, actions)
  values (tests.id('automation', p_name), tests.id('org', p_org), p_name, p_trigger, p_conditions, p_guardrails, p_actions);
  perform pg_temp.due(p_name, p_due_at);
  return '';
end;
$$;
create function pg_temp.due(p_name text, p_at timestamptz) returns text language plpgsql as $$
begin
  if p_at is not null then
    update public.automations set next_due_at = p_at where id = tests.id('automation', p_name);
  end if;
  return '';
end;
$$;
-- Every tick there is to do at an instant, as the worker asks for it; how many slots it took up.
create function pg_temp.tick(p_at timestamptz) returns text language plpgsql as $$
declare
  v_claimed integer;
  v_done integer;
  v_all integer := 0;
begin
  loop
    v_claimed := app.claim_due_automations(p_at);
    v_done := app.run_due_slots(p_at);
    v_all := v_all + v_done;
    exit when v_claimed = 0 and v_done = 0;
  end loop;
  return v_all;
end;
$$;
create function pg_temp.runs(p_name text) returns setof public.automation_runs language sql as $$
  select r.* from public.automation_runs as r where r.automation_id = tests.id('automation', p_name)
   order by r.due_at, r.fired_at, r.client_id;
$$;
create function pg_temp.count(p_name text, p_status text default 'ok') returns bigint language sql as $$
  select count(*) from pg_temp.runs(p_name) as r where r.status = p_status;
$$;
create function pg_temp.next(p_name text) returns timestamptz language sql as $$
  select next_due_at from public.automations where id = tests.id('automation', p_name);
$$;

-- Due -------------------------------------------------------------------------------------------------------------------
select pg_temp.automation('new', null);
select is(pg_temp.tick(now()), '0', 'being made is not being due');
delete from public.automations where id = tests.id('automation', 'new');

select pg_temp.automation('daily', '2027-03-01 09:00+10');
select is(app.claim_due_automations('2027-03-01 08:59:59+10'), 0, 'not a second before');
select is(app.claim_due_automations('2027-03-01 09:00+10'), 1, 'claimed when due');
select is(app.claim_due_automations('2027-03-01 09:00+10'), 0, 'once');
select is(pg_temp.next('daily'), '2027-03-02 09:00+10', 'and due again the next day');
select is(pg_temp.count('daily'), 0::bigint, 'a claim does nothing yet');
select is(app.run_due_slots('2027-03-01 09:00:30+10'), 1, 'what is claimed is done');
select results_eq(
  $$select due_at, fired_at, status, reason, attempts, event, actions_fired, actions_left from pg_temp.runs('daily')$$,
  $$select '2027-03-01 09:00+10'::timestamptz, '2027-03-01 09:00:30+10'::timestamptz, 'ok', null::text, 1, null::text,
           '[{"type": "tag_client", "params": {"tag": "seen"}}]'::jsonb, '[]'::jsonb from generate_series(1, 5)$$,
  'for every client of the org: ok, when it was due and when it was done');
select is((select count(*) from public.clients where tags = '{seen}' and org_id = tests.id('org', 'ada')), 5::bigint,
  'and each was tagged');
select is((select count(*) from public.clients where tags = '{seen}'), 5::bigint, 'and nobody else''s client');
select is(pg_temp.tick('2027-03-01 09:05+10'), '0', 'then nothing is left to do');
select is((select count(*) from app.automation_slots), 0::bigint, 'nor kept');

-- Missed: one run makes up for all, as late as it comes; the clock set back does nothing again.
select pg_temp.tick('2027-03-09 12:34+10');
select results_eq(
  $$select distinct due_at, fired_at from pg_temp.runs('daily') where due_at > '2027-03-01 09:00+10'$$,
  $$values ('2027-03-02 09:00+10'::timestamptz, '2027-03-09 12:34+10'::timestamptz)$$,
  'a week without a worker is made up for by one run, for the first time missed');
select is(pg_temp.count('daily'), 10::bigint, 'for each client');
select is(pg_temp.next('daily'), '2027-03-10 09:00+10', 'and then it is due as ever');
select is(pg_temp.tick('2027-03-05 09:00+10'), '0', 'the clock, set back, makes nothing due again');
select is(pg_temp.tick('2027-03-09 23:00+10'), '0', 'nor set right again');

-- Claimed, and not done for long: what was missed meanwhile is made up for by the same run.
select is(app.claim_due_automations('2027-03-10 09:00+10'), 1, 'claimed by a worker that dies');
select is(app.claim_due_automations('2027-03-11 09:00+10'), 0, 'one that waits is not claimed again');
select is(pg_temp.tick('2027-03-12 10:00+10'), '1', 'another does it two days later');
select is(pg_temp.count('daily'), 15::bigint, 'once for each client');
select is(pg_temp.next('daily'), '2027-03-13 09:00+10', 'and it is due next time from now');

-- Switched off or deleted after it was claimed.
select app.claim_due_automations('2027-03-13 09:00+10')::text;
update public.automations set enabled = false where id = tests.id('automation', 'daily');
select is(pg_temp.tick('2027-03-13 09:01+10'), '1', 'what was switched off meanwhile is dropped');
select is(pg_temp.count('daily'), 15::bigint, 'and not done');
update public.automations set enabled = true where id = tests.id('automation', 'daily');
select pg_temp.due('daily', '2027-03-14 09:00+10');
select app.claim_due_automations('2027-03-14 09:00+10')::text;
delete from public.automations where id = tests.id('automation', 'daily');
select is(pg_temp.tick('2027-03-14 09:01+10'), '0', 'what was deleted leaves nothing to do');

-- Many clients: a few at a time, each once, also those who are gone or come meanwhile.
select pg_temp.automation('many', '2027-04-01 09:00+10');
select app.claim_due_automations('2027-04-01 09:00+10')::text;
select app.run_due_slots('2027-04-01 09:00+10', 2)::text;
select is(pg_temp.count('many'), 2::bigint, 'two clients at a time');
select pg_temp.due('many', '2027-04-01 09:00:30+10');
select is(app.claim_due_automations('2027-04-01 09:01+10'), 0, 'meanwhile it is not claimed again');
select app.run_due_slots('2027-04-01 09:01+10', 2)::text;
select is(pg_temp.count('many'), 4::bigint, 'the next two');
select is(pg_temp.next('many'), '2027-04-01 09:00:30+10', 'what became due after the first clients were done, is due');
select is((select array_agg(c.id order by c.id) from public.clients as c where c.org_id = tests.id('org', 'ada')),
  (select array_agg(x.client_id order by x.client_id) from (
     select client_id from pg_temp.runs('many')
     union all
     select c.id from public.clients as c where c.org_id = tests.id('org', 'ada')
        and c.id > (select s.last_client_id from app.automation_slots as s)) as x),
  'by id: done up to here, and the rest');
select app.run_due_slots('2027-04-01 09:02+10', 2)::text;
select is(pg_temp.count('many'), 5::bigint, 'and the last');
select is((select count(distinct client_id) from pg_temp.runs('many')), 5::bigint, 'each once');
select pg_temp.tick('2027-04-01 09:03+10');
select is(pg_temp.count('many'), 10::bigint, 'then the time that became due meanwhile');
delete from public.automations where id = tests.id('automation', 'many');

-- The keys hold without the function.
select pg_temp.automation('keys', null);
insert into public.automation_runs (org_id, automation_id, client_id, status, due_at)
values (tests.id('org', 'ada'), tests.id('automation', 'keys'), tests.id('client', 'ada'), 'ok', '2027-04-02');
select throws_ok(
  $$insert into public.automation_runs (org_id, automation_id, client_id, status, due_at)
    values (tests.id('org', 'ada'), tests.id('automation', 'keys'), tests.id('client', 'ada'), 'skipped', '2027-04-02')$$,
  '23505', null, 'one run for each automation, due time and client');
insert into public.automation_runs (org_id, automation_id, client_id, status, due_at, event)
values (tests.id('org', 'ada'), tests.id('automation', 'keys'), tests.id('client', 'ada'), 'ok', '2027-04-02', 'a');
select throws_ok(
  $$insert into public.automation_runs (org_id, automation_id, client_id, status, due_at, event)
    values (tests.id('org', 'ada'), tests.id('automation', 'keys'), tests.id('client', 'ada'), 'failed', '2027-04-03', 'a')$$,
  '23505', null, 'and one for each automation, event and client');
select lives_ok(
  $$insert into public.automation_runs (org_id, automation_id, client_id, status, reason, actions_fired)
    select tests.id('org', 'ada'), tests.id('automation', 'keys'), tests.id('client', 'ada'), 'ok', null, '[]'
      from generate_series(1, 2)$$, 'what the old function wrote, without either, is still taken');
select throws_ok(
  $$insert into public.automation_runs (org_id, automation_id, client_id, status, actions_left)
    values (tests.id('org', 'ada'), tests.id('automation', 'keys'), tests.id('client', 'ada'), 'ok', '[{}]')$$,
  '23514', null, 'nothing is ok with an action left');
delete from public.automations where id = tests.id('automation', 'keys');

-- One that cannot be done at all is put off, and the others are done.
select pg_temp.automation('broken', '2027-04-03 09:00+10');
select pg_temp.automation('whole', '2027-04-03 09:00+10');
alter table public.automations disable trigger automations_prepare;
update public.automations set guardrails = '{"dedupe_hours": "x"}' where id = tests.id('automation', 'broken');
alter table public.automations enable trigger automations_prepare;
set local client_min_messages = error;
select pg_temp.tick('2027-04-03 09:00+10');
reset client_min_messages;
select is(pg_temp.count('whole'), 5::bigint, 'one that fails as a whole does not keep the others from being done');
select results_eq($$select attempts, run_at from app.automation_slots$$,
  $$values (1, '2027-04-03 09:01+10'::timestamptz)$$, 'it is put off, and kept');
update public.automations set guardrails = '{}' where id = tests.id('automation', 'broken');
select pg_temp.tick('2027-04-03 09:01+10');
select is(pg_temp.count('broken'), 5::bigint, 'and done when it can be');
delete from public.automations;

-- For whom --------------------------------------------------------------------------------------------------------------
create temp table holds (conditions jsonb, facts jsonb, expected boolean);
insert into holds values
  ('[]', '{}', true),
  ('[{"field": "risk_tier", "operator": "eq", "value": "red"}]', '{"risk_tier": "red"}', true),
  ('[{"field": "risk_tier", "operator": "eq", "value": "red"}]', '{"risk_tier": "amber"}', false),
  ('[{"field": "risk_tier", "operator": "eq", "value": "red"}]', '{"risk_tier": null}', false),
  ('[{"field": "risk_tier", "operator": "neq", "value": "red"}]', '{"risk_tier": "amber"}', true),
  ('[{"field": "risk_tier", "operator": "neq", "value": "red"}]', '{"risk_tier": "red"}', false),
  ('[{"field": "risk_tier", "operator": "neq", "value": "red"}]', '{"risk_tier": null}', true),
  ('[{"field": "risk_tier", "operator": "in", "value": ["amber", "red"]}]', '{"risk_tier": "red"}', true),
  ('[{"field": "risk_tier", "operator": "in", "value": ["amber", "red"]}]', '{"risk_tier": "green"}', false),
  ('[{"field": "risk_tier", "operator": "in", "value": ["amber", "red"]}]', '{"risk_tier": null}', false),
  ('[{"field": "subscription_status", "operator": "contains", "value": "due"}]', '{"subscription_status": "past_due"}', true),
  ('[{"field": "subscription_status", "operator": "contains", "value": "DUE"}]', '{"subscription_status": "past_due"}', false),
  ('[{"field": "subscription_status", "operator": "contains", "value": "%"}]', '{"subscription_status": "past_due"}', false),
  ('[{"field": "tags", "operator": "contains", "value": "vip"}]', '{"tags": ["new", "vip"]}', true),
  ('[{"field": "tags", "operator": "contains", "value": "vi"}]', '{"tags": ["new", "vip"]}', false),
  ('[{"field": "tags", "operator": "contains", "value": "vip"}]', '{"tags": []}', false),
  ('[{"field": "days_since_activity", "operator": "gte", "value": 14}]', '{"days_since_activity": 14}', true),
  ('[{"field": "days_since_activity", "operator": "gte", "value": "14"}]', '{"days_since_activity": 9}', false),  -- not as text
  ('[{"field": "days_since_activity", "operator": "gt", "value": 14}]', '{"days_since_activity": 14}', false),
  ('[{"field": "days_since_activity", "operator": "gt", "value": "9"}]', '{"days_since_activity": 14}', true),
  ('[{"field": "days_since_activity", "operator": "lt", "value": 14.5}]', '{"days_since_activity": 14}', true),
  ('[{"field": "days_since_activity", "operator": "lte", "value": 13}]', '{"days_since_activity": 14}', false),
  ('[{"field": "days_since_activity", "operator": "eq", "value": "14.0"}]', '{"days_since_activity": 14}', true),
  ('[{"field": "days_since_activity", "operator": "neq", "value": 14}]', '{"days_since_activity": 14}', false),
  ('[{"field": "days_since_activity", "operator": "in", "value": [7, 14]}]', '{"days_since_activity": 14}', true),
  ('[{"field": "risk_score", "operator": "lt", "value": 50}]', '{"risk_score": null}', false),
  ('[{"field": "risk_tier", "operator": "eq", "value": "red"}, {"field": "risk_score", "operator": "gt", "value": 80}]',
   '{"risk_tier": "red", "risk_score": 70}', false),
  ('[{"field": "risk_tier", "operator": "eq", "value": "red"}, {"field": "risk_score", "operator": "gt", "value": 60}]',
   '{"risk_tier": "red", "risk_score": 70}', true),
  ('[{"field": "mood", "operator": "eq", "value": "x"}]', '{"risk_tier": "red"}', false);  -- saved before it was refused
select is(app.conditions_hold(h.conditions, h.facts), h.expected, format('%s: %s', h.conditions, h.facts)) from holds as h;

-- What they are about: days are the org's, risk is UTC's.
create function pg_temp.fact(p_name text, p_at timestamptz, p_timezone text default 'Australia/Brisbane') returns jsonb
language sql as $$
  select f.facts -> p_name
    from app.client_facts(tests.id('org', 'ada'), tests.id('client', 'ada'), null, p_timezone, p_at, 1) as f;
$$;
select is(pg_temp.fact('days_since_activity', '2027-01-08 09:00+10'), '7', 'without a record: since they became a client');
insert into public.activity_events (org_id, client_id, type, payload, created_at)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'workout', '{}', '2027-02-01 23:30+10'),
       (tests.id('org', 'ada'), tests.id('client', 'ada'), 'workout', '{}', '2027-01-20 09:00+10');
select is(pg_temp.fact('days_since_activity', '2027-02-02 00:10+10'), '1', 'yesterday is a day ago, also after 40 minutes');
select is(pg_temp.fact('days_since_activity', '2027-02-02 00:10+10', 'UTC'), '0', 'where it is yesterday');
select is(pg_temp.fact('days_since_activity', '2027-02-01 23:59+10'), '0', 'today is none');
select is(pg_temp.fact('days_since_activity', '2027-01-30 12:00+10'), '10', 'what is to come is not there yet');
select is(pg_temp.fact('subscription_status', '2027-02-02 09:00+10'), '"none"', 'no subscription');
insert into public.subscriptions (org_id, client_id, status) values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'active');
select is(pg_temp.fact('subscription_status', '2027-02-02 09:00+10'), '"active"', 'the subscription');
select is(pg_temp.fact('risk_tier', '2027-02-02 09:00+10'), 'null', 'no score');
insert into public.client_risk (org_id, client_id, as_of_date, score, tier)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), '2027-02-01', 60, 'red'),
       (tests.id('org', 'ada'), tests.id('client', 'ada'), '2027-02-02', 30, 'amber');
select is(pg_temp.fact('risk_tier', '2027-02-02 09:00+10'), '"red"', 'at nine in Brisbane UTC has the day before');
select is(pg_temp.fact('risk_score', '2027-02-02 10:00+10'), '30', 'at ten it has this one');
select is(pg_temp.fact('risk_tier', '2027-02-03 11:00+10'), '"amber"', 'yesterday''s, until today''s is there');
select is(pg_temp.fact('risk_tier', '2027-02-04 11:00+10'), 'null', 'but no older one');
select results_eq(
  $$select f.client_id from app.client_facts(tests.id('org', 'ada'), null, null, 'UTC', now(), 100) as f$$,
  $$select c.id from public.clients as c where c.org_id = tests.id('org', 'ada') order by c.id$$, 'the clients of the org, by id');
update public.clients set status = 'paused' where id = tests.id('client', 'ada 5');
select is((select count(*) from app.client_facts(tests.id('org', 'ada'), null, null, 'UTC', now(), 100)), 4::bigint,
  'the active ones');
select pg_temp.automation('red', '2027-02-02 09:00+10',
  p_conditions => '[{"field": "risk_tier", "operator": "eq", "value": "red"}]');
select pg_temp.tick('2027-02-02 09:00+10');
select results_eq($$select client_id, status from pg_temp.runs('red')$$,
  $$values (tests.id('client', 'ada'), 'ok')$$, 'for whom a condition does not hold, there is no run');
delete from public.automations;
update public.clients set status = 'paused' where org_id = tests.id('org', 'ada') and id <> tests.id('client', 'ada');

-- Guardrails ------------------------------------------------------------------------------------------------------------
-- Quiet hours are the org's: 21 to 8 in Brisbane is 11:00 to 22:00 UTC.
select pg_temp.automation('night', '2027-05-01 21:00+10', p_guardrails => '{"quiet_hours_start": 21, "quiet_hours_end": 8}');
select pg_temp.tick('2027-05-01 21:00+10');
select pg_temp.tick('2027-05-01 21:15+10');
select pg_temp.tick('2027-05-02 08:30+10');
select results_eq($$select status, reason, due_at, actions_fired, next_attempt_at from pg_temp.runs('night')$$,
  $$values ('skipped', 'Quiet hours', '2027-05-01 21:00+10'::timestamptz, '[]'::jsonb, null::timestamptz)$$,
  'skipped in the org''s quiet hours: once, not per tick, and not made up for');
select pg_temp.tick('2027-05-02 09:00+10');
select is(pg_temp.count('night'), 1::bigint, 'the next time is another');
delete from public.automations;

-- dedupe_hours: hours since it last fired.
select pg_temp.automation('dedupe', '2027-05-01 10:00+10', '{"type": "schedule", "schedule": "0 * * * *"}',
  p_guardrails => '{"dedupe_hours": 3}');
select pg_temp.tick('2027-05-01 10:00+10'::timestamptz + make_interval(hours => n)) from generate_series(0, 6) as n;
select results_eq($$select extract(hour from due_at at time zone 'Australia/Brisbane')::integer, status, reason from pg_temp.runs('dedupe')$$,
  $$values (10, 'ok', null), (11, 'skipped', 'Already fired within 3h'), (12, 'skipped', 'Already fired within 3h'),
           (13, 'ok', null), (14, 'skipped', 'Already fired within 3h'), (15, 'skipped', 'Already fired within 3h'),
           (16, 'ok', null)$$, 'three hours later it may again; what was skipped does not count');
delete from public.automations;

-- A day is the org's: New York's begins at 04:00 or 05:00 UTC.
update public.clients set status = 'active' where id = tests.id('client', 'eve');
select pg_temp.automation('day', '2027-05-01 20:00-04', '{"type": "schedule", "schedule": "0 * * * *"}',
  p_guardrails => '{"max_per_client_per_day": 2}', p_org => 'eve');
select pg_temp.tick('2027-05-01 20:00-04'::timestamptz + make_interval(hours => n)) from generate_series(0, 6) as n;
select results_eq($$select to_char(due_at at time zone 'America/New_York', 'DD HH24'), status, reason from pg_temp.runs('day')$$,
  $$values ('01 20', 'ok', null), ('01 21', 'ok', null), ('01 22', 'skipped', 'Daily limit reached'),
           ('01 23', 'skipped', 'Daily limit reached'), ('02 00', 'ok', null), ('02 01', 'ok', null),
           ('02 02', 'skipped', 'Daily limit reached')$$, 'two a day, and a new day at the org''s midnight');
delete from public.automations;
-- A week is the org's last seven days: here one with 25 hours in it.
select pg_temp.automation('week', '2027-11-03 09:00-04', p_guardrails => '{"max_per_client_per_week": 2}', p_org => 'eve');
select pg_temp.tick(app.local_to_instant('2027-11-03 09:00'::timestamp + make_interval(days => n), 'America/New_York'))
  from generate_series(0, 9) as n;
select results_eq($$select to_char(due_at at time zone 'America/New_York', 'DD HH24'), status, reason from pg_temp.runs('week')$$,
  $$values ('03 09', 'ok', null), ('04 09', 'ok', null), ('05 09', 'skipped', 'Weekly limit reached'),
           ('06 09', 'skipped', 'Weekly limit reached'), ('07 09', 'skipped', 'Weekly limit reached'),
           ('08 09', 'skipped', 'Weekly limit reached'), ('09 09', 'skipped', 'Weekly limit reached'),
           ('10 09', 'ok', null), ('11 09', 'ok', null), ('12 09', 'skipped', 'Weekly limit reached')$$,
  'two in any seven days');
delete from public.automations;

-- What counts: what reached the client, or may yet.
create function pg_temp.problem(p_status text, p_next timestamptz, p_fired jsonb, p_guardrails jsonb) returns text
language plpgsql as $$
begin
  delete from public.automation_runs where automation_id = tests.id('automation', 'counts');
  insert into public.automation_runs (org_id, automation_id, client_id, status, fired_at, next_attempt_at, actions_fired)
  values (tests.id('org', 'ada'), tests.id('automation', 'counts'), tests.id('client', 'ada'), p_status,
          '2027-06-01 09:00+10', p_next, p_fired);
  return app.guardrail_problem(tests.id('automation', 'counts'), tests.id('client', 'ada'), p_guardrails,
                               'Australia/Brisbane', '2027-06-01 10:00+10');
end;
$$;
select pg_temp.automation('counts', null);
select is(pg_temp.problem(c.status, c.next_at, c.fired, g), case when c.counts then l end,
          format('%s%s, %s done: %s', c.status, case when c.next_at is not null then ' and tried again' end, c.fired, g))
  from (values ('ok', null::timestamptz, '[{}]'::jsonb, true), ('pending', '2027-06-01', '[]', true),
               ('failed', '2027-06-01', '[]', true), ('failed', null, '[{}]', true), ('failed', null, '[]', false),
               ('skipped', null, '[]', false)) as c (status, next_at, fired, counts),
       (values ('{"max_per_client_per_day": 1}'::jsonb, 'Daily limit reached'),
               ('{"max_per_client_per_week": 1}', 'Weekly limit reached'),
               ('{"dedupe_hours": 2}', 'Already fired within 2h')) as v (g, l);
select is(pg_temp.problem('ok', null, '[]', '{"quiet_hours_start": 9, "quiet_hours_end": 11, "dedupe_hours": 2}'), 'Quiet hours',
  'quiet hours are looked at first');
select is(pg_temp.problem('ok', null, '[]', '{"dedupe_hours": 2, "max_per_client_per_day": 1}'), 'Already fired within 2h', 'then this');
select is(pg_temp.problem('ok', null, '[]', '{"max_per_client_per_week": 1, "max_per_client_per_day": 1}'), 'Daily limit reached', 'and this');
select is(pg_temp.problem('ok', null, '[]', '{"max_per_client_per_day": 2, "max_per_client_per_week": 2, "dedupe_hours": 1}'), null,
  'an hour ago is not within an hour; one is not two');
select is(app.guardrail_problem(tests.id('automation', 'counts'), tests.id('client', 'ada'), '{"dedupe_hours": 2}',
                                'Australia/Brisbane', '2027-06-01 08:00+10'), 'Already fired within 2h',
  'what was done before the clock was set back still counts');
select is(app.guardrail_problem(tests.id('automation', 'counts'), tests.id('client', 'ada 2'), '{"dedupe_hours": 2}',
                                'Australia/Brisbane', '2027-06-01 10:00+10'), null, 'another client is another');
select * from finish();
rollback;
