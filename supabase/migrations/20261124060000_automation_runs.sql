-- Automations that fire when they are due: when that is, what waits to be done, and what became of it.
set lock_timeout = '5s';

alter table public.orgs add column automation_hour integer not null default 9 check (automation_hour between 0 and 23);
comment on column public.orgs.automation_hour is
  'Hour of the org''s day, 0 to 23, at which daily and weekly automations run, and at which it is looked who is inactive.';
grant insert (automation_hour), update (automation_hour) on public.orgs to authenticated;

alter table public.clients add column tags text[] not null default '{}';
comment on column public.clients.tags is 'Words that coaches and automations (tag_client) sort clients by.';

-- When ------------------------------------------------------------------------------------------------------------------
alter table public.automations add column next_due_at timestamptz;
comment on column public.automations.next_due_at is
  'When it fires next; null: not by the clock. Written by app.prepare_automation() and by who fires it.';
-- From before: only these two were ever written, and anything else was taken for "at every tick".
update public.automations as a
   set enabled = false
 where a.enabled and a.trigger ->> 'type' = 'schedule'
   and coalesce(a.trigger ->> 'schedule', '') not in ('daily', 'weekly');
update public.automations as a
   set next_due_at = (
         date_trunc('day', now() at time zone o.timezone) + interval '9 hours'
         + make_interval(days => case a.trigger ->> 'schedule'
             when 'weekly' then 8 - extract(isodow from now() at time zone o.timezone)::integer else 1 end)
       ) at time zone o.timezone
  from public.orgs as o
 where o.id = a.org_id and a.enabled
   and (a.trigger ->> 'type' = 'schedule' or a.trigger ->> 'event' = 'inactivity');
alter table public.automations
  add constraint automations_due_check check (
    not enabled or next_due_at is not null
    or (trigger ->> 'type' is distinct from 'schedule' and trigger ->> 'event' is distinct from 'inactivity')
  ) not valid;
-- squawk-ignore require-concurrent-index-creation
create index automations_due_idx on public.automations (next_due_at, id) where next_due_at is not null;
-- Not when it is due: that follows from the rest.
revoke insert, update on public.automations from authenticated;
grant insert (id, org_id, name, enabled, trigger, conditions, actions, guardrails),
      update (org_id, name, enabled, trigger, conditions, actions, guardrails)
  on public.automations to authenticated;

create table app.automation_slots (
  id bigint generated always as identity primary key,
  automation_id uuid not null references public.automations (id) on delete cascade,
  client_id uuid references public.clients (id) on delete cascade,
  due_at timestamptz not null,
  event text check (event <> ''),
  run_at timestamptz not null,
  last_client_id uuid,
  attempts integer not null default 0 check (attempts >= 0),
  check ((client_id is null) = (event is null))
);
comment on table app.automation_slots is
  'What is due and not done yet: an automation for all clients of its org (by the clock), or for one (an event of theirs). '
  'A row goes when its last client is done.';
comment on column app.automation_slots.due_at is
  'When it became due. Of several missed times the first: they are made up for by one run.';
comment on column app.automation_slots.run_at is 'Not before then: an event in quiet hours waits for their end.';
comment on column app.automation_slots.last_client_id is 'Clients are taken in the order of their ids; up to here it is done.';
comment on column app.automation_slots.attempts is 'How often it failed as a whole, which no client''s run tells of.';
create unique index automation_slots_clock_key on app.automation_slots (automation_id) where client_id is null;
create unique index automation_slots_event_key on app.automation_slots (automation_id, client_id, event)
  where client_id is not null;
create index automation_slots_automation_id_idx on app.automation_slots (automation_id);
create index automation_slots_client_id_idx on app.automation_slots (client_id);
create index automation_slots_run_at_idx on app.automation_slots (run_at, id);

-- What became of it ----------------------------------------------------------------------------------------------------
alter table public.automation_runs
  add column due_at timestamptz,
  add column event text,
  add column attempts integer not null default 1 check (attempts >= 0),
  add column next_attempt_at timestamptz,
  add column sending_since timestamptz,
  add column failed_action text,
  add column actions_left jsonb not null default '[]' check (jsonb_typeof(actions_left) = 'array'),
  -- squawk-ignore ban-drop-constraint
  drop constraint automation_runs_status_check,
  add constraint automation_runs_status_check check (status in ('pending', 'ok', 'skipped', 'failed')) not valid,
  add constraint automation_runs_ok_check check (status <> 'ok' or actions_left = '[]') not valid,
  add constraint automation_runs_waiting_check
    check (next_attempt_at is null or status in ('pending', 'failed')) not valid,
  add constraint automation_runs_pending_check check (status <> 'pending' or next_attempt_at is not null) not valid,
  add constraint automation_runs_sending_check check (sending_since is null or status = 'pending') not valid;
comment on column public.automation_runs.status is
  'ok: every action took effect; skipped: none was tried, the reason says why; failed: one did not take effect, and '
  'what came before it did; pending: a push notification is on its way.';
comment on column public.automation_runs.fired_at is 'When it was tried last.';
comment on column public.automation_runs.due_at is 'The time it was due for; null: written before there were due times.';
comment on column public.automation_runs.event is 'What happened to the client, each of which fires once; null: by the clock.';
comment on column public.automation_runs.reason is 'Why it failed or was skipped, for a coach to read.';
comment on column public.automation_runs.attempts is 'How often it was tried.';
comment on column public.automation_runs.next_attempt_at is
  'When it is tried again by itself; null: not, retry_automation_run() does.';
comment on column public.automation_runs.sending_since is 'Since when a push notification is with the push service.';
comment on column public.automation_runs.failed_action is 'Type of the action that did not take effect.';
comment on column public.automation_runs.actions_fired is 'The actions that took effect.';
comment on column public.automation_runs.actions_left is 'The actions that are still to take effect, the failed one first.';
-- One run for each due time and client, one for each event and client; what was skipped may come again at another time.
-- squawk-ignore require-concurrent-index-creation
create unique index automation_runs_clock_key on public.automation_runs (automation_id, client_id, due_at)
  where event is null;
-- squawk-ignore require-concurrent-index-creation
create unique index automation_runs_event_key on public.automation_runs (automation_id, client_id, event)
  where event is not null and status <> 'skipped';
-- squawk-ignore require-concurrent-index-creation
create unique index automation_runs_skip_key on public.automation_runs (automation_id, client_id, event, due_at)
  where event is not null and status = 'skipped';
-- squawk-ignore require-concurrent-index-creation
create index automation_runs_next_attempt_at_idx on public.automation_runs (next_attempt_at)
  where next_attempt_at is not null;

-- Risk -----------------------------------------------------------------------------------------------------------------
create table app.risk_days (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  scored_on date not null default '-infinity'
);
comment on table app.risk_days is 'The UTC date for which an org''s clients were scored last.';
create index risk_days_scored_on_idx on app.risk_days (scored_on);
insert into app.risk_days (org_id) select o.id from public.orgs as o;
