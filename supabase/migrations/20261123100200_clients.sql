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

-- How a client becomes a user of the mobile app: a code, redeemed once.
create table public.client_invites (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  invite_code text not null unique check (length(invite_code) >= 8),
  expires_at timestamptz not null,
  redeemed_at timestamptz,
  redeemed_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  check (redeemed_by is null or redeemed_at is not null)
);
create index client_invites_org_id_idx on public.client_invites (org_id);
create index client_invites_client_id_idx on public.client_invites (client_id);
-- One client a user: the app looks its client up by this with single().
create unique index client_invites_redeemed_by_key on public.client_invites (redeemed_by);

create table public.client_communications (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  user_id uuid references auth.users (id) on delete set null,
  type text not null check (type in ('phone', 'sms', 'email', 'in_person', 'note', 'video')),
  direction text not null default 'outbound' check (direction in ('outbound', 'inbound')),
  subject text,
  content text not null,
  created_at timestamptz not null default now()
);
comment on column public.client_communications.user_id is 'Who wrote it down; null for what the system did.';
create index client_communications_org_id_idx on public.client_communications (org_id);
create index client_communications_client_id_idx on public.client_communications (client_id, created_at desc);
create index client_communications_user_id_idx on public.client_communications (user_id);

create table public.measurement_types (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  unit text not null,
  category text not null check (category in ('body', 'circumference', 'strength', 'cardio', 'vitals')),
  sort_order integer default 0
);
comment on table public.measurement_types is 'Reference rows, the same for every org.';
insert into public.measurement_types (name, unit, category, sort_order) values
  ('Weight', 'kg', 'body', 1),
  ('Body Fat', '%', 'body', 2),
  ('Chest', 'cm', 'circumference', 3),
  ('Waist', 'cm', 'circumference', 4),
  ('Hips', 'cm', 'circumference', 5),
  ('Left Arm', 'cm', 'circumference', 6),
  ('Right Arm', 'cm', 'circumference', 7),
  ('Left Thigh', 'cm', 'circumference', 8),
  ('Right Thigh', 'cm', 'circumference', 9),
  ('Left Calf', 'cm', 'circumference', 10),
  ('Right Calf', 'cm', 'circumference', 11),
  ('Neck', 'cm', 'circumference', 12),
  ('Shoulders', 'cm', 'circumference', 13),
  ('Resting Heart Rate', 'bpm', 'vitals', 14),
  ('Blood Pressure Systolic', 'mmHg', 'vitals', 15),
  ('Blood Pressure Diastolic', 'mmHg', 'vitals', 16),
  ('Bench Press 1RM', 'kg', 'strength', 17),
  ('Squat 1RM', 'kg', 'strength', 18),
  ('Deadlift 1RM', 'kg', 'strength', 19),
  ('5K Run Time', 'min', 'cardio', 20),
  ('VO2 Max', 'ml/kg/min', 'cardio', 21);

create table public.client_measurements (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  measurement_type text not null,
  value numeric not null,
  unit text not null,
  notes text,
  measured_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create index client_measurements_org_id_idx on public.client_measurements (org_id);
create index client_measurements_client_id_idx on public.client_measurements (client_id, measured_at desc);

create table public.client_waivers (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  name text not null default 'Waiver',
  token uuid not null unique default gen_random_uuid(),
  status text not null default 'sent' check (status in ('sent', 'signed', 'expired')),
  sent_at timestamptz not null default now(),
  signed_at timestamptz,
  signed_ip text,
  expires_at timestamptz,
  source text,
  created_at timestamptz not null default now(),
  check (status <> 'signed' or signed_at is not null)
);
comment on column public.client_waivers.status is 'expired also means revoked by the coach.';
create index client_waivers_org_id_idx on public.client_waivers (org_id);
create index client_waivers_client_id_idx on public.client_waivers (client_id, created_at desc);

create type public.inquiry_status as enum ('NEW', 'CONTACTED', 'BOOKED', 'WON', 'LOST');

create table public.inquiries (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  created_at timestamptz not null default now(),
  source text not null default 'other',
  name text not null check (btrim(name) <> ''),
  email text,
  phone text,
  message text,
  status public.inquiry_status not null default 'NEW',
  converted_client_id uuid references public.clients (id) on delete set null,
  services_interested text[],
  follow_up_date date,
  referral_code text,
  assigned_to uuid references auth.users (id) on delete set null,
  expected_value numeric check (expected_value >= 0)
);
create index inquiries_org_id_idx on public.inquiries (org_id, created_at desc);
create index inquiries_converted_client_id_idx on public.inquiries (converted_client_id);
create index inquiries_assigned_to_idx on public.inquiries (assigned_to);

create table public.referral_links (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  code text not null unique check (code ~ '^[A-Z0-9]{4,32}$'),
  name text not null check (btrim(name) <> ''),
  description text,
  reward_type text default 'discount' check (reward_type in ('discount', 'free_session', 'credit', 'none')),
  reward_value integer check (reward_value >= 0),
  referrer_reward_type text default 'credit' check (referrer_reward_type in ('credit', 'free_session', 'none')),
  referrer_reward_value integer check (referrer_reward_value >= 0),
  clicks integer default 0 check (clicks >= 0),
  signups integer default 0 check (signups >= 0),
  conversions integer default 0 check (conversions >= 0),
  is_active boolean default true,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index referral_links_org_id_idx on public.referral_links (org_id);

create table public.referrals (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  referral_link_id uuid not null references public.referral_links (id) on delete cascade,
  referrer_client_id uuid references public.clients (id) on delete set null,
  referred_client_id uuid references public.clients (id) on delete set null,
  referred_email text not null,
  referred_name text,
  status text not null default 'pending'
    check (status in ('pending', 'signed_up', 'converted', 'rewarded', 'expired')),
  referrer_rewarded boolean default false,
  referrer_reward_cents integer check (referrer_reward_cents >= 0),
  referred_rewarded boolean default false,
  referred_reward_cents integer check (referred_reward_cents >= 0),
  clicked_at timestamptz not null default now(),
  signed_up_at timestamptz,
  converted_at timestamptz,
  rewarded_at timestamptz,
  created_at timestamptz not null default now()
);
create index referrals_org_id_idx on public.referrals (org_id);
create index referrals_referral_link_id_idx on public.referrals (referral_link_id);
create index referrals_referrer_client_id_idx on public.referrals (referrer_client_id);
create index referrals_referred_client_id_idx on public.referrals (referred_client_id);

-- A new, empty table: nothing to scan, nobody to block.
alter table public.clients
  -- squawk-ignore adding-foreign-key-constraint
  add column referral_id uuid constraint clients_referral_id_fkey references public.referrals (id) on delete set null;
create index clients_referral_id_idx on public.clients (referral_id);

create table public.activity_events (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  created_at timestamptz not null default now(),
  type text not null check (type in ('weight', 'habit', 'workout', 'checkin')),
  payload jsonb not null check (jsonb_typeof(payload) = 'object'),
  photo_paths text[]
);
comment on table public.activity_events is 'What a client records in the app. Append-only.';
create index activity_events_org_id_idx on public.activity_events (org_id);
create index activity_events_client_id_idx on public.activity_events (client_id, created_at desc);

create table public.habits (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  name text not null check (btrim(name) <> ''),
  is_active boolean not null default true,
  created_at timestamptz not null default now()
);
create index habits_org_id_idx on public.habits (org_id);

create table public.client_habits (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  habit_id uuid not null references public.habits (id) on delete cascade,
  created_at timestamptz not null default now(),
  unique (client_id, habit_id)
);
create index client_habits_org_id_idx on public.client_habits (org_id);
create index client_habits_habit_id_idx on public.client_habits (habit_id);

create table public.checkin_photos (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  activity_event_id uuid references public.activity_events (id) on delete cascade,
  storage_path text not null,
  photo_type text check (photo_type in ('front', 'side', 'back', 'other')),
  notes text,
  taken_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create index checkin_photos_org_id_idx on public.checkin_photos (org_id);
create index checkin_photos_client_id_idx on public.checkin_photos (client_id, taken_at desc);
create index checkin_photos_activity_event_id_idx on public.checkin_photos (activity_event_id);

create table public.message_threads (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  trainer_last_read_at timestamptz,
  created_at timestamptz not null default now(),
  unique (org_id, client_id)
);
create index message_threads_client_id_idx on public.message_threads (client_id);

create table public.messages (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  thread_id uuid not null references public.message_threads (id) on delete cascade,
  created_at timestamptz not null default now(),
  sender_type text not null check (sender_type in ('trainer', 'client', 'system')),
  sender_user_id uuid default auth.uid() references auth.users (id) on delete set null,
  body text not null check (btrim(body) <> '' and length(body) <= 10000)
);
create index messages_org_id_idx on public.messages (org_id, created_at desc);
create index messages_thread_id_idx on public.messages (thread_id, created_at desc);
create index messages_sender_user_id_idx on public.messages (sender_user_id);

create table public.push_tokens (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  expo_token text not null,
  device_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (client_id, expo_token)
);
create index push_tokens_org_id_idx on public.push_tokens (org_id);

alter table public.clients enable row level security;
alter table public.client_invites enable row level security;
alter table public.client_communications enable row level security;
alter table public.measurement_types enable row level security;
alter table public.client_measurements enable row level security;
alter table public.client_waivers enable row level security;
alter table public.inquiries enable row level security;
alter table public.referral_links enable row level security;
alter table public.referrals enable row level security;
alter table public.activity_events enable row level security;
alter table public.habits enable row level security;
alter table public.client_habits enable row level security;
alter table public.checkin_photos enable row level security;
alter table public.message_threads enable row level security;
alter table public.messages enable row level security;
alter table public.push_tokens enable row level security;

comment on table public.clients is 'The people a coach works with.';
comment on table public.client_invites is 'Codes by which a client becomes a user of the mobile app; each is redeemed once.';
comment on table public.client_communications is 'What was said to and by a client, on any channel.';
comment on table public.client_measurements is 'A clients measurements over time.';
comment on table public.client_waivers is 'Waivers sent to and signed by clients.';
comment on table public.inquiries is 'Leads: people who asked and may become clients.';
comment on table public.referral_links is 'Links by which clients bring others.';
comment on table public.referrals is 'Who came through a referral link.';
comment on table public.habits is 'Habits an org has its clients follow.';
comment on table public.client_habits is 'Which client follows which habit.';
comment on table public.checkin_photos is 'Progress photos, as paths in storage.';
comment on table public.message_threads is 'The conversation of a client with their coach: one per org and client.';
comment on table public.messages is 'What was written in a thread.';
comment on table public.push_tokens is 'Devices of a client that take push messages.';
