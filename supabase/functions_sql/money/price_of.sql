create or replace function app.price_of(
  p_org_id uuid, p_offer_id uuid, p_promo_code_id uuid,
  out list_cents bigint, out discount_cents bigint, out price_cents bigint, out surcharge_cents bigint,
  out total_cents bigint, out currency text
)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_code public.promo_codes;
  v_total bigint;
begin
  select o.price_cents, o.currency into list_cents, currency
    from public.offers as o where o.id = p_offer_id and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  discount_cents := 0;
  if p_promo_code_id is not null then
    select k.* into v_code from public.promo_codes as k where k.id = p_promo_code_id and k.org_id = p_org_id;
    if not found then
      raise exception using errcode = 'PT404', message = 'promo_code_not_found',
        hint = 'Check how the code is written.';
    end if;
    discount_cents := least(list_cents, case v_code.discount_type
      when 'percentage' then round(list_cents * v_code.discount_value / 100)
      else round(v_code.discount_value * 10 ^ app.currency_exponent(currency))
    end);
  end if;
  price_cents := list_cents - discount_cents;
  total_cents := price_cents;
  if price_cents > 0 and exists (
    select from public.booking_settings as s where s.org_id = p_org_id and s.pass_stripe_fees
  ) then
    -- The smallest total that leaves the price after its own fee: each round adds the fee on the fee, and ends because
    -- a cent more costs less than a cent.
    loop
      v_total := price_cents + app.stripe_fee_estimate_cents(total_cents, currency);
      exit when v_total = total_cents;
      total_cents := v_total;
    end loop;
  end if;
  surcharge_cents := total_cents - price_cents;
end;
$$;
comment on function app.price_of(uuid, uuid, uuid) is
  'What an org''s offer costs, in the smallest unit of its currency: list price, discount by a promo code (null: none; '
  'per cent of the list price, half a cent up, or a fixed sum, never more than the list price), price = list - '
  'discount, surcharge (when booking_settings.pass_stripe_fees: so much that after app.stripe_fee_estimate_cents of the '
  'total the price is left), total = price + surcharge. Whether the code may be used now is app.promo_code_problem(). '
  'Raises PT404 offer_not_found, PT404 promo_code_not_found.';
revoke all on function app.price_of(uuid, uuid, uuid) from public, anon, authenticated, service_role;
