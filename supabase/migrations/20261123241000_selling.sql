-- Selling: what is asked of Stripe, and where the books of sales by hand are found.
set lock_timeout = '5s';

-- The rows of one sale by hand, whatever their number: `<purchase id>`, `<purchase id>:2`, …
-- A transaction of its own for `concurrently` is not to be had here; the rows are a coach's sales.
-- squawk-ignore require-concurrent-index-creation
create index money_events_manual_idx on public.money_events (org_id, split_part(reference_id, ':', 1))
  where source = 'manual';

-- Cash and transfers never pass the platform: it neither earns from them nor owes them.
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
           sum(m.amount_cents) filter (where m.payout_id is not null) as paid_out
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
  'events that a payout names (payout_id). A refund after its payment was paid out lowers what is pending, below zero '
  'if need be. For who reads the org''s money_events.';
