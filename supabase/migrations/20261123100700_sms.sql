-- Texts: the org's settings, the outbox, what the provider said, and who must not be texted.
set lock_timeout = '5s';

create table public.sms_settings (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  enabled boolean not null default true,
  twilio_account_sid text,
  twilio_messaging_service_sid text,
  twilio_phone_number text unique check (twilio_phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  quiet_hours_start integer default 21 check (quiet_hours_start between 0 and 23),
  quiet_hours_end integer default 8 check (quiet_hours_end between 0 and 23),
  timezone text not null default 'Australia/Brisbane',
  max_sms_per_client_per_day integer default 5 check (max_sms_per_client_per_day >= 0),
  max_sms_per_hour integer default 100 check (max_sms_per_hour >= 0),
  send_booking_confirmations boolean not null default true,
  send_session_reminders boolean not null default true,
  send_feedback_requests boolean not null default true,
  reminder_hours_before integer default 24,
  reminder_mins_before integer default 60,
  feedback_hours_after integer default 2,
  feedback_mins_after integer default 90,
  updated_at timestamptz not null default now(),
  constraint sms_settings_timezone_is_the_orgs foreign key (org_id, timezone)
    references public.orgs (id, timezone) on update cascade on delete cascade
    deferrable initially deferred
);
comment on column public.sms_settings.twilio_phone_number is
  'E.164. Sender of the org''s texts; a reply to it belongs to this org.';
create index sms_settings_org_id_timezone_idx on public.sms_settings (org_id, timezone);

create table public.sms_schedules (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  type text not null check (type in ('pre_session', 'post_session')),
  label text not null check (btrim(label) <> ''),
  mins_offset integer not null default 60 check (mins_offset >= 0),
  body text not null check (btrim(body) <> '' and length(body) <= 1600), -- Twilio's limit
  enabled boolean not null default true,
  sort_order integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.sms_schedules.mins_offset is
  'Minutes before the start (pre_session) or after the end (post_session).';
create index sms_schedules_org_id_idx on public.sms_schedules (org_id);

create table public.sms_templates (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  template_key text not null,
  name text not null,
  description text,
  body text not null check (btrim(body) <> ''),
  variables_schema jsonb not null default '[]',
  version integer not null default 1 check (version > 0),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, template_key, version)
);

create table public.sms_messages (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid references public.clients (id) on delete cascade,
  to_phone text not null,
  from_phone text not null,
  template_id uuid references public.sms_templates (id) on delete set null,
  template_key text,
  body text not null,
  variables jsonb,
  related_entity_type text,
  related_entity_id uuid,
  status text not null default 'pending'
    check (status in ('pending', 'queued', 'sending', 'sent', 'delivered', 'failed', 'cancelled', 'unknown')),
  scheduled_for timestamptz not null default now(),
  locked_until timestamptz,
  sent_at timestamptz,
  delivered_at timestamptz,
  failed_at timestamptz,
  provider_message_id text unique,
  idempotency_key text unique,
  error_code text,
  error_message text,
  metadata jsonb default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sms_messages_sent_has_provider_id
    check (status not in ('sent', 'delivered') or provider_message_id is not null)
);
comment on table public.sms_messages is
  'Outbox. `unknown`: the provider was called and never answered; never sent again blindly.';
create index sms_messages_org_id_idx on public.sms_messages (org_id, created_at);
create index sms_messages_client_id_idx on public.sms_messages (client_id, created_at);
create index sms_messages_template_id_idx on public.sms_messages (template_id);
create index sms_messages_related_entity_idx on public.sms_messages (related_entity_id);
create index sms_messages_due_idx on public.sms_messages (scheduled_for) where status in ('pending', 'queued');
create index sms_messages_sending_idx on public.sms_messages (locked_until) where status = 'sending';

create table public.sms_attempts (
  id uuid primary key default gen_random_uuid(),
  message_id uuid not null references public.sms_messages (id) on delete cascade,
  attempt_number integer not null check (attempt_number > 0),
  provider text not null default 'twilio',
  provider_message_id text,
  request_payload jsonb not null default '{}',
  response_payload jsonb,
  response_status integer,
  status text not null check (status in ('success', 'transient_error', 'permanent_error')),
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  unique (message_id, attempt_number)
);

create table public.sms_events (
  id uuid primary key default gen_random_uuid(),
  message_id uuid references public.sms_messages (id) on delete set null,
  org_id uuid references public.orgs (id) on delete cascade,
  provider text not null default 'twilio',
  provider_message_id text not null,
  event_type text not null,
  event_status text,
  error_code text,
  error_message text,
  event_payload jsonb not null default '{}',
  dedupe_key text not null unique,
  received_at timestamptz not null default now(),
  processed_at timestamptz
);
create index sms_events_message_id_idx on public.sms_events (message_id);
create index sms_events_org_id_idx on public.sms_events (org_id);

create table public.sms_suppression (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  phone text not null,
  reason text not null check (reason in ('opt_out', 'invalid_number', 'carrier_violation', 'manual')),
  source text not null default 'system',
  notes text,
  client_id uuid references public.clients (id) on delete set null,
  created_at timestamptz not null default now(),
  unique (org_id, phone)
);
create index sms_suppression_client_id_idx on public.sms_suppression (client_id);

alter table public.sms_settings enable row level security;
alter table public.sms_schedules enable row level security;
alter table public.sms_templates enable row level security;
alter table public.sms_messages enable row level security;
alter table public.sms_attempts enable row level security;
alter table public.sms_events enable row level security;
alter table public.sms_suppression enable row level security;

comment on table public.sms_settings is 'An orgs sender, quiet hours and limits for texts.';
comment on table public.sms_schedules is 'Which texts go out before and after a session.';
comment on table public.sms_templates is 'Words of an orgs texts, by key and version.';
comment on table public.sms_attempts is 'Attempts to send a text. For operators; no one reads it through the API.';
comment on table public.sms_events is 'What the provider reported, once each.';
comment on table public.sms_suppression is 'Numbers an org must not text.';
