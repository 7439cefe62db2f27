-- What happens by itself: risk scores, automations and what they did.
set lock_timeout = '5s';

-- A surrogate key, not (org_id, client_id, as_of_date): PostgREST would take the table for a junction and every embed
-- of clients and orgs would be ambiguous.
create table public.client_risk (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  as_of_date date not null,
  score integer not null check (score between 0 and 100),
  tier text not null check (tier in ('green', 'amber', 'red')),
  reasons text[] not null default '{}',
  unique (org_id, client_id, as_of_date)
);
comment on column public.client_risk.as_of_date is 'UTC date; the pages look it up by that.';
create index client_risk_client_id_idx on public.client_risk (client_id, as_of_date desc);

create table public.automations (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  name text not null check (btrim(name) <> ''),
  enabled boolean not null default true,
  trigger jsonb not null check (jsonb_typeof(trigger) = 'object'),
  conditions jsonb not null default '[]' check (jsonb_typeof(conditions) = 'array'),
  actions jsonb not null default '[]' check (jsonb_typeof(actions) = 'array'),
  guardrails jsonb not null default '{}' check (jsonb_typeof(guardrails) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index automations_org_id_idx on public.automations (org_id);

create table public.automation_runs (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  automation_id uuid not null references public.automations (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  fired_at timestamptz not null default now(),
  status text not null check (status in ('ok', 'skipped', 'failed')),
  reason text,
  actions_fired jsonb not null default '[]' check (jsonb_typeof(actions_fired) = 'array')
);
create index automation_runs_org_id_idx on public.automation_runs (org_id, fired_at desc);
create index automation_runs_automation_id_idx on public.automation_runs (automation_id, client_id, fired_at desc);
create index automation_runs_client_id_idx on public.automation_runs (client_id);

alter table public.client_risk enable row level security;
alter table public.automations enable row level security;
alter table public.automation_runs enable row level security;

comment on table public.client_risk is 'How likely a client is to leave, per UTC day.';
comment on table public.automations is 'What an org has done by itself: trigger, conditions, actions, guardrails.';
comment on table public.automation_runs is 'What an automation did for a client, and how it ended.';
