create or replace function app.place_fee_refunds(p_payment app.stripe_payments) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_payment.charge_id is null then
    return;
  end if;
  perform app.lock_stripe_object(p_payment.org_id, 'fee of ' || p_payment.charge_id);
  perform app.book_stripe(
    f.org_id, 'PLATFORM_FEE', f.object_id, f.happened_at, f.amount_cents, f.currency, p_payment.client_id,
    p_payment.payment_key, p_payment.invoice_id
  )
    from app.stripe_facts as f
   where f.org_id = p_payment.org_id and f.payment_key = p_payment.charge_id and f.fact = 'fee_refunded';
end;
$$;
comment on function app.place_fee_refunds(app.stripe_payments) is
  'Says of what the platform gave back which payment and whose it was: the refund of a fee names the charge alone, and may '
  'be told before it.';
revoke all on function app.place_fee_refunds(app.stripe_payments) from public, anon, authenticated, service_role;
