create or replace function app.book_balance_transaction(p_org_id uuid, p_payment_key text, p_transaction jsonb)
  returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_fee bigint := (p_transaction ->> 'fee')::bigint;
  v_application_fee bigint;
  v_payment app.stripe_payments;
begin
  if v_fee is null then
    return false;
  end if;
  perform app.lock_stripe_object(p_org_id, p_payment_key);
  -- All that Stripe takes, its own taxes included, but for what it passes on to the platform.
  select sum((d.value ->> 'amount')::bigint) into v_application_fee
    from jsonb_array_elements(
           case jsonb_typeof(p_transaction -> 'fee_details') when 'array' then p_transaction -> 'fee_details'
                else '[]' end
         ) as d
   where d.value ->> 'type' = 'application_fee';
  update app.stripe_payments as p
     set stripe_fee_cents = v_fee - coalesce(v_application_fee, 0),
         stripe_fee_currency = lower(p_transaction ->> 'currency'),
         -- Its currency is the account's; only in that of the payment it is also the payment's application fee.
         application_fee_cents = case when lower(p_transaction ->> 'currency') = p.currency
                                      then greatest(p.application_fee_cents, coalesce(v_application_fee, 0))
                                      else p.application_fee_cents end,
         lookup_at = null
   where p.org_id = p_org_id and p.payment_key = p_payment_key and p.stripe_fee_cents is null
  returning p.* into v_payment;
  if not found then
    return false;
  end if;
  perform app.book_payment(v_payment);
  return true;
end;
$$;
comment on function app.book_balance_transaction(uuid, text, jsonb) is
  'Books what Stripe really kept of a payment, from the balance transaction of its charge, in place of the estimate. '
  'Once: returns whether it did. Source: https://docs.stripe.com/api/balance_transactions/object';
revoke all on function app.book_balance_transaction(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_balance_transaction(uuid, text, jsonb) to coach_os_worker;
