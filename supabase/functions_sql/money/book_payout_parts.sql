create or replace function app.book_payout_parts(p_org_id uuid, p_payout_id text, p_parts jsonb)
  returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_order constant public.money_event_type[] := '{INCOME,REFUND,ADJUSTMENT,PLATFORM_FEE,FEE}';
begin
  perform app.lock_stripe_object(p_org_id, p_payout_id);
  with parts as (
    select of_row.type, case
             when t.type in ('charge', 'payment') and of_row.type in ('INCOME', 'PLATFORM_FEE', 'FEE')
               then coalesce(t.payment_intent, t.source)
             when t.type in ('refund', 'payment_refund') and of_row.type = 'REFUND' then t.source
             when t.type = 'refund_failure' and of_row.type = 'REFUND' then t.source || ':reversal'
             when t.type = 'adjustment' and t.source ~ '^(du|dp)_' and of_row.type in ('ADJUSTMENT', 'FEE')
               then t.source || case when t.amount > 0 then ':reversal' else '' end
           end as reference_id
      from jsonb_to_recordset(p_parts) as t (type text, source text, payment_intent text, amount bigint)
     cross join unnest(v_order) as of_row (type)
  ), locked as (
    -- In the order in which the events book them.
    select e.id
      from parts as p
      join public.money_events as e
        on e.org_id = p_org_id and e.source = 'stripe' and e.type = p.type and e.reference_id = p.reference_id
     where e.stripe_payout_id is null
     order by e.reference_id, array_position(v_order, e.type)
       for no key update of e
  )
  update public.money_events as e
     set stripe_payout_id = p_payout_id
    from locked as l
   where e.id = l.id;
  update app.stripe_payments as p
     set lookup_at = null
   where p.org_id = p_org_id and p.payment_key = p_payout_id and p.lookup_at is not null;
  return found;
end;
$$;
comment on function app.book_payout_parts(uuid, text, jsonb) is
  'Notes which rows of the books a payout of Stripe''s paid out: p_parts, its balance transactions as {type, source, amount, '
  'payment_intent (of a charge)}; none for a payout of the org''s own, which pays out a sum, nothing in particular. Returns '
  'whether it was waited for. Source: https://docs.stripe.com/payouts/reconciliation';
revoke all on function app.book_payout_parts(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_payout_parts(uuid, text, jsonb) to coach_os_worker;
