create or replace function app.apply_checkout_session(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_offer public.offers;
  v_client_id uuid;
  v_amount integer := (p_session ->> 'amount_total')::integer;
  v_gst boolean;
begin
  if p_session -> 'metadata' ->> 'offer_id' is null then
    return 'ignored';
  end if;
  -- A delayed method completes the session before the money is there; its async event comes later.
  -- https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification
  if coalesce(p_session ->> 'payment_status', '') not in ('paid', 'no_payment_required') then
    return 'ignored';
  end if;
  select o.* into v_offer
    from public.offers as o
   where o.id = (p_session -> 'metadata' ->> 'offer_id')::uuid and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_in_org';
  end if;
  select c.id into v_client_id
    from public.clients as c
   where c.id = (p_session -> 'metadata' ->> 'client_id')::uuid and c.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;

  insert into public.client_purchases (
    org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
    stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, session_duration_mins
  )
  values (
    p_org_id, v_client_id, v_offer.id, v_amount, p_session ->> 'currency',
    coalesce(v_offer.sessions_included, 1) + coalesce(v_offer.bonus_sessions, 0), p_at,
    p_at + make_interval(days => v_offer.pack_validity_days),
    p_session ->> 'payment_intent', p_session ->> 'id', 'succeeded', 'stripe', v_offer.session_duration_mins
  )
  on conflict do nothing;  -- another event about the same session or payment has granted the pack

  if v_amount > 0 then
    select s.gst_registered into v_gst from public.booking_settings as s where s.org_id = p_org_id;
    insert into public.money_events (
      org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id,
      payment_status, stripe_payment_intent_id
    )
    values (
      p_org_id, p_at, 'INCOME', v_amount, p_session ->> 'currency',
      case when v_gst then 'GST' else 'NONE' end::public.tax_category,
      -- GST is one eleventh of a price that includes it: https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst
      case when v_gst then round(v_amount / 11.0) else 0 end,
      'stripe', coalesce(p_session ->> 'payment_intent', p_session ->> 'id'), v_client_id, 'succeeded',
      p_session ->> 'payment_intent'
    )
    on conflict on constraint money_events_one_per_object do nothing;
  end if;
  return 'applied';
end;
$$;
comment on function app.apply_checkout_session(uuid, jsonb, timestamptz) is
  'A paid Checkout Session with metadata offer_id and client_id grants the pack and books the income, each once. '
  'Amounts in the smallest unit of the session''s currency. Raises PT404 offer_not_in_org, PT404 client_not_in_org. '
  'Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_checkout_session(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
