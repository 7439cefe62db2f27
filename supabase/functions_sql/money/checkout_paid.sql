create or replace function app.checkout_paid(p_checkout_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout app.checkouts;
begin
  select c.* into v_checkout from app.checkouts as c where c.id = p_checkout_id for no key update;
  if not found or v_checkout.status in ('paid', 'granted') then
    return;
  end if;
  -- Paid after its time, as a delayed method is: the price stands, and so does the limit of the counter.
  if v_checkout.status <> 'open' then
    update public.promo_codes as k
       set times_used = k.times_used + 1
     where k.id = v_checkout.promo_code_id and (k.max_uses is null or k.times_used < k.max_uses);
  end if;
  update app.checkouts as c set status = 'paid', settled_at = p_now where c.id = p_checkout_id;
end;
$$;
comment on function app.checkout_paid(uuid, timestamptz) is
  'Notes that a checkout was paid, once: the promo code''s use it held stays counted. One that had expired counts its '
  'use again as far as max_uses allows. Nothing for an id that is no checkout.';
revoke all on function app.checkout_paid(uuid, timestamptz) from public, anon, authenticated, service_role;
