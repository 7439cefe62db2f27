create or replace function app.stripe_fee_estimate_cents(p_amount_cents bigint, p_currency text) returns bigint
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if p_amount_cents <= 0 then
    return 0;
  end if;
  return round(p_amount_cents * 0.017) + case app.currency_exponent(p_currency) when 3 then 300 else 30 end;
end;
$$;
comment on function app.stripe_fee_estimate_cents(bigint, text) is
  'What Stripe is likely to keep of a payment, both in the smallest unit: 1.7 % and 30 cents, the price of a domestic '
  'card in Australia, half a cent up. Whatever books it marks it (money_events.is_estimate), '
  'until the balance transaction says what it was. Source: https://stripe.com/au/pricing';
revoke all on function app.stripe_fee_estimate_cents(bigint, text) from public, anon, authenticated, service_role;
