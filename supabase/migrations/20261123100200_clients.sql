-- The people a coach works with.
set lock_timeout = '5s';

create table public.clients (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  created_at timestamptz not null default now(),
  full_name text not null check (btrim(full_name) <> ''),
  email text,
  phone text,
  status text not null default 'active',
  date_of_birth date,
  gender text check (gender in ('male', 'female', 'other', 'prefer_not_to_say')),
  height_cm numeric check (height_cm > 0),
  weight_kg numeric check (weight_kg > 0),
  target_weight_kg numeric check (target_weight_kg > 0),
  goals text[],
  health_conditions text[],
  injuries text[],
  medications text[],
  dietary_restrictions text[],
  experience_level text check (experience_level in ('beginner', 'intermediate', 'advanced')),
  preferred_training_days text[],
  preferred_time_windows jsonb,
  emergency_contact_name text,
  emergency_contact_phone text,
  notes text,
  avatar_path text,
  address_line1 text,
  address_line2 text,
  city text,
  state text,
  postcode text,
  country text default 'Australia',
  onboarding_token uuid unique,
  onboarding_sent_at timestamptz,
  onboarding_completed_at timestamptz,
  portal_token uuid unique,
  auth_user_id uuid references auth.users (id) on delete set null,
  sms_reminder_enabled boolean not null default true,
  sms_followup_enabled boolean not null default true,
  email_opt_in boolean,
  sms_opt_in boolean,
  source text,
  referral_code text
);
comment on column public.clients.phone is 'E.164, for example +61412345678.';
create index clients_org_id_idx on public.clients (org_id);
create index clients_auth_user_id_idx on public.clients (auth_user_id);
-- Finds who texted: an inbound message names a number within the org that owns the number texted to.
create index clients_org_id_phone_idx on public.clients (org_id, phone);

alter table public.clients enable row level security;
grant select, insert, update on public.clients to authenticated;
grant select, insert, update, delete on public.clients to service_role;
