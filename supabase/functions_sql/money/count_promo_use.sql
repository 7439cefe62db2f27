create or replace function app.count_promo_use() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_held uuid;
  v_holds uuid;
begin
  -- A purchase of Stripe's was counted by its checkout, before there was a purchase.
  if tg_op <> 'INSERT' and old.payment_status <> 'failed'
     and old.stripe_payment_intent_id is null and old.stripe_checkout_session_id is null then
    v_held := old.promo_code_id;
  end if;
  if tg_op <> 'DELETE' and new.payment_status <> 'failed'
     and new.stripe_payment_intent_id is null and new.stripe_checkout_session_id is null then
    v_holds := new.promo_code_id;
  end if;
  if v_held is not distinct from v_holds then
    return null;
  end if;
  -- Who is deleted with all they bought has used the code all the same.
  if tg_op = 'DELETE' and not exists (select from public.clients as c where c.id = old.client_id) then
    return null;
  end if;
  if v_held is not null then
    perform app.give_back_promo_use(v_held);
  end if;
  if v_holds is not null then
    -- A sale that failed and is taken up again keeps the price that was agreed.
    perform app.take_promo_use(
      v_holds, case when tg_op = 'UPDATE' and old.promo_code_id = v_holds then null else now() end
    );
  end if;
  return null;
end;
$$;
comment on function app.count_promo_use() is
  'Keeps promo_codes.times_used for sales by hand: one use for each purchase with the code that did not fail; given back '
  'when it fails or is deleted, but not when its client is. Raises as app.take_promo_use().';
revoke all on function app.count_promo_use() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_count_promo_use
  after insert or delete or update of
    promo_code_id, payment_status, stripe_payment_intent_id, stripe_checkout_session_id
  on public.client_purchases
  for each row execute function app.count_promo_use();
