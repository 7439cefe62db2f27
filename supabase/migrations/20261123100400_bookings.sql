-- When coach and client meet, and the org's rules for it.
set lock_timeout = '5s';

create table public.session_types (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  name text not null check (btrim(name) <> ''),
  slug text not null check (slug ~ '^[a-z0-9_-]+$'),
  description text,
  duration_mins integer not null default 60 check (duration_mins > 0),
  price_cents integer check (price_cents >= 0),
  color text default '#3B82F6',
  is_active boolean default true,
  allow_online_booking boolean default true,
  buffer_before_mins integer default 0 check (buffer_before_mins >= 0),
  buffer_after_mins integer default 0 check (buffer_after_mins >= 0),
  max_per_day integer check (max_per_day > 0),
  sort_order integer default 0,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique (org_id, slug)
);

create table public.booking_settings (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null unique references public.orgs (id) on delete cascade,
  allow_client_booking boolean default true,
  min_notice_hours integer default 24 check (min_notice_hours >= 0),
  max_advance_days integer default 30 check (max_advance_days >= 0),
  allow_client_cancel boolean default true,
  cancel_notice_hours integer default 24 check (cancel_notice_hours >= 0),
  slot_duration_mins integer default 60 check (slot_duration_mins > 0),
  buffer_between_mins integer default 15 check (buffer_between_mins >= 0),
  timezone text not null default 'Australia/Brisbane',
  notify_phone text,
  gst_registered boolean not null default false,
  pass_stripe_fees boolean not null default false,
  early_cutoff_time text default '20:00' check (early_cutoff_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
  early_cutoff_before_hour integer default 9 check (early_cutoff_before_hour between 0 and 23),
  late_notice_hours integer default 2 check (late_notice_hours >= 0),
  send_confirmation_email boolean default true,
  send_reminder_24h boolean default true,
  send_reminder_1h boolean default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- A mirror of orgs.timezone for the existing frontend: a commit that would leave them different fails.
  constraint booking_settings_timezone_is_the_orgs foreign key (org_id, timezone)
    references public.orgs (id, timezone) on update cascade on delete cascade
    deferrable initially deferred
);
-- Covers the two-column key; the unique index on org_id alone serves lookups.
create index booking_settings_org_id_timezone_idx on public.booking_settings (org_id, timezone);

create table public.bookings (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  start_time timestamptz not null,
  end_time timestamptz not null,
  duration_mins integer not null default 60 check (duration_mins > 0),
  offer_id uuid references public.offers (id) on delete set null,
  session_type text not null default 'pt_session',
  session_type_id uuid references public.session_types (id) on delete set null,
  purchase_id uuid references public.client_purchases (id) on delete no action
    deferrable initially deferred, -- so that deleting an org may take packs and bookings in any order
  location_type text not null default 'in_person' check (location_type in ('in_person', 'online', 'outdoor')),
  location_details text,
  status text not null default 'confirmed'
    check (status in ('pending', 'confirmed', 'cancelled', 'completed', 'no_show')),
  cancelled_at timestamptz,
  cancelled_by uuid references auth.users (id) on delete set null,
  cancellation_reason text,
  booked_by uuid references auth.users (id) on delete set null,
  booking_source text not null default 'trainer' check (booking_source in ('trainer', 'client', 'system')),
  notes text,
  client_notes text,
  client_confirmed boolean default false,
  confirmation_sent_at timestamptz,
  reminder_sent boolean default false,
  reminder_24h_sent boolean default false,
  feedback_sent boolean default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (end_time > start_time)
);
create index bookings_org_id_start_time_idx on public.bookings (org_id, start_time);
create index bookings_client_id_start_time_idx on public.bookings (client_id, start_time);
create index bookings_purchase_id_idx on public.bookings (purchase_id);
create index bookings_offer_id_idx on public.bookings (offer_id);
create index bookings_session_type_id_idx on public.bookings (session_type_id);
create index bookings_booked_by_idx on public.bookings (booked_by);
create index bookings_cancelled_by_idx on public.bookings (cancelled_by);
-- What the worker completes each minute: grows with what is due, not with what is stored.
create index bookings_due_idx on public.bookings (end_time) where status = 'confirmed';

-- When the coach can be booked …
create table public.availability (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  user_id uuid references auth.users (id) on delete cascade,
  day_of_week integer not null check (day_of_week between 0 and 6),
  start_time time not null,
  end_time time not null,
  is_available boolean default true,
  specific_date date,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (end_time > start_time)
);
comment on column public.availability.day_of_week is '0 = Sunday … 6 = Saturday, in the org''s time zone.';
create index availability_org_id_idx on public.availability (org_id, day_of_week);
create index availability_user_id_idx on public.availability (user_id);

-- … and when not: on one date, or every week on one day.
create table public.blocked_times (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  user_id uuid references auth.users (id) on delete set null,
  date date,
  day_of_week integer check (day_of_week between 0 and 6),
  start_time time not null,
  end_time time not null,
  reason text,
  created_at timestamptz default now(),
  check (num_nonnulls(date, day_of_week) = 1),
  check (end_time > start_time)
);
comment on column public.blocked_times.day_of_week is '0 = Sunday … 6 = Saturday, in the org''s time zone.';
create index blocked_times_org_id_idx on public.blocked_times (org_id);
create index blocked_times_user_id_idx on public.blocked_times (user_id);

alter table public.availability enable row level security;
alter table public.blocked_times enable row level security;
alter table public.session_types enable row level security;
alter table public.booking_settings enable row level security;
alter table public.bookings enable row level security;

comment on table public.session_types is 'Kinds of session; bookings.session_type holds the slug.';
comment on table public.booking_settings is 'An orgs rules for bookings.';
comment on table public.bookings is 'A session at a time. Holds one of its packs sessions while pending or confirmed, takes it when completed.';
comment on table public.availability is 'When the coach can be booked.';
comment on table public.blocked_times is 'When the coach cannot be booked: on one date, or weekly.';
