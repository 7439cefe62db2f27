-- What is asked of Stripe: payment pages with their price, and refunds. Our row comes first and is the idempotency key.
set lock_timeout = '5s';

alter table app.checkouts
  -- What was asked for before this could be told is over.
  add column status text not null default 'expired',
  add column mode text not null default 'payment',
  add column for_portal boolean not null default false,
  add column stripe_account_id text,
  add column offer_name text,
  add column billing_period text,
  add column currency text,
  add column discount_cents bigint not null default 0,
  add column surcharge_cents bigint not null default 0,
  add column amount_cents bigint,
  add column application_fee_cents bigint,
  add column application_fee_percent numeric,
  add column promo_code_id uuid,
  add column purchase_id uuid,
  add column url text,
  add column expires_at timestamptz,
  add column settled_at timestamptz;
alter table app.checkouts alter column status set default 'open';
alter table app.checkouts
  add constraint checkouts_promo_code_id_fkey
    foreign key (promo_code_id) references public.promo_codes (id) on delete set null not valid,
  add constraint checkouts_status_check
    check (status in ('open', 'paid', 'granted', 'expired', 'refused')) not valid,
  add constraint checkouts_mode_check check (mode in ('payment', 'subscription')) not valid,
  add constraint checkouts_amounts_check
    check (discount_cents >= 0 and surcharge_cents >= 0 and amount_cents >= 0 and application_fee_cents >= 0) not valid,
  add constraint checkouts_open_is_complete
    check (status <> 'open' or (amount_cents is not null and currency is not null and stripe_account_id is not null
                                and expires_at is not null)) not valid;
comment on table app.checkouts is
  'One row per checkout asked for; its id is Stripe''s idempotency key, and everything that Stripe is sent is in it, so '
  'that a repeated call sends the same.';
comment on column app.checkouts.status is
  'open: Stripe''s page waits, or is being made; paid; granted: cost nothing, so Stripe was not asked; expired; refused: '
  'Stripe would not make it. A promo code''s use is held by open and paid ones (a granted one''s by its purchase).';
comment on column app.checkouts.amount_cents is 'What the client pays, in the smallest unit of `currency`.';
-- No foreign key: with the one to offers it would be a second way from purchases to offers, and the frontend's embeds
-- would no longer know which to go.
comment on column app.checkouts.purchase_id is 'The purchase of a granted one.';
comment on column app.checkouts.for_portal is 'Asked for by the client, who returns to the portal.';
-- A transaction of its own for `concurrently` is not to be had here; few rows are open.
-- squawk-ignore require-concurrent-index-creation
create index checkouts_open_idx on app.checkouts (expires_at) where status = 'open';
-- squawk-ignore require-concurrent-index-creation
create index checkouts_promo_code_id_idx on app.checkouts (promo_code_id);

-- Their successors take more, and come with the functions; only the sidecar calls them.
-- squawk-ignore ban-drop-function
drop function if exists app.begin_checkout(uuid, uuid, uuid);
-- squawk-ignore ban-drop-function
drop function if exists app.checkout_opened(uuid, text);

create table app.refunds (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  purchase_id uuid not null references public.client_purchases (id) on delete cascade,
  request_key text check (length(request_key) between 1 and 255),
  asked_cents bigint check (asked_cents > 0),
  amount_cents bigint not null check (amount_cents > 0),
  currency text not null check (currency ~ '^[a-z]{3}$'),
  reason text check (reason in ('duplicate', 'fraudulent', 'requested_by_customer')),
  status text not null default 'requested' check (status in ('requested', 'sent', 'failed')),
  stripe_account_id text not null,
  stripe_payment_intent_id text not null,
  refund_application_fee boolean not null,
  stripe_refund_id text unique,
  created_at timestamptz not null default now(),
  settled_at timestamptz,
  unique (org_id, request_key)
);
comment on table app.refunds is
  'One row per refund asked for; its id is Stripe''s idempotency key. The books come from Stripe''s events, not from here.';
comment on column app.refunds.asked_cents is 'What the coach asked for; null: all that was left.';
comment on column app.refunds.status is
  'requested: Stripe is being asked, or its answer was lost; sent: Stripe has it; failed: no money went.';
comment on column app.refunds.refund_application_fee is 'The platform took a share of the payment, and gives it back.';
create index refunds_purchase_id_idx on app.refunds (purchase_id, created_at);
