-- Payments: what Stripe told us (app.webhook_events), what we asked it (app.checkouts), and the books.
set lock_timeout = '5s';

create type public.money_event_type as enum
  ('INCOME', 'REFUND', 'FEE', 'PLATFORM_FEE', 'PAYOUT', 'EXPENSE', 'ADJUSTMENT');
create type public.tax_category as enum ('GST', 'GST_FREE', 'NONE');

create table public.stripe_accounts (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  stripe_account_id text not null unique,
  charges_enabled boolean not null default false,
  payouts_enabled boolean not null default false,
  details_submitted boolean not null default false,
  updated_at timestamptz not null default now()
);

create table public.subscriptions (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  offer_id uuid references public.offers (id) on delete set null,
  stripe_customer_id text,
  stripe_subscription_id text unique,
  status text not null default 'none' check (status in ('active', 'past_due', 'canceled', 'none')),
  price_cents integer check (price_cents >= 0),
  manage_url text,
  updated_at timestamptz not null default now(),
  unique (org_id, client_id)
);
create index subscriptions_client_id_idx on public.subscriptions (client_id);
create index subscriptions_offer_id_idx on public.subscriptions (offer_id);

-- What the platform pays out to an org.
create table public.org_payouts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  period_start date not null,
  period_end date not null,
  gross_amount_cents integer not null check (gross_amount_cents >= 0),
  commission_cents integer not null check (commission_cents >= 0),
  net_amount_cents integer not null,
  currency text not null default 'aud' check (currency ~ '^[a-z]{3}$'),
  status text not null default 'pending' check (status in ('pending', 'processing', 'paid', 'failed')),
  payout_method text,
  payout_reference text,
  notes text,
  paid_at timestamptz,
  created_at timestamptz not null default now(),
  check (period_end >= period_start),
  check (net_amount_cents = gross_amount_cents - commission_cents)
);
create index org_payouts_org_id_idx on public.org_payouts (org_id, created_at desc);

create table public.money_events (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  event_date timestamptz not null,
  type public.money_event_type not null,
  amount_cents bigint not null,
  currency text not null default 'aud' check (currency ~ '^[a-z]{3}$'),
  tax_cat public.tax_category not null default 'NONE',
  tax_cents bigint not null default 0,
  source text not null check (source in ('stripe', 'manual')),
  reference_id text,
  client_id uuid references public.clients (id) on delete set null,
  notes text,
  payment_status text check (payment_status in ('succeeded', 'failed', 'pending', 'refunded')),
  failure_reason text,
  stripe_payment_intent_id text,
  stripe_invoice_id text,
  retry_count integer default 0,
  next_retry_at timestamptz,
  payout_id uuid references public.org_payouts (id) on delete set null,
  created_at timestamptz not null default now(),
  -- One row per thing that happened, however many events describe it.
  constraint money_events_one_per_object unique (org_id, source, type, reference_id)
);
comment on column public.money_events.amount_cents is
  'Smallest unit of `currency`; money in is positive, money out negative.';
create index money_events_org_id_event_date_idx on public.money_events (org_id, event_date);
create index money_events_client_id_idx on public.money_events (client_id);
create index money_events_payout_id_idx on public.money_events (payout_id);

create table app.webhook_events (
  id uuid primary key default gen_random_uuid(),
  provider text not null check (provider in ('stripe')),
  event_id text not null,
  event_type text not null,
  account_id text,
  org_id uuid references public.orgs (id) on delete set null,
  payload jsonb not null,
  status text not null check (status in ('applied', 'ignored', 'unmatched', 'failed')),
  reason text,
  received_at timestamptz not null default now(),
  processed_at timestamptz not null default now(),
  unique (provider, event_id)
);
comment on column app.webhook_events.reason is 'A code of ours (docs/errors.md), never text from the payload.';
create index webhook_events_org_id_idx on app.webhook_events (org_id);

create table app.checkouts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  client_id uuid not null references public.clients (id) on delete cascade,
  offer_id uuid not null references public.offers (id) on delete cascade,
  stripe_session_id text unique,
  created_at timestamptz not null default now()
);
comment on table app.checkouts is 'One row per Checkout Session asked for; its id is Stripe''s idempotency key.';
create index checkouts_org_id_idx on app.checkouts (org_id);
create index checkouts_client_id_idx on app.checkouts (client_id);
create index checkouts_offer_id_idx on app.checkouts (offer_id);

alter table public.stripe_accounts enable row level security;
alter table public.money_events enable row level security;
alter table public.subscriptions enable row level security;
alter table public.org_payouts enable row level security;

comment on table public.stripe_accounts is 'The connected Stripe account of an org.';
comment on table public.money_events is 'The books. One row per thing that happened, never changed.';
comment on table public.subscriptions is 'A clients subscription, as Stripe last told it.';
comment on table public.org_payouts is 'What the platform pays out to an org.';
comment on table app.webhook_events is 'Every delivery of a provider, once per event, with what became of it.';
