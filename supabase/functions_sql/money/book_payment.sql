create or replace function app.book_payment(p_payment app.stripe_payments) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_payment.paid_at is null or p_payment.amount_cents is null then
    return;
  end if;
  perform app.book_stripe(
    p_payment.org_id, 'INCOME', p_payment.payment_key, p_payment.paid_at, p_payment.amount_cents, p_payment.currency,
    p_payment.client_id, p_payment.payment_key, p_payment.invoice_id
  );
  perform app.book_stripe(
    p_payment.org_id, 'PLATFORM_FEE', p_payment.payment_key, p_payment.paid_at,
    -coalesce(p_payment.application_fee_cents, app.commission_cents(p_payment.org_id, p_payment.amount_cents)),
    p_payment.currency, p_payment.client_id, p_payment.payment_key, p_payment.invoice_id,
    p_payment.application_fee_cents is null
  );
  perform app.book_stripe(
    p_payment.org_id, 'FEE', p_payment.payment_key, p_payment.paid_at,
    -coalesce(p_payment.stripe_fee_cents, app.stripe_fee_estimate_cents(p_payment.amount_cents, p_payment.currency)),
    coalesce(p_payment.stripe_fee_currency, p_payment.currency), p_payment.client_id, p_payment.payment_key,
    p_payment.invoice_id, p_payment.stripe_fee_cents is null
  );
end;
$$;
comment on function app.book_payment(app.stripe_payments) is
  'Books a payment as far as it is known: INCOME, what the platform keeps (its application fee, until that is known '
  'app.commission_cents(), marked as an estimate) and what Stripe keeps (app.stripe_fee_estimate_cents(), likewise).';
revoke all on function app.book_payment(app.stripe_payments) from public, anon, authenticated, service_role;
