-- What Stripe lists is compared with the books, day by day; what checks find is kept for people to read.
set lock_timeout = '5s';

-- Its successor takes the clock as well.
-- squawk-ignore ban-drop-function
drop function if exists app.receive_stripe_event(jsonb, boolean);

create table app.health_findings (
  id uuid primary key default gen_random_uuid(),
  area text not null check (area in ('orgs', 'clients', 'bookings', 'sessions', 'money', 'sms', 'automations')),
  kind text not null check (kind ~ '^[a-z]+(_[a-z]+)*$'),
  org_id uuid references public.orgs (id) on delete cascade,
  subject text not null check (length(subject) between 1 and 255),
  detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null check (last_seen_at >= first_seen_at),
  resolved_at timestamptz
);
comment on table app.health_findings is
  'What the checks that run by themselves found wrong, one row a finding, from when it was first seen until a later run no '
  'longer found it (resolved_at). app.record_findings() writes it.';
comment on column app.health_findings.org_id is 'Whose it is; null: the platform''s.';
comment on column app.health_findings.subject is 'What it is about, as an id of ours or a provider''s; nothing of a person''s.';
comment on column app.health_findings.detail is 'Amounts, codes and ids that say what is wrong; nothing of a person''s.';
create unique index health_findings_open_idx on app.health_findings (area, kind, org_id, subject) nulls not distinct
  where resolved_at is null;
create index health_findings_org_id_idx on app.health_findings (org_id);

create table app.reconciliations (
  account_id text primary key,
  since timestamptz not null,
  reconciled_to timestamptz,
  livemode boolean,
  due_at timestamptz not null,
  claimed_until timestamptz,
  failures integer not null default 0 check (failures >= 0)
);
comment on table app.reconciliations is
  'How far the books were compared with what Stripe lists, one row for each connected account, kept by a trigger on '
  'stripe_accounts, and one, `platform`, for the platform''s own.';
comment on column app.reconciliations.since is
  'When the account was connected: what happened on it before is not asked for.';
comment on column app.reconciliations.reconciled_to is 'Up to when Stripe was asked last; null: never.';
comment on column app.reconciliations.livemode is 'The mode of the key with which it was asked last.';
comment on column app.reconciliations.claimed_until is
  'Until then somebody is at it; whoever died at it is followed by another one after that.';
create index reconciliations_due_at_idx on app.reconciliations (due_at);

-- An account that is there already is asked about from the first event that is known of it.
insert into app.reconciliations (account_id, since, due_at)
select a.stripe_account_id,
       coalesce((select min(e.event_created_at) from app.webhook_events as e where e.account_id = a.stripe_account_id), now()),
       now()
  from public.stripe_accounts as a;
insert into app.reconciliations (account_id, since, due_at)
select 'platform', coalesce(min(r.since), now()), now() from app.reconciliations as r;

-- What the platform gives back of its share.
alter table app.stripe_facts
  -- squawk-ignore ban-drop-constraint
  drop constraint stripe_facts_fact_check,
  add constraint stripe_facts_fact_check check (fact in (
    'refund_succeeded', 'refund_failed', 'dispute_withdrawn', 'dispute_reinstated', 'dispute_lost', 'dispute_won',
    'payout_paid', 'payout_failed', 'fee_refunded'
  )) not valid;
comment on column app.stripe_facts.payment_key is
  'The payment that the object is about; of fee_refunded, which names no other, its charge.';
-- A transaction of its own for `concurrently` is not to be had here; the table has a few rows a refund.
-- squawk-ignore require-concurrent-index-creation
create index stripe_facts_fee_refunded_idx on app.stripe_facts (happened_at) where fact = 'fee_refunded';
-- squawk-ignore require-concurrent-index-creation
create index stripe_payments_charge_id_idx on app.stripe_payments (org_id, charge_id) where charge_id is not null;

-- payout_id is the platform's own payout to an org. What Stripe pays out to an org's bank never was the platform's.
alter table public.money_events add column stripe_payout_id text;
comment on column public.money_events.stripe_payout_id is
  'The payout (po_…) with which Stripe paid this out to the org''s bank; null: not yet, or by a payout of the org''s own, of '
  'which Stripe does not say what it was for.';
comment on column public.money_events.payout_id is 'The payout (org_payouts) with which the platform paid this out.';

comment on column app.stripe_payments.payment_key is
  'The payment intent; the charge, invoice or Checkout Session where there is none. Of an invoice or a payout (po_…) of '
  'which Stripe has to be asked, its own id.';
comment on column app.stripe_payments.lookup_at is
  'When Stripe is asked next for what no event carries: the fee, which payments an invoice has, what a payout paid out; '
  'null: never.';
-- Of the payouts that are in the books already, too.
insert into app.stripe_payments (org_id, payment_key, lookup_at)
select f.org_id, f.object_id, now() from app.stripe_facts as f where f.fact = 'payout_paid'
on conflict (org_id, payment_key) do nothing;

create or replace view public.org_earnings with (security_invoker = on) as
select o.id as org_id,
       o.name as org_name,
       earned.gross::bigint as gross_earnings_cents,
       fee.gross::bigint as commission_cents,
       (earned.gross - fee.gross)::bigint as net_earnings_cents,
       (earned.paid_out - fee.paid_out)::bigint as paid_out_cents,
       (earned.gross - fee.gross - (earned.paid_out - fee.paid_out))::bigint as pending_payout_cents,
       main.currency
  from public.orgs as o
 cross join lateral app.org_currency(o.id) as main (currency)
  left join (
    select m.org_id, m.currency, sum(m.amount_cents) as gross,
           sum(m.amount_cents) filter (where m.payout_id is not null or m.stripe_payout_id is not null) as paid_out
      from public.money_events as m
     where m.source = 'stripe'
       and ((m.type = 'INCOME' and m.payment_status = 'succeeded')
            or (m.type in ('REFUND', 'ADJUSTMENT') and coalesce(m.payment_status, 'succeeded') = 'succeeded'))
     group by m.org_id, m.currency
  ) as s on s.org_id = o.id and s.currency = main.currency
 cross join lateral (values (coalesce(s.gross, 0), coalesce(s.paid_out, 0))) as earned (gross, paid_out)
 cross join lateral (
   values (round(earned.gross * o.commission_rate), round(earned.paid_out * o.commission_rate))
 ) as fee (gross, paid_out)
 -- An org without money has a row, too, which the policy on money_events cannot hide from its end clients.
 where not row_security_active('public.money_events'::regclass)
    or o.id = any (array(select app.my_org_ids()))
    or (select app.is_platform_admin());
comment on view public.org_earnings is
  'What an org has earned on the platform, all time: one row per org, with zeros when it has no money. Cents of '
  '`currency`, the one most of the org''s events are in (app.org_currency; null: no money yet); what is in another is '
  'left out, and so are sales by hand (source manual), whose money the platform never holds. gross: succeeded payments '
  '(INCOME) less what went back to clients (REFUND) and what disputes took or gave back (ADJUSTMENT). commission: gross '
  '* orgs.commission_rate, rounded; net = gross - commission = paid_out + pending_payout. Paid out: the net of the '
  'events that a payout names, of the platform''s (payout_id) or of Stripe''s (stripe_payout_id). A refund after its '
  'payment was paid out lowers what is pending, below zero if need be. For who reads the org''s money_events.';
