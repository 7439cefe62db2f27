create or replace function app.fees_to_fetch(p_now timestamptz, p_limit integer)
  returns table (org_id uuid, stripe_account_id text, payment_key text, charge_id text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with due as (
      select p.org_id, p.payment_key, a.stripe_account_id
        from app.stripe_payments as p
        join public.stripe_accounts as a on a.org_id = p.org_id
       where p.lookup_at <= p_now
       order by p.lookup_at
       limit p_limit
         for update of p skip locked
    )
    update app.stripe_payments as p
       set lookups = p.lookups + 1, lookup_at = p_now + app.retry_delay(p.lookups + 1)
      from due as d
     where p.org_id = d.org_id and p.payment_key = d.payment_key
    returning p.org_id, d.stripe_account_id, p.payment_key, p.charge_id;
end;
$$;
comment on function app.fees_to_fetch(timestamptz, integer) is
  'Payments whose fee is an estimate, invoices (payment_key in_…) of which no event said how they were paid, and payouts '
  '(po_…) of which none says what they paid out, that Stripe is to be asked about at p_now on behalf of '
  'stripe_account_id; p_limit at most. Each is due again after app.retry_delay(), until app.book_balance_transaction(), '
  'app.book_invoice() or app.book_payout_parts() has its answer.';
revoke all on function app.fees_to_fetch(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.fees_to_fetch(timestamptz, integer) to coach_os_worker;
