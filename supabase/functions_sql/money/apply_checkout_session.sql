create or replace function app.apply_checkout_session(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_intent_id text := app.stripe_id(p_session -> 'payment_intent');
  v_session_id text := p_session ->> 'id';
  v_payment_key text := coalesce(v_intent_id, v_session_id);
  v_client_id uuid := app.client_of_stripe(p_org_id, p_session);
  v_amount bigint := (p_session ->> 'amount_total')::bigint;
  v_paid boolean := coalesce(p_session ->> 'payment_status', '') in ('paid', 'no_payment_required');
  v_offer public.offers;
  v_checkout app.checkouts;
  v_payment app.stripe_payments;
begin
  -- Which of our own checkouts it was: what that says of the price is ours, what the metadata says could be anybody's.
  select c.* into v_checkout
    from app.checkouts as c
   where c.id = app.id_in_metadata(p_session, 'checkout_id') and c.org_id = p_org_id;
  if p_session ->> 'mode' = 'subscription' then
    if v_paid then
      perform app.checkout_paid(v_checkout.id, p_at);
    end if;
    return app.apply_subscription_checkout(p_org_id, p_session, p_at);
  end if;
  if p_session -> 'metadata' ->> 'offer_id' is null then
    -- Not a sale of ours: its charge books the money, the session may know from whom.
    if v_client_id is null or v_intent_id is null then
      return 'ignored';
    end if;
    perform app.note_payment(p_org_id, v_intent_id, p_client_id => v_client_id, p_checkout_session_id => v_session_id);
    return 'applied';
  end if;
  -- A delayed method completes the session before the money is there; its async event comes later.
  -- https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification
  if not v_paid then
    return 'ignored';
  end if;
  select o.* into v_offer
    from public.offers as o
   where o.id = app.id_in_metadata(p_session, 'offer_id') and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_in_org';
  end if;
  if v_client_id is null then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;

  v_payment := app.note_payment(
    p_org_id, v_payment_key, p_at, v_amount, p_session ->> 'currency', v_client_id,
    p_checkout_session_id => v_session_id
  );
  perform app.checkout_paid(v_checkout.id, p_at);
  -- Another event about this session may have granted the pack: note_payment() made us wait for it.
  update public.client_purchases as p
     set purchased_at = p_at,
         expires_at = case when p.expires_at = p.purchased_at + make_interval(days => v_offer.pack_validity_days)
                           then p_at + make_interval(days => v_offer.pack_validity_days) else p.expires_at end
   where p.org_id = p_org_id and p.stripe_checkout_session_id = v_session_id and p.purchased_at > p_at;
  if exists (
    select from public.client_purchases as p
     where p.org_id = p_org_id and p.stripe_checkout_session_id = v_session_id
  ) then
    return 'applied';
  end if;
  insert into public.client_purchases (
    org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
    stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, session_duration_mins,
    promo_code_id, discount_cents
  )
  values (
    p_org_id, v_client_id, v_offer.id, v_amount, lower(p_session ->> 'currency'),
    app.sessions_of_offer(v_offer), p_at,
    p_at + make_interval(days => v_offer.pack_validity_days), v_intent_id, v_session_id,
    case when v_payment.taken_back then 'refunded' else 'succeeded' end, 'stripe', v_offer.session_duration_mins,
    v_checkout.promo_code_id, coalesce(v_checkout.discount_cents, 0)
  )
  on conflict on constraint client_purchases_one_per_payment do nothing;
  return 'applied';
end;
$$;
comment on function app.apply_checkout_session(uuid, jsonb, timestamptz) is
  'A paid Checkout Session with metadata offer_id and client_id grants the pack and books the income, each once; the '
  'pack of a payment that was refunded before its session was told is refunded from the start. One in subscription mode: '
  'app.apply_subscription_checkout(). Amounts in the smallest unit of the session''s currency. Raises PT404 '
  'offer_not_in_org, PT404 client_not_in_org. Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_checkout_session(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
