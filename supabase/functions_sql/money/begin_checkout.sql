create or replace function app.begin_checkout(
  p_user_id uuid, p_client_id uuid, p_portal_token uuid, p_offer_id uuid, p_promo_code text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout app.checkouts;
  v_client public.clients := app.client_to_serve(p_user_id, p_client_id, p_portal_token);
  v_offer public.offers;
  v_code_id uuid;
  v_price record;
  v_account_id text;
  v_rate numeric;
begin
  select f.* into v_offer
    from public.offers as f where f.id = p_offer_id and f.org_id = v_client.org_id and f.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  if btrim(p_promo_code) <> '' then
    select k.id into v_code_id
      from public.promo_codes as k where k.org_id = v_client.org_id and k.code = upper(btrim(p_promo_code));
    if not found then
      raise exception using errcode = 'PT404', message = 'promo_code_not_found',
        hint = 'Check how the code is written.';
    end if;
    if v_offer.offer_type = 'subscription' then
      raise exception using errcode = 'PT409', message = 'promo_code_not_for_subscriptions',
        hint = 'Promo codes are for single sessions and packs.';
    end if;
  end if;
  if v_offer.offer_type = 'subscription' and v_offer.billing_period is null then
    raise exception using errcode = 'PT409', message = 'billing_period_missing',
      hint = 'Say in the offer how often the subscription is paid.';
  end if;
  v_price := app.price_of(v_client.org_id, p_offer_id, v_code_id);
  if v_price.total_cents > 0 then
    select a.stripe_account_id into v_account_id
      from public.stripe_accounts as a where a.org_id = v_client.org_id and a.charges_enabled;
    if not found then
      raise exception using errcode = 'PT503', message = 'stripe_not_connected',
        hint = 'Connect a Stripe account that can take payments first.';
    end if;
  end if;

  -- Two clicks stand in line here; the second finds the first one's row.
  perform from public.clients as c where c.id = v_client.id for no key update;
  select k.* into v_checkout
    from app.checkouts as k
   where k.client_id = v_client.id and k.offer_id = p_offer_id and k.promo_code_id is not distinct from v_code_id
     and k.amount_cents = v_price.total_cents and k.currency = v_price.currency
     and k.stripe_account_id is not distinct from v_account_id
     and ((k.status = 'open' and k.expires_at > p_now
           and (k.created_at > p_now - interval '10 minutes'
                -- It holds the last use of the code: there is no other page to be had while it waits.
                or exists (select from public.promo_codes as u where u.id = v_code_id and u.times_used >= u.max_uses)))
          -- What costs nothing a client takes once; a coach may give it again.
          or (k.status = 'granted' and (p_portal_token is not null or k.created_at > p_now - interval '10 minutes')))
   order by k.created_at desc limit 1;
  if not found then
    select o.commission_rate into v_rate from public.orgs as o where o.id = v_client.org_id;
    insert into app.checkouts (
      org_id, client_id, offer_id, mode, for_portal, stripe_account_id, offer_name, billing_period, currency,
      discount_cents, surcharge_cents, amount_cents, application_fee_cents, application_fee_percent, promo_code_id,
      status, created_at, expires_at
    )
    values (
      v_client.org_id, v_client.id, p_offer_id,
      case when v_offer.offer_type = 'subscription' then 'subscription' else 'payment' end,
      p_portal_token is not null, v_account_id, v_offer.name, v_offer.billing_period, v_price.currency,
      v_price.discount_cents, v_price.surcharge_cents, v_price.total_cents,
      app.commission_cents(v_client.org_id, v_price.total_cents), round(v_rate * 100, 2), v_code_id,
      case when v_price.total_cents > 0 then 'open' else 'granted' end, p_now, p_now + interval '1 hour'
    )
    returning * into v_checkout;
    if v_price.total_cents > 0 then
      if v_code_id is not null then
        perform app.take_promo_use(v_code_id, p_now);
      end if;
    else
      insert into public.client_purchases (
        org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
        payment_status, payment_method, promo_code_id, discount_cents, session_duration_mins
      )
      values (
        v_client.org_id, v_client.id, p_offer_id, 0, v_price.currency,
        case when v_offer.offer_type = 'subscription' then 0 else app.sessions_of_offer(v_offer) end, p_now,
        p_now + make_interval(days => v_offer.pack_validity_days), 'succeeded', 'stripe', v_code_id,
        v_price.discount_cents, v_offer.session_duration_mins
      )
      returning id into v_checkout.purchase_id;
      update app.checkouts as k
         set purchase_id = v_checkout.purchase_id, settled_at = p_now where k.id = v_checkout.id;
    end if;
  end if;
  return to_jsonb(v_checkout)
    || jsonb_build_object('portal_token', case when v_checkout.for_portal then v_client.portal_token end);
end;
$$;
comment on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz) is
  'Records that an offer is sold to a client: by a coach (p_user_id, verified by the caller, and p_client_id) or by the '
  'client''s own portal link (p_portal_token). Returns the row of app.checkouts, which is all that a Stripe Checkout '
  'Session needs and whose id is its idempotency key, with portal_token (null: the coach asked). '
  'The same sale within 10 minutes is the same checkout, with its url once Stripe has made it; one that holds the last '
  'use of its promo code is, as long as it waits. What costs nothing is granted at once (status granted). A promo code''s '
  'use is held until the checkout expires. Raises PT404 token_not_found, client_not_found, offer_not_found, '
  'promo_code_not_found; PT409 promo_code_off, '
  'promo_code_not_started, promo_code_expired, promo_code_used_up, promo_code_not_for_subscriptions, '
  'billing_period_missing; PT503 stripe_not_connected.';
revoke all on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz) to coach_os_sidecar;
