-- The two views of the contract on money, after the functions they ask.
set lock_timeout = '5s';

-- Both read with the caller's own rights (row security of money_events and orgs), and both count one currency per org:
-- a sum of dollars and euros means nothing, and a second row would break the pages, which read one per org or month.

create view public.finance_monthly with (security_invoker = on) as
select e.org_id,
       to_char(e.event_date at time zone o.timezone, 'YYYY-MM') as period,
       coalesce(sum(e.amount_cents) filter (where e.amount_cents > 0 and e.type <> 'PAYOUT'), 0)::bigint
         as cash_in_cents,
       coalesce(-sum(e.amount_cents) filter (where e.amount_cents < 0 and e.type <> 'PAYOUT'), 0)::bigint
         as cash_out_cents,
       coalesce(sum(e.amount_cents) filter (where e.type <> 'PAYOUT'), 0)::bigint as net_cents,
       coalesce(-sum(e.amount_cents) filter (where e.type = 'FEE'), 0)::bigint as fees_cents,
       coalesce(-sum(e.amount_cents) filter (where e.type = 'PLATFORM_FEE'), 0)::bigint as platform_fees_cents,
       coalesce(-sum(e.amount_cents) filter (where e.type = 'REFUND'), 0)::bigint as refunds_cents,
       coalesce(-sum(e.amount_cents) filter (where e.type = 'PAYOUT'), 0)::bigint as payouts_cents,
       e.currency
  from public.orgs as o
 cross join lateral app.org_currency(o.id) as main (currency)
  join public.money_events as e on e.org_id = o.id and e.currency = main.currency
 where e.payment_status is null or e.payment_status in ('succeeded', 'refunded')
 group by e.org_id, period, e.currency;
comment on view public.finance_monthly is
  'An org''s money by month, cut in the org''s own time zone (period: YYYY-MM); a month without money has no row. '
  'Cents of `currency`, the one most of the org''s events are in (app.org_currency); what is in another is left out, and '
  'listed by money_events. cash_in: what came in; cash_out: what went out, as a positive number; net: the difference. '
  'Payouts are in neither: they move the org''s own money to its bank. fees, platform_fees, refunds, payouts: positive '
  'when money went out, less what came back. Money that never moved (payment_status pending, failed) does not count. '
  'Who reads an org''s money_events reads its months.';
grant select on public.finance_monthly to authenticated, service_role;

create view public.org_earnings with (security_invoker = on) as
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
     where (m.type = 'INCOME' and m.payment_status = 'succeeded')
        or (m.type in ('REFUND', 'ADJUSTMENT') and coalesce(m.payment_status, 'succeeded') = 'succeeded')
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
  'left out. gross: succeeded payments (INCOME) less what went back to clients (REFUND) and what disputes took or gave '
  'back (ADJUSTMENT). commission: gross * orgs.commission_rate, rounded; net = gross - commission = paid_out + '
  'pending_payout. Paid out: the net of the events that a payout names (payout_id). A refund after its payment was '
  'paid out lowers what is pending, below zero if need be. For who reads the org''s money_events.';
grant select on public.org_earnings to authenticated, service_role;
