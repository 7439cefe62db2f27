create or replace function app.give_back_promo_use(p_promo_code_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.promo_codes as k set times_used = k.times_used - 1 where k.id = p_promo_code_id and k.times_used > 0;
end;
$$;
comment on function app.give_back_promo_use(uuid) is
  'Takes back one counted use of a promo code; nothing when the code is gone or null.';
revoke all on function app.give_back_promo_use(uuid) from public, anon, authenticated, service_role;
