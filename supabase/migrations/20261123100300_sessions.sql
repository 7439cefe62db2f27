-- What is sold (offers) and what a client has bought (purchases, the packs of sessions).
set lock_timeout = '5s';

create table public.offers (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  name text not null check (btrim(name) <> ''),
  description text,
  offer_type text not null check (offer_type in ('subscription', 'session_pack', 'single_session')),
  price_cents integer not null check (price_cents >= 0),
  currency text not null default 'aud' check (currency ~ '^[a-z]{3}$'),
  billing_period text check (billing_period in ('weekly', 'fortnightly', 'monthly', 'quarterly', 'yearly')),
  sessions_included integer check (sessions_included > 0),
  bonus_sessions integer default 0 check (bonus_sessions >= 0),
  pack_validity_days integer check (pack_validity_days > 0),
  session_duration_mins integer default 60 check (session_duration_mins > 0),
  session_count integer,
  duration_minutes integer,
  included_items text[],
  is_featured boolean default false,
  sort_order integer default 0,
  is_active boolean default true,
  stripe_price_id text,
  stripe_product_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.offers.price_cents is 'Price in the smallest unit of `currency`.';
create index offers_org_id_idx on public.offers (org_id);

create table public.promo_codes (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  code text not null check (code = upper(btrim(code)) and code <> ''),
  discount_type text not null check (discount_type in ('percentage', 'fixed')),
  discount_value numeric not null check (discount_value > 0),
  valid_from date,
  valid_until date,
  max_uses integer check (max_uses > 0),
  times_used integer not null default 0 check (times_used >= 0),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, code),
  check (valid_until >= valid_from),
  check (discount_type <> 'percentage' or discount_value <= 100),
  constraint promo_codes_not_overused check (times_used <= max_uses)
);
comment on column public.promo_codes.discount_value is 'Per cent, or (fixed) whole units of the currency, not cents.';

create table public.products (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  name text not null check (btrim(name) <> ''),
  description text,
  category text not null check (category in ('supplement', 'merchandise', 'equipment', 'digital', 'other')),
  price_cents integer not null check (price_cents >= 0),
  cost_cents integer check (cost_cents >= 0),
  stock_quantity integer check (stock_quantity >= 0),
  sku text,
  image_url text,
  is_active boolean not null default true,
  created_at timestamptz not null default now()
);
create index products_org_id_idx on public.products (org_id);

create table public.client_purchases (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  offer_id uuid not null references public.offers (id) on delete restrict,
  amount_paid_cents integer not null check (amount_paid_cents >= 0),
  currency text not null default 'aud' check (currency ~ '^[a-z]{3}$'),
  sessions_total integer check (sessions_total >= 0),
  sessions_used integer not null default 0 check (sessions_used >= 0),
  sessions_remaining integer generated always as (sessions_total - sessions_used) stored,
  purchased_at timestamptz not null default now(),
  expires_at timestamptz,
  stripe_payment_intent_id text unique,
  stripe_checkout_session_id text unique,
  payment_status text not null default 'pending'
    check (payment_status in ('pending', 'succeeded', 'failed', 'refunded')),
  payment_method text check (payment_method in ('cash', 'card', 'bank_transfer', 'stripe')),
  promo_code_id uuid references public.promo_codes (id) on delete set null,
  discount_cents integer default 0 check (discount_cents >= 0),
  session_duration_mins integer check (session_duration_mins > 0),
  created_at timestamptz not null default now(),
  -- The last line of defence: whatever path writes the counter, a pack is never overdrawn.
  constraint client_purchases_sessions_not_overdrawn check (sessions_used <= sessions_total)
);
comment on column public.client_purchases.sessions_used is
  'Sessions delivered: the sum of the pack''s session_ledger entries, kept by trigger.';
create index client_purchases_org_id_idx on public.client_purchases (org_id);
create index client_purchases_client_id_idx on public.client_purchases (client_id);
create index client_purchases_offer_id_idx on public.client_purchases (offer_id);
create index client_purchases_promo_code_id_idx on public.client_purchases (promo_code_id);

alter table public.offers enable row level security;
alter table public.promo_codes enable row level security;
alter table public.products enable row level security;
alter table public.client_purchases enable row level security;

comment on table public.offers is 'What an org sells.';
comment on table public.promo_codes is 'Discounts; never used more often than max_uses.';
comment on table public.products is 'Things an org sells besides sessions.';
comment on table public.client_purchases is 'What a client bought: a pack of sessions and how many are used.';
