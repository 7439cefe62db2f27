-- Tenancy: an org is one coach's business; every other row belongs to exactly one org.
set lock_timeout = '5s';

create type public.org_role as enum ('owner', 'staff', 'accountant_readonly');

create table public.orgs (
  id uuid primary key default gen_random_uuid(),
  created_at timestamptz not null default now(),
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

create table public.branding (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  display_name text not null,
  primary_color text not null default '#111111',
  logo_url text,
  logo_path text,
  updated_at timestamptz not null default now()
);

alter table public.orgs enable row level security;
alter table public.org_members enable row level security;
alter table public.branding enable row level security;

grant select on public.orgs to authenticated;
-- Not commission_rate: what the platform earns is not the coach's to set.
grant update (name, slug, timezone, waiver_template, proforma_disclaimer, onboarding_completed)
  on public.orgs to authenticated;
grant select on public.org_members to authenticated;
grant select, update on public.branding to authenticated;
grant select, insert, update, delete on public.orgs, public.org_members, public.branding to service_role;
