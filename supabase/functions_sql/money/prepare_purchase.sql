create or replace function app.prepare_purchase() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if new.amount_paid_cents < 0 or new.discount_cents < 0 then
    raise exception using errcode = 'PT400', message = 'price_below_zero',
      hint = 'The discount is larger than the price; sell it for nothing, or give less off.';
  end if;
  if tg_op = 'INSERT' and new.session_duration_mins is null then
    select o.session_duration_mins into new.session_duration_mins from public.offers as o where o.id = new.offer_id;
  end if;
  return new;
end;
$$;
comment on function app.prepare_purchase() is
  'A purchase is as long as its offer says when it does not say itself (the client page does not), and nothing is sold '
  'below zero. Raises PT400 price_below_zero.';
revoke all on function app.prepare_purchase() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_prepare before insert or update of amount_paid_cents, discount_cents
  on public.client_purchases
  for each row execute function app.prepare_purchase();
