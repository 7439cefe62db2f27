-- The books of what comes in from Stripe: what Stripe has said, as facts that do not depend on the order of its events,
-- and an inbox that tries again what could not be applied.
set lock_timeout = '5s';

-- A coach may write the payment intent of a pack; what one org writes must not stand in the way of another's payment.
alter table public.client_purchases
  -- squawk-ignore ban-drop-constraint
  drop constraint client_purchases_stripe_payment_intent_id_key,
  -- squawk-ignore ban-drop-constraint
  drop constraint client_purchases_stripe_checkout_session_id_key,
  -- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
  add constraint client_purchases_one_per_payment unique (org_id, stripe_payment_intent_id),
  -- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
  add constraint client_purchases_one_per_checkout unique (org_id, stripe_checkout_session_id);
alter table public.subscriptions
  -- squawk-ignore ban-drop-constraint
  drop constraint subscriptions_stripe_subscription_id_key,
  -- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
  add constraint subscriptions_one_per_object unique (org_id, stripe_subscription_id);

alter table public.money_events add column is_estimate boolean not null default false;
comment on column public.money_events.is_estimate is
  'A fee that Stripe has not told yet; its amount is replaced by the real one as soon as that is known.';
comment on table public.money_events is
  'The books. One row per thing that happened. Append-only: app.guard_money_event() says what may still change.';

alter table public.stripe_accounts add column stripe_updated_at timestamptz;
comment on column public.stripe_accounts.stripe_updated_at is 'When Stripe said what the three flags say.';

create table app.stripe_payments (
  org_id uuid not null references public.orgs (id) on delete cascade,
  payment_key text not null,
  paid_at timestamptz,
  amount_cents bigint check (amount_cents >= 0),
  currency text check (currency ~ '^[a-z]{3}$'),
  charge_id text,
  invoice_id text,
  checkout_session_id text,
  subscription_id text,
  client_id uuid references public.clients (id) on delete set null,
  application_fee_cents bigint check (application_fee_cents >= 0),
  stripe_fee_cents bigint,
  stripe_fee_currency text check (stripe_fee_currency ~ '^[a-z]{3}$'),
  taken_back boolean not null default false,
  lookups integer not null default 0,
  lookup_at timestamptz,
  primary key (org_id, payment_key)
);
comment on table app.stripe_payments is
  'What is known of a payment, from all events about it: a row is only ever filled in. money_events is booked from it.';
comment on column app.stripe_payments.payment_key is
  'The payment intent; the charge, invoice or Checkout Session where there is none.';
comment on column app.stripe_payments.paid_at is 'The earliest instant at which an event said that it is paid.';
comment on column app.stripe_payments.application_fee_cents is
  'What the platform kept, as the payment intent, charge or balance transaction says; null: none of them seen yet.';
comment on column app.stripe_payments.taken_back is
  'All of it was refunded, or a dispute has taken it: the pack it paid for pays for nothing any more.';
comment on column app.stripe_payments.lookup_at is
  'When Stripe is asked next for what no event carries: the fee, or which payments an invoice has; null: never.';
create index stripe_payments_lookup_at_idx on app.stripe_payments (lookup_at) where lookup_at is not null;
create index stripe_payments_client_id_idx on app.stripe_payments (client_id);
create index stripe_payments_subscription_id_idx on app.stripe_payments (org_id, subscription_id)
  where subscription_id is not null;
create index stripe_payments_invoice_id_idx on app.stripe_payments (org_id, invoice_id) where invoice_id is not null;

create table app.stripe_facts (
  org_id uuid not null references public.orgs (id) on delete cascade,
  object_id text not null,
  fact text not null check (fact in (
    'refund_succeeded', 'refund_failed', 'dispute_withdrawn', 'dispute_reinstated', 'dispute_lost', 'dispute_won',
    'payout_paid', 'payout_failed'
  )),
  happened_at timestamptz not null,
  amount_cents bigint not null,
  currency text not null check (currency ~ '^[a-z]{3}$'),
  payment_key text,
  primary key (org_id, object_id, fact)
);
comment on table app.stripe_facts is
  'What Stripe has said of a refund, dispute or payout, once each, at the earliest instant an event gave. What is booked '
  'follows from the set of facts, so that it is the same for every order of the events.';
create index stripe_facts_payment_key_idx on app.stripe_facts (org_id, payment_key) where payment_key is not null;

create table app.stripe_subscriptions (
  org_id uuid not null references public.orgs (id) on delete cascade,
  subscription_id text not null,
  client_id uuid references public.clients (id) on delete set null,
  offer_id uuid references public.offers (id) on delete set null,
  customer_id text,
  price_cents bigint,
  started_at timestamptz,
  first_seen_at timestamptz not null,
  object_status text check (object_status in ('active', 'past_due', 'canceled', 'none')),
  object_at timestamptz,
  inferred_status text check (inferred_status in ('active', 'past_due')),
  inferred_at timestamptz,
  primary key (org_id, subscription_id)
);
comment on table app.stripe_subscriptions is
  'Every subscription Stripe told of. public.subscriptions shows one for each client: app.show_subscription().';
comment on column app.stripe_subscriptions.object_status is 'What the subscription itself said last, at object_at.';
comment on column app.stripe_subscriptions.inferred_status is
  'What a checkout or an invoice made of it last, at inferred_at.';
create index stripe_subscriptions_client_id_idx on app.stripe_subscriptions (client_id);
create index stripe_subscriptions_offer_id_idx on app.stripe_subscriptions (offer_id);
create index stripe_subscriptions_customer_id_idx on app.stripe_subscriptions (org_id, customer_id)
  where customer_id is not null;

-- The inbox tries again.
alter table app.webhook_events
  add column event_created_at timestamptz,
  add column attempts integer not null default 0 check (attempts >= 0),
  add column next_attempt_at timestamptz,
  -- squawk-ignore ban-drop-constraint
  drop constraint webhook_events_status_check,
  add constraint webhook_events_status_check
    check (status in ('applied', 'ignored', 'unmatched', 'failed', 'discarded')) not valid;

comment on column app.webhook_events.event_created_at is 'When Stripe made the event, as it says itself.';
comment on column app.webhook_events.attempts is 'How often it was tried and failed.';
comment on column app.webhook_events.next_attempt_at is
  'When app.retry_webhook_events() takes it: failed ones by back-off, unmatched ones once their account is known. Null: '
  'not by itself.';
-- What failed before there were retries is tried again with the first tick.
update app.webhook_events set attempts = 1, next_attempt_at = now() where status = 'failed';
-- squawk-ignore require-concurrent-index-creation
create index webhook_events_next_attempt_at_idx on app.webhook_events (next_attempt_at)
  where next_attempt_at is not null;
-- squawk-ignore require-concurrent-index-creation
create index webhook_events_waiting_idx on app.webhook_events (account_id)
  where status in ('failed', 'unmatched');
