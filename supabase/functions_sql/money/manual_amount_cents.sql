create or replace function app.manual_amount_cents(p_purchase public.client_purchases) returns bigint
  language plpgsql immutable security definer set search_path = ''
as $$
begin
  if p_purchase.payment_status = 'succeeded' and p_purchase.payment_method is distinct from 'stripe'
     and p_purchase.stripe_payment_intent_id is null and p_purchase.stripe_checkout_session_id is null then
    return p_purchase.amount_paid_cents;
  end if;
  return 0;
end;
$$;
comment on function app.manual_amount_cents(public.client_purchases) is
  'What the books owe to a purchase that was sold by hand (cash, transfer, a terminal): its amount while it is '
  'succeeded, else 0. Always 0 for a purchase of Stripe''s, whose money Stripe''s own events book.';
revoke all on function app.manual_amount_cents(public.client_purchases)
  from public, anon, authenticated, service_role;
