create or replace function app.stripe_fee_estimate_cents(p_amount_cents bigint) returns bigint
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case when p_amount_cents > 0 then round(p_amount_cents * 0.017) + 30 else 0 end;
end;
$$;
comment on function app.stripe_fee_estimate_cents(bigint) is
  'What Stripe will probably keep of a payment (smallest unit), until its balance transaction says so: 1.7 % + 30, the '
  'price of a domestic card in Australia. Whatever books it marks it (money_events.is_estimate). Source: '
  'https://stripe.com/au/pricing';
revoke all on function app.stripe_fee_estimate_cents(bigint) from public, anon, authenticated, service_role;
