-- Tenancy: an org is one coach's business; every other row belongs to exactly one org.
set lock_timeout = '5s';

create type public.org_role as enum ('owner', 'staff', 'accountant_readonly');

create table public.orgs (
  id uuid primary key default gen_random_uuid(),
  created_at timestamptz not null default now(),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  name text not null check (btrim(name) <> '' and length(name) <= 200),
  slug text not null unique default 'org-' || replace(gen_random_uuid()::text, '-', ''),
  timezone text not null default 'Australia/Brisbane',
  commission_rate numeric not null default 0.05 check (commission_rate between 0 and 1),
  waiver_template text,
  proforma_disclaimer text,
  onboarding_completed boolean default false,
  -- Target of the deferred keys that keep the two legacy time zone columns equal to this one.
  unique (id, timezone)
);
comment on column public.orgs.timezone is
  'IANA name (pg_timezone_names). The one time zone of the org; every local time is read in it.';
comment on column public.orgs.commission_rate is 'Platform''s share of a payment, 0 to 1.';

create table public.org_members (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role public.org_role not null,
  created_at timestamptz not null default now(),
  unique (org_id, user_id)
);
create index org_members_user_id_idx on public.org_members (user_id);
-- The pages read "the" org of a coach: a user owns one.
create unique index org_members_one_owned_org_key on public.org_members (user_id) where role = 'owner';
create index orgs_created_by_idx on public.orgs (created_by);

create table public.branding (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  display_name text not null,
  primary_color text not null default '#111111',
  logo_url text,
  logo_path text,
  updated_at timestamptz not null default now()
);

-- Staff of the platform itself, not of an org.
create table public.platform_admins (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null unique references auth.users (id) on delete cascade,
  email text not null,
  role text not null default 'admin' check (role in ('admin', 'support', 'readonly')),
  created_at timestamptz not null default now()
);

create table public.org_payout_settings (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null unique references public.orgs (id) on delete cascade,
  payout_method text not null default 'bank_transfer' check (payout_method in ('bank_transfer', 'paypal')),
  bank_account_name text,
  bank_bsb text,
  bank_account_number text,
  paypal_email text,
  payout_frequency text not null default 'weekly' check (payout_frequency in ('weekly', 'fortnightly', 'monthly')),
  minimum_payout_cents integer not null default 5000 check (minimum_payout_cents >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.org_payout_settings is 'Bank details: the owner''s alone, no other member reads them.';

alter table public.platform_admins enable row level security;
alter table public.org_payout_settings enable row level security;
alter table public.orgs enable row level security;
alter table public.org_members enable row level security;
alter table public.branding enable row level security;

comment on table public.orgs is 'A coachs business; every other row belongs to exactly one.';
comment on table public.org_members is 'Who works in an org, and as what. A user owns at most one org.';
comment on table public.branding is 'How an org shows itself to its clients.';
comment on table public.platform_admins is 'Staff of the platform itself, not of an org.';
