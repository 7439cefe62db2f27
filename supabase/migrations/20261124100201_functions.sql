-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/bookings/complete_past_bookings.sql
create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_orgs uuid[];
  v_packs uuid[];
  v_short uuid[];
  v_completed integer;
  v_id uuid;
begin
  -- This waits for nobody: a booking, a pack or an org that somebody is changing at this moment is left for the next
  -- call. So a transaction that hangs holds up what it holds, not every org's bookings, and no two callers ever deadlock.
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_due is null then
    return 0;  -- as most calls end: an update of no row would still run its triggers
  end if;
  -- Changing an org's time zone locks it against new rows that refer to it, such as texts.
  select array_agg(l.id) into v_orgs
    from (
      select o.id
        from public.orgs as o
       where o.id in (select b.org_id from public.bookings as b where b.id = any (v_due))
         for key share skip locked
    ) as l;
  select array_agg(b.id) into v_due
    from public.bookings as b where b.id = any (v_due) and b.org_id = any (v_orgs);
  select array_agg(l.id) into v_packs
    from (
      select p.id
        from public.client_purchases as p
       where p.id in (select b.purchase_id from public.bookings as b where b.id = any (v_due))
         for no key update skip locked
    ) as l;
  select array_agg(s.id) into v_short
    from (
      select p.id
        from public.bookings as b
        join public.client_purchases as p on p.id = b.purchase_id
       where b.id = any (v_due) and p.id = any (v_packs)
       group by p.id
      having count(*) > coalesce(p.sessions_remaining, 0)
    ) as s;
  update public.bookings as b
     set status = 'completed'
   where b.id = any (v_due)
     and (b.purchase_id is null or (b.purchase_id = any (v_packs) and b.purchase_id <> all (coalesce(v_short, '{}'))));
  get diagnostics v_completed = row_count;
  -- Nothing says in which order a statement changes its rows. Where a pack has less left than is due, order matters.
  for v_id in
    select b.id
      from public.bookings as b
     where b.id = any (v_due) and b.purchase_id = any (v_short)
     order by b.end_time, b.id
  loop
    update public.bookings as b set status = 'completed' where b.id = v_id;
    v_completed := v_completed + 1;
  end loop;
  return v_completed;
end;
$$;
comment on function app.complete_past_bookings(timestamptz, integer) is
  'Completes up to p_limit confirmed bookings that ended by p_now, oldest first, and with them deducts their sessions '
  '(app.settle_booking): of a pack that has too few left, the oldest take them. Returns how many; 0: none is left but '
  'what others hold right now. Any number of callers may run it at once.';
revoke all on function app.complete_past_bookings(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.complete_past_bookings(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/bookings/complete_past_bookings.sql

-- >>> functions_sql/money/account_finding_kinds.sql
create or replace function app.account_finding_kinds() returns text[]
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return '{account_access_lost,key_of_other_mode,stripe_unavailable}';
end;
$$;
comment on function app.account_finding_kinds() is
  'The kinds of findings that say that an account could not be compared with Stripe: app.reconciliation_failed().';
revoke all on function app.account_finding_kinds() from public, anon, authenticated, service_role;
-- <<< functions_sql/money/account_finding_kinds.sql

-- >>> functions_sql/money/apply_checkout_session.sql
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
-- <<< functions_sql/money/apply_checkout_session.sql

-- >>> functions_sql/money/apply_fee_refunds.sql
create or replace function app.apply_fee_refunds(p_org_id uuid, p_fee jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_charge_id text := app.stripe_id(p_fee -> 'charge');
  v_refund jsonb;
  v_given_at timestamptz;
  v_payment app.stripe_payments;
  v_status text := 'ignored';
begin
  if v_charge_id is null or jsonb_typeof(p_fee -> 'refunds' -> 'data') is distinct from 'array' then
    return 'ignored';
  end if;
  -- Of this and the event that first tells of the charge, one sees what the other did: app.place_fee_refunds().
  perform app.lock_stripe_object(p_org_id, 'fee of ' || v_charge_id);
  select p.* into v_payment
    from app.stripe_payments as p where p.org_id = p_org_id and p.charge_id = v_charge_id
   order by p.payment_key limit 1;
  for v_refund in select r.value from jsonb_array_elements(p_fee -> 'refunds' -> 'data') as r loop
    v_given_at := coalesce(to_timestamp((v_refund ->> 'created')::bigint), p_at);
    perform app.note_stripe_fact(
      p_org_id, v_refund ->> 'id', 'fee_refunded', v_given_at, (v_refund ->> 'amount')::bigint,
      v_refund ->> 'currency', v_charge_id
    );
    perform app.book_stripe(
      p_org_id, 'PLATFORM_FEE', v_refund ->> 'id', v_given_at, (v_refund ->> 'amount')::bigint,
      lower(v_refund ->> 'currency'), v_payment.client_id, v_payment.payment_key, v_payment.invoice_id
    );
    v_status := 'applied';
  end loop;
  return v_status;
end;
$$;
comment on function app.apply_fee_refunds(uuid, jsonb, timestamptz) is
  'What the platform gave back of its share of a payment (p_fee: the application fee, with its refunds): a PLATFORM_FEE of '
  'the opposite sign for each refund of the fee, by its own amount. amount_refunded, the running total, books nothing. '
  'Source: https://docs.stripe.com/api/fee_refunds/object, https://docs.stripe.com/api/application_fees/object';
revoke all on function app.apply_fee_refunds(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_fee_refunds.sql

-- >>> functions_sql/money/apply_payout.sql
create or replace function app.apply_payout(p_org_id uuid, p_payout jsonb, p_at timestamptz, p_event_type text)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_payout ->> 'id';
  v_paid app.stripe_facts;
  v_failed app.stripe_facts;
begin
  perform app.lock_stripe_object(p_org_id, v_id);
  perform app.note_stripe_fact(
    p_org_id, v_id, case p_event_type when 'payout.paid' then 'payout_paid' else 'payout_failed' end, p_at,
    (p_payout ->> 'amount')::bigint, p_payout ->> 'currency'
  );
  select f.* into v_paid
    from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_paid';
  if found then
    perform app.book_stripe(p_org_id, 'PAYOUT', v_id, v_paid.happened_at, -v_paid.amount_cents, v_paid.currency);
    -- Which payments it paid out no event carries: Stripe is asked.
    insert into app.stripe_payments (org_id, payment_key, lookup_at)
    values (p_org_id, v_id, v_paid.happened_at)
    on conflict (org_id, payment_key) do nothing;
    select f.* into v_failed
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_failed';
    if found then
      perform app.book_stripe(
        p_org_id, 'PAYOUT', v_id || ':reversal', v_failed.happened_at, v_paid.amount_cents, v_paid.currency
      );
    end if;
  end if;
  return 'applied';
end;
$$;
comment on function app.apply_payout(uuid, jsonb, timestamptz, text) is
  'A payout to the org''s bank is booked once when paid, and booked back once when it fails after that, as the bank may '
  'still return it. Source: https://docs.stripe.com/payouts#payout-failures';
revoke all on function app.apply_payout(uuid, jsonb, timestamptz, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_payout.sql

-- >>> functions_sql/money/apply_stripe_event.sql
create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event -> 'data' -> 'object';
  v_at timestamptz;
begin
  if not app.is_booked_event(v_type) then
    return 'ignored';
  end if;
  v_at := to_timestamp((p_event ->> 'created')::bigint);
  if v_at is null or jsonb_typeof(v_object -> 'id') is distinct from 'string' then
    raise exception using errcode = 'PT422', message = 'event_incomplete',
      hint = 'An event says when it was made, and its object has an id.';
  end if;
  return case
    when v_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded')
      then app.apply_checkout_session(p_org_id, v_object, v_at)
    when v_type = 'payment_intent.succeeded' then app.apply_payment_intent(p_org_id, v_object, v_at)
    when v_type in ('charge.succeeded', 'charge.captured') then app.apply_charge(p_org_id, v_object, v_at)
    when v_type = 'charge.refunded' then app.apply_charge_refunds(p_org_id, v_object, v_at)
    when v_type in ('refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated')
      then app.apply_refund(p_org_id, v_object, v_at)
    when v_type like 'charge.dispute.%' then app.apply_dispute(p_org_id, v_object, v_at, v_type)
    when v_type in ('invoice.paid', 'invoice.payment_succeeded') then app.apply_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice.payment_failed' then app.apply_failed_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice_payment.paid' then app.apply_invoice_payment(p_org_id, v_object, v_at)
    when v_type like 'customer.subscription.%' and v_object ->> 'object' = 'subscription'
      then app.apply_subscription(p_org_id, v_object, v_at)
    when v_type in ('payout.paid', 'payout.failed') then app.apply_payout(p_org_id, v_object, v_at, v_type)
    when v_type = 'application_fee.refunded' then app.apply_fee_refunds(p_org_id, v_object, v_at)
    when v_type = 'account.updated' then app.apply_account(p_org_id, v_object, v_at)
    -- Who disconnects the account lets it do nothing here any more; the event's object is our application.
    when v_type = 'account.application.deauthorized'
      then app.apply_account(p_org_id, jsonb_build_object('id', p_event -> 'account'), v_at)
    else 'ignored'
  end;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its object. Returns applied, or ignored when it changes nothing here. The books '
  'end the same for every order in which the events come, and however often. Raises PT422 event_incomplete and what those '
  'functions raise. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_stripe_event.sql

-- >>> functions_sql/money/begin_checkout.sql
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
-- <<< functions_sql/money/begin_checkout.sql

-- >>> functions_sql/money/begin_refund.sql
create or replace function app.begin_refund(
  p_user_id uuid, p_purchase_id uuid, p_amount_cents bigint, p_reason text, p_request_key text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_refund app.refunds;
  v_account_id text;
  v_left bigint;
begin
  if p_amount_cents <= 0 then
    raise exception using errcode = 'PT400', message = 'amount_invalid',
      hint = 'A refund is a whole number of cents, at least 1; leave it out to refund all that is left.';
  end if;
  if p_reason not in ('duplicate', 'fraudulent', 'requested_by_customer') then
    raise exception using errcode = 'PT400', message = 'reason_invalid',
      hint = 'The reason is duplicate, fraudulent or requested_by_customer.';
  end if;
  if length(p_request_key) not between 1 and 255 then
    raise exception using errcode = 'PT400', message = 'idempotency_key_invalid',
      hint = 'An Idempotency-Key has 1 to 255 characters.';
  end if;
  -- Requests for one purchase stand in line here. Another org's purchase looks like one that does not exist.
  select p.* into v_purchase
    from public.client_purchases as p
    join public.org_members as m on m.org_id = p.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where p.id = p_purchase_id
     for no key update of p;
  if not found then
    raise exception using errcode = 'PT404', message = 'purchase_not_found',
      hint = 'Choose a purchase of your own business.';
  end if;

  if p_request_key is not null then
    select r.* into v_refund
      from app.refunds as r where r.org_id = v_purchase.org_id and r.request_key = p_request_key;
    if found and (v_refund.purchase_id, v_refund.asked_cents, v_refund.reason)
                 is distinct from (p_purchase_id, p_amount_cents, p_reason) then
      raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
        hint = 'This Idempotency-Key was sent with another refund; use a new one.';
    end if;
  else
    -- A second click is the same refund, and so is a retry of one whose answer was lost, however late.
    select r.* into v_refund
      from app.refunds as r
     where r.purchase_id = p_purchase_id and r.asked_cents is not distinct from p_amount_cents
       and r.request_key is null
       and (r.status = 'requested' or (r.status = 'sent' and r.created_at > p_now - interval '10 minutes'))
     order by r.created_at desc limit 1;
  end if;
  if v_refund.id is not null and v_refund.status <> 'requested' then
    return to_jsonb(v_refund);
  end if;
  if v_refund.id is not null then
    -- Stripe forgets an idempotency key after a day; asked again then, it would refund a second time.
    if v_refund.created_at <= p_now - interval '23 hours' then
      raise exception using errcode = 'PT409', message = 'refund_unsettled',
        hint = 'An earlier refund got no answer from Stripe; see in Stripe''s dashboard whether it was made.';
    end if;
    return to_jsonb(v_refund);
  end if;

  if v_purchase.stripe_payment_intent_id is null then
    raise exception using errcode = 'PT409', message = 'not_paid_through_stripe',
      hint = 'Only a payment through Stripe can be refunded here; give the money back by hand and set the status.';
  end if;
  select a.stripe_account_id into v_account_id from public.stripe_accounts as a where a.org_id = v_purchase.org_id;
  if not found then
    raise exception using errcode = 'PT503', message = 'stripe_not_connected',
      hint = 'Connect the Stripe account that took the payment first.';
  end if;
  -- What we asked for, and what was refunded in Stripe's own dashboard and is in the books.
  v_left := v_purchase.amount_paid_cents
    - coalesce((select sum(r.amount_cents) from app.refunds as r
                 where r.purchase_id = p_purchase_id and r.status <> 'failed'), 0)
    + coalesce((select sum(e.amount_cents) from public.money_events as e
                 where e.org_id = v_purchase.org_id and e.client_id = v_purchase.client_id
                   and e.stripe_payment_intent_id = v_purchase.stripe_payment_intent_id and e.type = 'REFUND'
                   and not exists (select from app.refunds as r where r.stripe_refund_id = split_part(e.reference_id, ':', 1))),
               0);
  if v_left <= 0 or p_amount_cents > v_left then
    raise exception using errcode = 'PT409', message = 'refund_exceeds_payment',
      hint = 'Less than that is left of the payment.';
  end if;
  insert into app.refunds (
    org_id, purchase_id, request_key, asked_cents, amount_cents, currency, reason, stripe_account_id,
    stripe_payment_intent_id, refund_application_fee, created_at
  )
  values (
    v_purchase.org_id, p_purchase_id, p_request_key, p_amount_cents, coalesce(p_amount_cents, v_left),
    v_purchase.currency, p_reason, v_account_id, v_purchase.stripe_payment_intent_id,
    -- Stripe refuses to give back a share that was never taken.
    coalesce((select s.application_fee_cents > 0 from app.stripe_payments as s
               where s.org_id = v_purchase.org_id and s.payment_key = v_purchase.stripe_payment_intent_id),
             (select c.application_fee_cents > 0 from app.checkouts as c
               where c.stripe_session_id = v_purchase.stripe_checkout_session_id), true),
    p_now
  )
  -- One purchase's requests wait for each other, those of two with one key do not.
  on conflict (org_id, request_key) do nothing
  returning * into v_refund;
  if not found then
    raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
      hint = 'This Idempotency-Key was sent with another refund; use a new one.';
  end if;
  return to_jsonb(v_refund);
end;
$$;
comment on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) is
  'Records that an owner or staff member (p_user_id, verified by the caller) refunds a payment through Stripe, or part '
  'of it (p_amount_cents null: all that is left), and returns the row of app.refunds, whose id is Stripe''s idempotency '
  'key; status requested: Stripe has to be asked. Never more than is left, one request at a time. The same request is '
  'the same refund: with a p_request_key for good, without one within 10 minutes, or as long as Stripe''s answer is '
  'missing. Books nothing: Stripe''s events do. Raises PT400 amount_invalid, reason_invalid, idempotency_key_invalid; '
  'PT404 purchase_not_found; PT409 idempotency_key_reused, not_paid_through_stripe, refund_exceeds_payment, '
  'refund_unsettled; PT503 stripe_not_connected.';
revoke all on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/begin_refund.sql

-- >>> functions_sql/money/billing_customer.sql
create or replace function app.billing_customer(p_user_id uuid, p_client_id uuid, p_portal_token uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients := app.client_to_serve(p_user_id, p_client_id, p_portal_token);
  v_found jsonb;
begin
  select jsonb_build_object('stripe_account_id', a.stripe_account_id, 'stripe_customer_id', s.stripe_customer_id)
    into v_found
    from public.subscriptions as s
    join public.stripe_accounts as a on a.org_id = s.org_id
   where s.client_id = v_client.id and s.stripe_customer_id is not null;
  if not found then
    raise exception using errcode = 'PT409', message = 'no_stripe_customer',
      hint = 'The client has never subscribed through Stripe.';
  end if;
  return v_found;
end;
$$;
comment on function app.billing_customer(uuid, uuid, uuid) is
  'Who a client is to Stripe: stripe_account_id and stripe_customer_id, for a coach''s own client or the client''s own '
  'portal link. Raises PT404 client_not_found, token_not_found; PT409 no_stripe_customer.';
revoke all on function app.billing_customer(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.billing_customer(uuid, uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/money/billing_customer.sql

-- >>> functions_sql/money/book_manual_sale.sql
create or replace function app.book_manual_sale() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row public.client_purchases := case tg_op when 'DELETE' then old else new end;
  v_due bigint := case tg_op when 'DELETE' then 0 else app.manual_amount_cents(new) end;
  v_booked record;
  v_paid_at timestamptz := now();
begin
  if tg_op = 'UPDATE' and v_due = app.manual_amount_cents(old) and new.currency = old.currency then
    return null;  -- a sale from before it was booked stays out of the books until something about its money changes
  end if;
  -- With a client everything about them goes; that they paid stays in the books, without them. With an org all goes.
  if tg_op = 'DELETE' and not exists (
    select from public.clients as c join public.orgs as o on o.id = c.org_id where c.id = old.client_id
  ) then
    return null;
  end if;
  -- Only what is unbooked is booked, and the purchase's own row lock lets one at a time come here: so a sale counts
  -- once however often it is sent, and paid, undone, paid again is three rows.
  for v_booked in
    select e.currency, sum(e.amount_cents)::bigint as cents, sum(e.tax_cents)::bigint as tax_cents,
           -- As it was paid last: rows that reversed each other may be of another time.
           (array_agg(e.tax_cat order by length(e.reference_id) desc, e.reference_id desc)
              filter (where e.type = 'INCOME'))[1] as tax_cat
      from public.money_events as e
     where e.org_id = v_row.org_id and e.source = 'manual' and split_part(e.reference_id, ':', 1) = v_row.id::text
     group by e.currency
    having sum(e.amount_cents) <> 0
  loop
    if v_due > 0 and v_booked.currency = v_row.currency then
      -- A correction holds the GST that the sale did, whatever the org is registered for by now.
      perform app.insert_manual_event(v_row, 'ADJUSTMENT', v_due - v_booked.cents, v_row.currency, now(),
        case v_booked.tax_cat when 'GST' then app.gst_part_cents(v_due) - v_booked.tax_cents else 0 end,
        v_booked.tax_cat);
      v_due := 0;
    else
      perform app.insert_manual_event(v_row, 'REFUND', -v_booked.cents, v_booked.currency, now(), -v_booked.tax_cents,
        v_booked.tax_cat);
    end if;
  end loop;
  if v_due > 0 then
    if tg_op = 'INSERT' or app.manual_amount_cents(old) > 0 then
      v_paid_at := least(new.purchased_at, now());
    end if;
    perform app.insert_manual_event(v_row, 'INCOME', v_due, v_row.currency, v_paid_at,
      app.gst_cents(v_row.org_id, v_due));
  end if;
  return null;
end;
$$;
comment on function app.book_manual_sale() is
  'Keeps the books equal to the sales by hand: a purchase that is paid (app.manual_amount_cents) is one INCOME, dated '
  'when it was paid; one that no longer is, or is deleted, is reversed by a REFUND; a changed amount is an ADJUSTMENT '
  'of the difference. Nothing is changed or deleted; a purchase''s rows are told apart by reference_id `<id>`, '
  '`<id>:2`, … per type. Deleting a client leaves the books as they are.';
revoke all on function app.book_manual_sale() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_book_manual_sale
  after insert or delete or update of
    amount_paid_cents, currency, payment_status, payment_method, stripe_payment_intent_id, stripe_checkout_session_id
  on public.client_purchases
  for each row execute function app.book_manual_sale();
-- <<< functions_sql/money/book_manual_sale.sql

-- >>> functions_sql/money/book_payout_parts.sql
create or replace function app.book_payout_parts(p_org_id uuid, p_payout_id text, p_parts jsonb)
  returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_order constant public.money_event_type[] := '{INCOME,REFUND,ADJUSTMENT,PLATFORM_FEE,FEE}';
begin
  perform app.lock_stripe_object(p_org_id, p_payout_id);
  with parts as (
    select of_row.type, case
             when t.type in ('charge', 'payment') and of_row.type in ('INCOME', 'PLATFORM_FEE', 'FEE')
               then coalesce(t.payment_intent, t.source)
             when t.type in ('refund', 'payment_refund') and of_row.type = 'REFUND' then t.source
             when t.type = 'refund_failure' and of_row.type = 'REFUND' then t.source || ':reversal'
             when t.type = 'adjustment' and t.source ~ '^(du|dp)_' and of_row.type in ('ADJUSTMENT', 'FEE')
               then t.source || case when t.amount > 0 then ':reversal' else '' end
           end as reference_id
      from jsonb_to_recordset(p_parts) as t (type text, source text, payment_intent text, amount bigint)
     cross join unnest(v_order) as of_row (type)
  ), locked as (
    -- In the order in which the events book them.
    select e.id
      from parts as p
      join public.money_events as e
        on e.org_id = p_org_id and e.source = 'stripe' and e.type = p.type and e.reference_id = p.reference_id
     where e.stripe_payout_id is null
     order by e.reference_id, array_position(v_order, e.type)
       for no key update of e
  )
  update public.money_events as e
     set stripe_payout_id = p_payout_id
    from locked as l
   where e.id = l.id;
  update app.stripe_payments as p
     set lookup_at = null
   where p.org_id = p_org_id and p.payment_key = p_payout_id and p.lookup_at is not null;
  return found;
end;
$$;
comment on function app.book_payout_parts(uuid, text, jsonb) is
  'Notes which rows of the books a payout of Stripe''s paid out: p_parts, its balance transactions as {type, source, amount, '
  'payment_intent (of a charge)}; none for a payout of the org''s own, which pays out a sum, nothing in particular. Returns '
  'whether it was waited for. Source: https://docs.stripe.com/payouts/reconciliation';
revoke all on function app.book_payout_parts(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_payout_parts(uuid, text, jsonb) to coach_os_worker;
-- <<< functions_sql/money/book_payout_parts.sql

-- >>> functions_sql/money/book_stripe.sql
create or replace function app.book_stripe(
  p_org_id uuid, p_type public.money_event_type, p_reference_id text, p_at timestamptz, p_amount_cents bigint,
  p_currency text, p_client_id uuid default null, p_payment_key text default null, p_invoice_id text default null,
  p_is_estimate boolean default false
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tax_cat public.tax_category := case p_type
    when 'FEE' then 'GST_FREE' when 'PLATFORM_FEE' then 'GST' else 'NONE' end;
  v_intent_id text := case when p_payment_key like 'pi\_%' then p_payment_key end;
begin
  if p_amount_cents = 0 then
    -- Nothing happened, so nothing is booked; what was thought to have happened goes.
    delete from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.is_estimate and not p_is_estimate;
    return;
  end if;
  -- Most events say nothing new; an insert that then does nothing would still be checked and audited. Who calls has
  -- locked the object.
  if exists (
    select
      from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.event_date <= p_at
       and (e.client_id is not null or p_client_id is null)
       and (e.stripe_payment_intent_id is not null or v_intent_id is null)
       and (e.stripe_invoice_id is not null or p_invoice_id is null)
       and (p_is_estimate or not e.is_estimate)
  ) then
    return;
  end if;
  if p_type in ('INCOME', 'REFUND', 'ADJUSTMENT') then
    -- What goes back holds GST as the payment did, whatever the org is registered for by then.
    v_tax_cat := coalesce(
      (select e.tax_cat from public.money_events as e
        where e.org_id = p_org_id and e.source = 'stripe' and e.type = 'INCOME' and e.reference_id = p_payment_key),
      (select 'GST'::public.tax_category from public.booking_settings as s where s.org_id = p_org_id and s.gst_registered),
      'NONE'::public.tax_category
    );
  end if;
  insert into public.money_events as e (
    org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id,
    payment_status, stripe_payment_intent_id, stripe_invoice_id, is_estimate
  )
  values (
    p_org_id, p_at, p_type, p_amount_cents, p_currency, v_tax_cat,
    case when v_tax_cat <> 'GST' then 0
         when p_type = 'PLATFORM_FEE' then app.gst_cents(p_org_id, p_amount_cents)
         else app.gst_part_cents(p_amount_cents) end,
    'stripe', p_reference_id, p_client_id, 'succeeded', v_intent_id, p_invoice_id, p_is_estimate
  )
  -- Whichever event came first, the row ends the same: at the earliest instant, with all that any of them knew, and
  -- with what a fee really was.
  on conflict on constraint money_events_one_per_object do update
     set event_date = least(e.event_date, excluded.event_date),
         client_id = coalesce(e.client_id, excluded.client_id),
         stripe_payment_intent_id = coalesce(e.stripe_payment_intent_id, excluded.stripe_payment_intent_id),
         stripe_invoice_id = coalesce(e.stripe_invoice_id, excluded.stripe_invoice_id),
         amount_cents = case when e.is_estimate and not p_is_estimate then excluded.amount_cents else e.amount_cents end,
         currency = case when e.is_estimate and not p_is_estimate then excluded.currency else e.currency end,
         tax_cents = case when e.is_estimate and not p_is_estimate then excluded.tax_cents else e.tax_cents end,
         is_estimate = e.is_estimate and p_is_estimate;
end;
$$;
comment on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) is
  'Books what happened to a Stripe object, once per org, type and reference; again, it fills in what was not known. '
  'Amounts in the smallest unit, positive for money in; zero books nothing. Taxes: INCOME holds GST when the '
  'org is registered, REFUND and ADJUSTMENT as the payment they belong to (p_payment_key) did; what the platform keeps '
  'holds it, what Stripe keeps is GST_FREE.';
revoke all on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/book_stripe.sql

-- >>> functions_sql/money/books_livemode.sql
create or replace function app.books_livemode(p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (select (e.payload ->> 'livemode')::boolean
       from app.webhook_events as e
      where e.org_id = p_org_id and e.status = 'applied'
      order by e.received_at desc limit 1),
    (select r.livemode from app.reconciliations as r where r.livemode is not null order by r.reconciled_to desc limit 1)
  );
end;
$$;
comment on function app.books_livemode(uuid) is
  'Whether the books of an org hold live payments or test ones, as its newest event says, else as any account was compared '
  'last; null: nothing says. A key of the other mode lists other payments, which are not these books''. Source: '
  'https://docs.stripe.com/keys#test-live-modes';
revoke all on function app.books_livemode(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/books_livemode.sql

-- >>> functions_sql/money/check_my_webhook_event.sql
create or replace function app.check_my_webhook_event(p_id uuid) returns void
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select
      from app.webhook_events as e
      join public.stripe_accounts as a on a.stripe_account_id = e.account_id
     where e.id = p_id and a.org_id = any (array(select app.my_owned_org_ids()))
  ) then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'Choose one of webhook_problems().';
  end if;
end;
$$;
comment on function app.check_my_webhook_event(uuid) is
  'That a kept event is of the account of an org that the caller owns. Raises PT404 webhook_event_not_found.';
revoke all on function app.check_my_webhook_event(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/check_my_webhook_event.sql

-- >>> functions_sql/money/claim_reconciliation.sql
create or replace function app.claim_reconciliation(
  p_now timestamptz, p_livemode boolean, p_account_id text default null
)
  returns table (
    account_id text, stripe_account_id text, org_id uuid, events_from timestamptz, objects_from timestamptz,
    problem text
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Of one that is asked for by name whoever has it at this moment is waited for.
  perform from app.reconciliations as r where r.account_id = p_account_id for update;
  return query
    with due as (
      select r.account_id
        from app.reconciliations as r
       where case when p_account_id is null then r.due_at <= p_now and coalesce(r.claimed_until <= p_now, true)
                  else r.account_id = p_account_id end
       order by r.due_at, r.account_id
       limit 1
         for update skip locked
    ), claimed as (
      update app.reconciliations as r
         set claimed_until = p_now + interval '1 hour'
        from due as d
       where r.account_id = d.account_id
      returning r.*
    )
    select c.account_id, a.stripe_account_id, a.org_id,
           -- As long as Stripe itself goes on delivering.
           greatest(c.since, coalesce(c.reconciled_to, c.since) - interval '3 days'),
           -- What was begun a month ago may have been paid, failed or been refunded since it was looked at last.
           greatest(c.since, coalesce(c.reconciled_to, c.since) - interval '30 days'),
           case when app.books_livemode(a.org_id) <> p_livemode then 'key_of_other_mode' end
      from claimed as c
      left join public.stripe_accounts as a on a.stripe_account_id = c.account_id;
end;
$$;
comment on function app.claim_reconciliation(timestamptz, boolean, text) is
  'Takes one account that is due to be compared with Stripe at p_now, for an hour, after which it is due again should '
  'nothing be heard; or p_account_id, whether due or not. No row: none is due. stripe_account_id and org_id null: the '
  'platform''s own. events_from and objects_from: since when what Stripe lists is to be looked at. problem: why it must '
  'not be (p_livemode: the mode of the key). app.reconciliation_done() or app.reconciliation_failed() ends it.';
revoke all on function app.claim_reconciliation(timestamptz, boolean, text) from public, anon, authenticated, service_role;
grant execute on function app.claim_reconciliation(timestamptz, boolean, text) to coach_os_worker;
-- <<< functions_sql/money/claim_reconciliation.sql

-- >>> functions_sql/money/client_of_stripe.sql
create or replace function app.client_of_stripe(p_org_id uuid, p_object jsonb) returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_named uuid := app.id_in_text(coalesce(p_object -> 'metadata' ->> 'client_id', p_object ->> 'client_reference_id'));
begin
  return (select c.id from public.clients as c where c.id = v_named and c.org_id = p_org_id);
end;
$$;
comment on function app.client_of_stripe(uuid, jsonb) is
  'The org''s client whom a Stripe object names: metadata.client_id, else a session''s client_reference_id. Null: nobody, '
  'or nobody of this org.';
revoke all on function app.client_of_stripe(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/client_of_stripe.sql

-- >>> functions_sql/money/client_to_serve.sql
create or replace function app.client_to_serve(p_user_id uuid, p_client_id uuid, p_portal_token uuid)
  returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  if p_portal_token is not null then
    return app.client_of_portal(p_portal_token);
  end if;
  -- A client of an org the user may not sell for looks like one that does not exist.
  select c.* into v_client
    from public.clients as c
    join public.org_members as m on m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where c.id = p_client_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found',
      hint = 'Choose a client of your own business.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_to_serve(uuid, uuid, uuid) is
  'The client for whom something is asked of Stripe: of their own portal link (p_portal_token), else p_client_id, for an '
  'owner or staff member of their org (p_user_id, verified by the caller). Raises PT404 token_not_found, client_not_found.';
revoke all on function app.client_to_serve(uuid, uuid, uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/client_to_serve.sql

-- >>> functions_sql/money/currency_exponent.sql
create or replace function app.currency_exponent(p_currency text) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_currency in (
      'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ) then 0
    when p_currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 3
    else 2
  end;
end;
$$;
comment on function app.currency_exponent(text) is
  'How many decimals an amount of this currency has: 1 of its units is 10 to that many of the smallest ones. As Stripe '
  'tells and takes amounts, so Ugandan shillings and Icelandic crowns have two, always 00. Source: '
  'https://docs.stripe.com/currencies#zero-decimal, https://docs.stripe.com/currencies#special-cases';
revoke all on function app.currency_exponent(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/currency_exponent.sql

-- >>> functions_sql/money/discard_my_webhook_event.sql
create or replace function app.discard_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_my_webhook_event(p_id);
  return app.discard_webhook_event(p_id, p_now);
end;
$$;
comment on function app.discard_my_webhook_event(uuid, timestamptz) is 'What public.discard_webhook_event() promises.';
revoke all on function app.discard_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.discard_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.discard_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.discard_my_webhook_event(p_id, now());
end;
comment on function public.discard_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): lets it lie: it is kept, and tried no more. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.discard_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.discard_webhook_event(uuid) to authenticated;
-- <<< functions_sql/money/discard_my_webhook_event.sql

-- >>> functions_sql/money/fees_to_fetch.sql
create or replace function app.fees_to_fetch(p_now timestamptz, p_limit integer)
  returns table (org_id uuid, stripe_account_id text, payment_key text, charge_id text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with due as (
      select p.org_id, p.payment_key, a.stripe_account_id
        from app.stripe_payments as p
        join public.stripe_accounts as a on a.org_id = p.org_id
       where p.lookup_at <= p_now
       order by p.lookup_at
       limit p_limit
         for update of p skip locked
    )
    update app.stripe_payments as p
       set lookups = p.lookups + 1, lookup_at = p_now + app.retry_delay(p.lookups + 1)
      from due as d
     where p.org_id = d.org_id and p.payment_key = d.payment_key
    returning p.org_id, d.stripe_account_id, p.payment_key, p.charge_id;
end;
$$;
comment on function app.fees_to_fetch(timestamptz, integer) is
  'Payments whose fee is an estimate, invoices (payment_key in_…) of which no event said how they were paid, and payouts '
  '(po_…) of which none says what they paid out, that Stripe is to be asked about at p_now on behalf of '
  'stripe_account_id; p_limit at most. Each is due again after app.retry_delay(), until app.book_balance_transaction(), '
  'app.book_invoice() or app.book_payout_parts() has its answer.';
revoke all on function app.fees_to_fetch(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.fees_to_fetch(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/money/fees_to_fetch.sql

-- >>> functions_sql/money/follow_account.sql
create or replace function app.follow_account() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.stripe_account_id = old.stripe_account_id then
    return null;
  end if;
  if tg_op <> 'INSERT' then
    delete from app.reconciliations as r where r.account_id = old.stripe_account_id;
  end if;
  if tg_op <> 'DELETE' then
    insert into app.reconciliations (account_id, since, due_at) values (new.stripe_account_id, now(), now())
    on conflict (account_id) do nothing;
  end if;
  return null;
end;
$$;
comment on function app.follow_account() is
  'Has a connected account''s money compared with Stripe from the day it was connected (app.reconciliations).';
revoke all on function app.follow_account() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_reconciled
  after insert or delete or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.follow_account();
-- <<< functions_sql/money/follow_account.sql

-- >>> functions_sql/money/gst_cents.sql
create or replace function app.gst_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not coalesce(
    (select s.gst_registered from public.booking_settings as s where s.org_id = p_org_id), false
  ) then
    return 0;
  end if;
  return app.gst_part_cents(p_amount_cents);
end;
$$;
comment on function app.gst_cents(uuid, bigint) is
  'The GST in an amount (smallest unit, either sign) that an org takes or pays now: app.gst_part_cents() of it; 0 for an '
  'org that is not registered.';
revoke all on function app.gst_cents(uuid, bigint) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/gst_cents.sql

-- >>> functions_sql/money/gst_part_cents.sql
create or replace function app.gst_part_cents(p_amount_cents bigint) returns bigint
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return round(p_amount_cents / 11.0);
end;
$$;
comment on function app.gst_part_cents(bigint) is
  'The GST in an amount (smallest unit, either sign) that holds GST: one eleventh, half a cent away from zero. Source: '
  'https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst';
revoke all on function app.gst_part_cents(bigint) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/gst_part_cents.sql

-- >>> functions_sql/money/guard_money_event.sql
-- Invoker on purpose: current_user is then who runs the statement. What app.book_stripe() does runs as that function's
-- owner, who owns the table; a caller cannot choose between them.
create or replace function app.guard_money_event() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  v_by_rule boolean := pg_catalog.pg_has_role(
    current_user, (select c.relowner from pg_catalog.pg_class as c where c.oid = 'public.money_events'::regclass), 'usage'
  );
  v_filled_in text[] := '{event_date,client_id,stripe_payment_intent_id,stripe_invoice_id,payout_id,stripe_payout_id}';
begin
  if tg_op = 'DELETE' and v_by_rule
     and (old.is_estimate or not exists (select from public.orgs as o where o.id = old.org_id)) then
    return old;  -- the estimate of what was nothing, or the whole org goes
  end if;
  if tg_op = 'UPDATE' then
    if new is not distinct from old then
      return new;
    end if;
    -- Which payout of the platform it is part of is written when that is made.
    if to_jsonb(new) - 'payout_id' = to_jsonb(old) - 'payout_id' then
      return new;
    end if;
    if old.is_estimate then
      v_filled_in := v_filled_in || '{amount_cents,currency,tax_cents,is_estimate}'::text[];
    end if;
    if v_by_rule and to_jsonb(new) - v_filled_in = to_jsonb(old) - v_filled_in
       and new.event_date <= old.event_date
       -- From null to a client when it becomes known; to null when the client is deleted.
       and (old.client_id is null or new.client_id is null or new.client_id = old.client_id)
       and coalesce(new.stripe_payment_intent_id = old.stripe_payment_intent_id, old.stripe_payment_intent_id is null)
       and coalesce(new.stripe_invoice_id = old.stripe_invoice_id, old.stripe_invoice_id is null)
       and coalesce(new.stripe_payout_id = old.stripe_payout_id, old.stripe_payout_id is null) then
      return new;
    end if;
  end if;
  raise exception using errcode = 'PT403', message = 'books_are_append_only',
    hint = 'Correct the books with a new row.';
end;
$$;
comment on function app.guard_money_event() is
  'The books are append-only, for everyone. Still written: which payout of the platform a row is part of; and by the '
  'rules of the database alone: a client, intent, invoice or payout of Stripe''s not known before, an earlier instant, '
  'the real amount in place of an estimate. A row goes only with its org. Raises PT403 books_are_append_only.';
revoke all on function app.guard_money_event() from public, anon, authenticated, service_role;

-- By its name the last of the table's: what no row may do, another trigger says.
create or replace trigger money_events_stay_booked
  before update or delete on public.money_events
  for each row execute function app.guard_money_event();
create or replace trigger money_events_no_truncate
  before truncate on public.money_events
  for each statement execute function app.guard_money_event();
-- <<< functions_sql/money/guard_money_event.sql

-- >>> functions_sql/money/id_in_metadata.sql
create or replace function app.id_in_metadata(p_object jsonb, p_key text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return app.id_in_text(p_object -> 'metadata' ->> p_key);
end;
$$;
comment on function app.id_in_metadata(jsonb, text) is
  'The id that a Stripe object''s metadata has under a key; null: none, or what is no id. Whose row it names is for the '
  'caller to check: anybody with the account may write metadata.';
revoke all on function app.id_in_metadata(jsonb, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/id_in_metadata.sql

-- >>> functions_sql/money/id_in_text.sql
create or replace function app.id_in_text(p_text text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end;
end;
$$;
comment on function app.id_in_text(text) is
  'The id that a text from outside is; null: none, or what is no id. Whose row it names is for the caller to check.';
revoke all on function app.id_in_text(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/id_in_text.sql

-- >>> functions_sql/money/is_booked_event.sql
create or replace function app.is_booked_event(p_type text) returns boolean
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return p_type in (
    'checkout.session.completed', 'checkout.session.async_payment_succeeded', 'payment_intent.succeeded',
    'charge.succeeded', 'charge.captured', 'charge.refunded', 'refund.created', 'refund.updated', 'refund.failed',
    'charge.refund.updated', 'invoice.paid', 'invoice.payment_succeeded', 'invoice.payment_failed',
    'invoice_payment.paid', 'payout.paid', 'payout.failed', 'account.updated',
    'account.application.deauthorized', 'application_fee.refunded'
  ) or p_type like 'charge.dispute.%' or p_type like 'customer.subscription.%';
end;
$$;
comment on function app.is_booked_event(text) is
  'Whether events of this type can change anything here: those that app.apply_stripe_event() has a function for, and that '
  'the webhook endpoint is to be sent. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.is_booked_event(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/is_booked_event.sql

-- >>> functions_sql/money/missing_stripe_events.sql
create or replace function app.missing_stripe_events(p_account_id text, p_events jsonb) returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select l.id
      from jsonb_to_recordset(p_events) as l (id text, type text)
     where app.is_booked_event(l.type)
       -- Of the platform's own events only these are about an org's money.
       and (p_account_id is not null or l.type like 'application\_fee.%')
       and not exists (select from app.webhook_events as e where e.provider = 'stripe' and e.event_id = l.id);
end;
$$;
comment on function app.missing_stripe_events(text, jsonb) is
  'Of events that Stripe lists (p_events: [{id, type}]) for an account (null: the platform''s own), those that were never '
  'delivered and would change something: app.receive_stripe_event() takes them.';
revoke all on function app.missing_stripe_events(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.missing_stripe_events(text, jsonb) to coach_os_worker;
-- <<< functions_sql/money/missing_stripe_events.sql

-- >>> functions_sql/money/note_payment.sql
create or replace function app.note_payment(
  p_org_id uuid, p_payment_key text, p_paid_at timestamptz default null, p_amount_cents bigint default null,
  p_currency text default null, p_client_id uuid default null, p_charge_id text default null,
  p_invoice_id text default null, p_checkout_session_id text default null, p_subscription_id text default null,
  p_application_fee_cents bigint default null
) returns app.stripe_payments
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_payment app.stripe_payments;
begin
  if p_paid_at is not null and (p_amount_cents is null or p_currency is null) then
    raise exception using errcode = 'PT422', message = 'payment_incomplete',
      hint = 'A payment that is paid has an amount and a currency.';
  end if;
  perform app.lock_stripe_object(p_org_id, p_payment_key);
  insert into app.stripe_payments as p (
    org_id, payment_key, paid_at, amount_cents, currency, client_id, charge_id, invoice_id, checkout_session_id,
    subscription_id, application_fee_cents, lookup_at
  )
  values (
    p_org_id, p_payment_key, p_paid_at, p_amount_cents, lower(p_currency),
    coalesce(p_client_id, (
      select s.client_id from app.stripe_subscriptions as s
       where s.org_id = p_org_id and s.subscription_id = p_subscription_id
    )),
    p_charge_id, p_invoice_id, p_checkout_session_id, p_subscription_id, p_application_fee_cents,
    -- Only what was charged has a balance transaction to ask for.
    case when p_amount_cents > 0 and p_payment_key ~ '^(pi|ch|py)_' then p_paid_at end
  )
  on conflict (org_id, payment_key) do update
     set paid_at = least(p.paid_at, excluded.paid_at),
         amount_cents = coalesce(p.amount_cents, excluded.amount_cents),
         currency = coalesce(p.currency, excluded.currency),
         client_id = coalesce(p.client_id, excluded.client_id),
         charge_id = coalesce(p.charge_id, excluded.charge_id),
         invoice_id = coalesce(p.invoice_id, excluded.invoice_id),
         checkout_session_id = coalesce(p.checkout_session_id, excluded.checkout_session_id),
         subscription_id = coalesce(p.subscription_id, excluded.subscription_id),
         application_fee_cents = greatest(p.application_fee_cents, excluded.application_fee_cents),
         lookup_at = case when p.paid_at is null then excluded.lookup_at else p.lookup_at end
  returning p.* into v_payment;
  perform app.book_payment(v_payment);
  perform app.place_fee_refunds(v_payment);
  if v_payment.client_id is not null or v_payment.invoice_id is not null then
    -- A refund or dispute that came before who paid, or for what, was known.
    update public.money_events as e
       set client_id = coalesce(e.client_id, v_payment.client_id),
           stripe_invoice_id = coalesce(e.stripe_invoice_id, v_payment.invoice_id)
      from app.stripe_facts as f
     where f.org_id = p_org_id and f.payment_key = p_payment_key
       and e.org_id = p_org_id and e.source = 'stripe' and e.type in ('REFUND', 'ADJUSTMENT', 'FEE')
       and e.reference_id in (f.object_id, f.object_id || ':reversal')
       and (e.client_id is null and v_payment.client_id is not null
            or e.stripe_invoice_id is null and v_payment.invoice_id is not null);
  end if;
  v_payment.taken_back := app.settle_stripe_pack(p_org_id, p_payment_key);
  return v_payment;
end;
$$;
comment on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) is
  'Adds what an event knows to what is known of a payment, and books it once it is paid (p_paid_at: when the event was '
  'made). What is known is never overwritten, the instant is the earliest: the same for every order of the events. Raises '
  'PT422 payment_incomplete.';
revoke all on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_payment.sql

-- >>> functions_sql/money/note_subscription.sql
create or replace function app.note_subscription(
  p_org_id uuid, p_subscription_id text, p_at timestamptz, p_client_id uuid default null,
  p_customer_id text default null, p_object_status text default null, p_inferred_status text default null,
  p_started_at timestamptz default null, p_price_cents bigint default null, p_offer text default null
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_offer_id uuid;
  v_client_id uuid;
  v_payment_key text;
begin
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  select o.id into v_offer_id from public.offers as o where o.id = app.id_in_text(p_offer) and o.org_id = p_org_id;
  insert into app.stripe_subscriptions as s (
    org_id, subscription_id, client_id, offer_id, customer_id, price_cents, started_at, first_seen_at, object_status,
    object_at, inferred_status, inferred_at
  )
  values (
    p_org_id, p_subscription_id,
    -- Subscriptions that were there before their events were kept.
    coalesce(p_client_id, (
      select r.client_id from public.subscriptions as r
       where r.org_id = p_org_id and r.stripe_subscription_id = p_subscription_id
    )),
    v_offer_id, p_customer_id, p_price_cents, p_started_at, p_at, p_object_status,
    case when p_object_status is not null then p_at end, p_inferred_status,
    case when p_inferred_status is not null then p_at end
  )
  on conflict (org_id, subscription_id) do update
     set client_id = coalesce(s.client_id, excluded.client_id),
         offer_id = coalesce(s.offer_id, excluded.offer_id),
         customer_id = coalesce(s.customer_id, excluded.customer_id),
         started_at = least(s.started_at, excluded.started_at),
         first_seen_at = least(s.first_seen_at, excluded.first_seen_at);
  -- The newest counts; of two of one second the one that cannot be followed by the other.
  update app.stripe_subscriptions as s
     set object_status = p_object_status, object_at = p_at, price_cents = coalesce(p_price_cents, s.price_cents)
   where s.org_id = p_org_id and s.subscription_id = p_subscription_id and p_object_status is not null
     and (p_at, array_position('{none,past_due,active,canceled}'::text[], p_object_status))
         > (coalesce(s.object_at, '-infinity'),
            coalesce(array_position('{none,past_due,active,canceled}'::text[], s.object_status), 0));
  update app.stripe_subscriptions as s
     set inferred_status = p_inferred_status, inferred_at = p_at
   where s.org_id = p_org_id and s.subscription_id = p_subscription_id and p_inferred_status is not null
     and (p_at, array_position('{past_due,active}'::text[], p_inferred_status))
         > (coalesce(s.inferred_at, '-infinity'), coalesce(array_position('{past_due,active}'::text[], s.inferred_status), 0));

  select s.client_id into v_client_id
    from app.stripe_subscriptions as s where s.org_id = p_org_id and s.subscription_id = p_subscription_id;
  if v_client_id is null then
    return;  -- whose it is, another event tells
  end if;
  perform app.show_subscription(p_org_id, v_client_id);
  -- Its invoices may have been paid before it was known whose they are.
  for v_payment_key in
    select p.payment_key from app.stripe_payments as p
     where p.org_id = p_org_id and p.subscription_id = p_subscription_id and p.client_id is null
     order by p.payment_key
  loop
    perform app.note_payment(p_org_id, v_payment_key, p_client_id => v_client_id);
  end loop;
end;
$$;
comment on function app.note_subscription(
  uuid, text, timestamptz, uuid, text, text, text, timestamptz, bigint, text
) is
  'Adds what an event of the instant p_at knows of a subscription, and shows the client''s: p_object_status is what the '
  'subscription says itself, p_inferred_status what a checkout or invoice makes of it. The same for every order.';
revoke all on function app.note_subscription(
  uuid, text, timestamptz, uuid, text, text, text, timestamptz, bigint, text
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_subscription.sql

-- >>> functions_sql/money/place_fee_refunds.sql
create or replace function app.place_fee_refunds(p_payment app.stripe_payments) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_payment.charge_id is null then
    return;
  end if;
  perform app.lock_stripe_object(p_payment.org_id, 'fee of ' || p_payment.charge_id);
  perform app.book_stripe(
    f.org_id, 'PLATFORM_FEE', f.object_id, f.happened_at, f.amount_cents, f.currency, p_payment.client_id,
    p_payment.payment_key, p_payment.invoice_id
  )
    from app.stripe_facts as f
   where f.org_id = p_payment.org_id and f.payment_key = p_payment.charge_id and f.fact = 'fee_refunded';
end;
$$;
comment on function app.place_fee_refunds(app.stripe_payments) is
  'Says of what the platform gave back which payment and whose it was: the refund of a fee names the charge alone, and may '
  'be told before it.';
revoke all on function app.place_fee_refunds(app.stripe_payments) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/place_fee_refunds.sql

-- >>> functions_sql/money/receive_stripe_event.sql
create or replace function app.receive_stripe_event(
  p_event jsonb, p_livemode boolean, p_now timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event_id text := p_event ->> 'id';
  v_livemode_matches boolean := p_event -> 'livemode' is not distinct from to_jsonb(p_livemode);
  -- What the platform keeps of an account's payments is told as the platform's own, and names the account.
  v_account_id text := coalesce(p_event ->> 'account', case when p_event ->> 'type' like 'application\_fee.%'
                                                           then app.stripe_id(p_event #> '{data,object,account}') end);
  v_row app.webhook_events;
begin
  if jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_event_id) not between 1 and 255
     or jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(p_event ->> 'type') not between 1 and 255
     or jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'event_malformed',
      hint = 'A Stripe event has an id, a type and data.object.';
  end if;
  -- A second delivery waits on the unique key for the first; it then finds the row and, unless the first one
  -- failed or found no org, has nothing to do. The row and what it causes commit together.
  insert into app.webhook_events as e (
    provider, event_id, event_type, account_id, payload, event_created_at, status, reason, received_at, processed_at
  )
  values (
    'stripe', v_event_id, p_event ->> 'type', v_account_id, p_event,
    case when p_event ->> 'created' ~ '^\d{1,10}$' then to_timestamp((p_event ->> 'created')::bigint) end,
    'ignored', case when not v_livemode_matches then 'livemode_mismatch' end, p_now, p_now
  )
  on conflict (provider, event_id) do nothing
  returning e.* into v_row;
  if not found then
    select e.* into v_row
      from app.webhook_events as e
     where e.provider = 'stripe' and e.event_id = v_event_id
       for update;
    if v_row.status not in ('failed', 'unmatched') then
      return 'duplicate';
    end if;
    -- Signed anew, so what it says now is Stripe's word, too.
    update app.webhook_events as e
       set payload = p_event, event_type = p_event ->> 'type', account_id = v_account_id
     where e.id = v_row.id
    returning e.* into v_row;
  end if;
  if not v_livemode_matches then
    update app.webhook_events as e
       set status = 'ignored', reason = 'livemode_mismatch', next_attempt_at = null
     where e.id = v_row.id and e.status <> 'ignored';
    return 'ignored';
  end if;
  return app.apply_webhook_event(v_row, p_now);
end;
$$;
comment on function app.receive_stripe_event(jsonb, boolean, timestamptz) is
  'Stores a verified Stripe event and applies it, in one transaction, once per event id. Returns applied, '
  'duplicate, ignored, unmatched (no org owns the account) or failed (kept, with a reason, and tried again by '
  'app.retry_webhook_events()). p_livemode: what this endpoint is for; an event of the other mode books nothing. '
  'For the webhook, and for app.missing_stripe_events(). Raises PT400 event_malformed. Source: '
  'https://docs.stripe.com/webhooks';
revoke all on function app.receive_stripe_event(jsonb, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_stripe_event(jsonb, boolean, timestamptz) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/money/receive_stripe_event.sql

-- >>> functions_sql/money/reconciled_accounts.sql
create or replace function app.reconciled_accounts() returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query select r.account_id from app.reconciliations as r order by r.account_id = 'platform', r.account_id;
end;
$$;
comment on function app.reconciled_accounts() is
  'Every account whose money is compared with Stripe, for app.claim_reconciliation(); the platform''s own last.';
revoke all on function app.reconciled_accounts() from public, anon, authenticated, service_role;
grant execute on function app.reconciled_accounts() to coach_os_worker;
-- <<< functions_sql/money/reconciled_accounts.sql

-- >>> functions_sql/money/reconciliation_done.sql
create or replace function app.reconciliation_done(
  p_account_id text, p_livemode boolean, p_mended integer, p_advance boolean, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
begin
  select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_account_id;
  update app.reconciliations as r
     set reconciled_to = case when p_advance then greatest(r.reconciled_to, p_now) else r.reconciled_to end,
         due_at = case when p_advance then greatest(r.due_at, p_now + interval '1 day') else r.due_at end,
         livemode = p_livemode, claimed_until = null, failures = 0
   where r.account_id = p_account_id;
  if p_mended > 0 then
    -- What was missing then may have been part of a payout that was looked into.
    update app.stripe_payments as p
       set lookup_at = p_now, lookups = 0
     where p.org_id = v_org_id and p.payment_key like 'po\_%' and p.lookup_at is null
       and exists (
         select from app.stripe_facts as f
          where f.org_id = p.org_id and f.object_id = p.payment_key and f.fact = 'payout_paid'
            and f.happened_at > p_now - interval '35 days'
       );
  end if;
  perform app.record_findings('money', app.account_finding_kinds(), v_org_id, array[p_account_id], '[]', p_now);
end;
$$;
comment on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz) is
  'An account was compared with all that Stripe listed at p_now, when the run began; p_mended events were taken in. Due '
  'again a day later; p_advance false: this was a run of its own, about another time.';
revoke all on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz) to coach_os_worker;
-- <<< functions_sql/money/reconciliation_done.sql

-- >>> functions_sql/money/reconciliation_failed.sql
create or replace function app.reconciliation_failed(p_account_id text, p_kind text, p_detail jsonb, p_now timestamptz)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update app.reconciliations as r
     set failures = r.failures + 1, claimed_until = null,
         -- Stripe may be down for a moment; a right that was taken away does not come back by asking.
         due_at = p_now + case p_kind when 'stripe_unavailable'
                            then coalesce(app.retry_delay(r.failures + 1), interval '6 hours') else interval '1 day' end
   where r.account_id = p_account_id;
  perform app.record_findings(
    'money', app.account_finding_kinds(),
    (select a.org_id from public.stripe_accounts as a where a.stripe_account_id = p_account_id), array[p_account_id],
    jsonb_build_array(jsonb_build_object('kind', p_kind, 'subject', p_account_id, 'detail', p_detail)), p_now
  );
end;
$$;
comment on function app.reconciliation_failed(text, text, jsonb, timestamptz) is
  'An account could not be compared with Stripe: account_access_lost, key_of_other_mode (due again in a day) or '
  'stripe_unavailable (after app.retry_delay()). A finding until it could be. What was to be looked at stays to be.';
revoke all on function app.reconciliation_failed(text, text, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.reconciliation_failed(text, text, jsonb, timestamptz) to coach_os_worker;
-- <<< functions_sql/money/reconciliation_failed.sql

-- >>> functions_sql/money/reconciliation_kinds.sql
create or replace function app.reconciliation_kinds() returns text[]
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return '{not_in_books,differs_from_stripe,unknown_to_stripe}';
end;
$$;
comment on function app.reconciliation_kinds() is
  'The kinds of findings, one an object, that comparing the books with Stripe can make: app.stripe_discrepancies().';
revoke all on function app.reconciliation_kinds() from public, anon, authenticated, service_role;
-- <<< functions_sql/money/reconciliation_kinds.sql

-- >>> functions_sql/money/record_stripe_findings.sql
create or replace function app.record_stripe_findings(p_org_id uuid, p_objects jsonb, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org record;
begin
  for v_org in
    select o.org_id, array_agg(o.id) as subjects
      from (
        select coalesce(p_org_id, a.org_id) as org_id, l.value ->> 'id' as id
          from jsonb_array_elements(p_objects) as l
          left join public.stripe_accounts as a on p_org_id is null and a.stripe_account_id = l.value ->> 'account'
      ) as o
     where o.org_id is not null
     group by o.org_id
     order by o.org_id
  loop
    perform app.record_findings(
      'money', app.reconciliation_kinds(), v_org.org_id, v_org.subjects,
      (select coalesce(jsonb_agg(jsonb_build_object('kind', d.kind, 'subject', d.subject, 'detail', d.detail)), '[]')
         from app.stripe_discrepancies(p_org_id, p_objects) as d
        where d.org_id = v_org.org_id),
      p_now
    );
  end loop;
end;
$$;
comment on function app.record_stripe_findings(uuid, jsonb, timestamptz) is
  'Keeps what app.stripe_discrepancies() says of objects as Stripe shows them at p_now, each under the id by which it was '
  'asked for; findings about those that are right now are resolved.';
revoke all on function app.record_stripe_findings(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.record_stripe_findings(uuid, jsonb, timestamptz) to coach_os_worker;
-- <<< functions_sql/money/record_stripe_findings.sql

-- >>> functions_sql/money/release_checkout.sql
create or replace function app.release_checkout() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if old.status = 'open' then
    perform app.give_back_promo_use(old.promo_code_id);
  end if;
  return null;
end;
$$;
comment on function app.release_checkout() is
  'Gives back the promo code''s use that an open checkout held when it goes with its offer or its client: nobody expires it '
  'any more.';
revoke all on function app.release_checkout() from public, anon, authenticated, service_role;

create or replace trigger checkouts_release after delete on app.checkouts
  for each row execute function app.release_checkout();
-- <<< functions_sql/money/release_checkout.sql

-- >>> functions_sql/money/replay_account_events.sql
create or replace function app.replay_account_events() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if new.stripe_account_id = old.stripe_account_id then
      return new;
    end if;
    -- What was said of another account says nothing of this one.
    new.charges_enabled := false;
    new.payouts_enabled := false;
    new.details_submitted := false;
  end if;
  new.stripe_updated_at := null;
  -- Deliveries for an account that nobody owns share this lock: app.apply_webhook_event().
  perform pg_advisory_xact_lock(hashtextextended('stripe account ' || new.stripe_account_id, 0));
  update app.webhook_events as e
     set next_attempt_at = now()
   where e.account_id = new.stripe_account_id and e.status in ('failed', 'unmatched');
  return new;
end;
$$;
comment on function app.replay_account_events() is
  'What Stripe said of an account before an org was connected to it is applied with the worker''s next '
  'tick; until then one that takes another''s place may do nothing.';
revoke all on function app.replay_account_events() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_replay_events
  before insert or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.replay_account_events();
-- <<< functions_sql/money/replay_account_events.sql

-- >>> functions_sql/money/replay_my_webhook_event.sql
create or replace function app.replay_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_my_webhook_event(p_id);
  return app.replay_webhook_event(p_id, p_now);
end;
$$;
comment on function app.replay_my_webhook_event(uuid, timestamptz) is 'What public.replay_webhook_event() promises.';
revoke all on function app.replay_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.replay_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.replay_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.replay_my_webhook_event(p_id, now());
end;
comment on function public.replay_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): applies it now. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.replay_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.replay_webhook_event(uuid) to authenticated;
-- <<< functions_sql/money/replay_my_webhook_event.sql

-- >>> functions_sql/money/sessions_of_offer.sql
create or replace function app.sessions_of_offer(p_offer public.offers) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return coalesce(p_offer.sessions_included, 1) + coalesce(p_offer.bonus_sessions, 0);
end;
$$;
comment on function app.sessions_of_offer(public.offers) is
  'How many sessions somebody who pays for an offer once has: those included, one where none is said, and the bonus.';
revoke all on function app.sessions_of_offer(public.offers) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/sessions_of_offer.sql

-- >>> functions_sql/money/stripe_discrepancies.sql
create or replace function app.stripe_discrepancies(p_org_id uuid, p_objects jsonb)
  returns table (org_id uuid, subject text, kind text, detail jsonb)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with objects as (
      select coalesce(p_org_id, a.org_id) as org_id, o.value as object, o.value ->> 'object' = 'missing' as is_missing
        from jsonb_array_elements(p_objects) as o
        left join public.stripe_accounts as a on p_org_id is null and a.stripe_account_id = o.value ->> 'account'
       where p_org_id is not null or a.org_id is not null
    ), lines as (
      select o.org_id, o.object, o.is_missing, l.type, l.reference_id, l.amount_cents, l.currency
        from objects as o
       cross join lateral app.stripe_lines(o.object) as l
      union all
      select o.org_id, o.object, true, e.type, o.object ->> 'id', 0, e.currency
        from objects as o
        join public.money_events as e
          on e.org_id = o.org_id and e.source = 'stripe'
         and e.reference_id in (o.object ->> 'id', (o.object ->> 'id') || ':reversal')
       where o.is_missing
       group by o.org_id, o.object, e.type, e.currency
    ), compared as (
      select l.*, b.amount_cents as booked_cents, b.currencies, b.rows
        from lines as l
       cross join lateral (
         select coalesce(sum(e.amount_cents), 0)::bigint as amount_cents, count(*) as rows,
                coalesce(array_agg(distinct e.currency), '{}') as currencies,
                coalesce(bool_or(e.is_estimate), false) as is_estimate
           from public.money_events as e
          where e.org_id = l.org_id and e.source = 'stripe' and e.type = l.type
            and e.reference_id in (l.reference_id, l.reference_id || ':reversal')
            -- Fees of a payment and of a dispute may be in two currencies.
            and (l.type <> 'FEE' or e.currency = l.currency)
       ) as b
       where l.is_missing
          -- An estimate says itself that it is one.
          or not b.is_estimate and (b.amount_cents <> l.amount_cents
                                    or b.currencies <> array[l.currency] and b.amount_cents <> 0)
    )
    select c.org_id, c.reference_id,
           case when bool_or(c.is_missing) then 'unknown_to_stripe'
                when bool_and(c.rows = 0) then 'not_in_books'
                else 'differs_from_stripe' end,
           jsonb_build_object('lines', jsonb_agg(jsonb_build_object(
             'type', c.type, 'stripe_cents', c.amount_cents, 'booked_cents', c.booked_cents, 'currency', c.currency,
             'booked_currencies', c.currencies
           ) order by c.type, c.currency))
             || jsonb_strip_nulls(jsonb_build_object('charge', (array_agg(c.object ->> 'charge'))[1]))
      from compared as c
     group by c.org_id, c.reference_id
     order by c.org_id, c.reference_id;
end;
$$;
comment on function app.stripe_discrepancies(uuid, jsonb) is
  'Where the books of an org (null: of whose account each object names) are not what app.stripe_lines() makes of objects '
  'that Stripe shows; {object: missing, id} is one that Stripe does not have. kind: not_in_books, differs_from_stripe '
  '(amount or currency), unknown_to_stripe. Estimates of fees are not compared.';
revoke all on function app.stripe_discrepancies(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.stripe_discrepancies(uuid, jsonb) to coach_os_worker;
-- <<< functions_sql/money/stripe_discrepancies.sql

-- >>> functions_sql/money/stripe_lines.sql
create or replace function app.stripe_lines(p_object jsonb)
  returns table (type public.money_event_type, reference_id text, amount_cents bigint, currency text)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_kind text := p_object ->> 'object';
  v_status text := p_object ->> 'status';
  v_amount bigint := (p_object ->> 'amount')::bigint;
  v_parts jsonb := case jsonb_typeof(p_object -> 'balance_transactions') when 'array'
                   then p_object -> 'balance_transactions' else '[]' end;
begin
  reference_id := p_object ->> 'id';
  currency := lower(p_object ->> 'currency');
  if v_kind in ('charge', 'payment_intent') then
    if v_kind = 'charge' then
      -- One that failed says nothing of its intent, which another may have paid.
      if v_status is distinct from 'succeeded' or p_object -> 'captured' = 'false' then
        return;
      end if;
      reference_id := coalesce(app.stripe_id(p_object -> 'payment_intent'), reference_id);
      v_amount := coalesce((p_object ->> 'amount_captured')::bigint, v_amount);
    else
      v_amount := case v_status when 'succeeded' then (p_object ->> 'amount_received')::bigint else 0 end;
    end if;
    type := 'INCOME';
    amount_cents := v_amount;
    return next;
    type := 'PLATFORM_FEE';
    amount_cents := case when v_amount > 0 then -coalesce((p_object ->> 'application_fee_amount')::bigint, 0) else 0 end;
    return next;
  elsif v_kind = 'refund' then
    type := 'REFUND';
    amount_cents := case v_status when 'succeeded' then -v_amount else 0 end;
    return next;
  elsif v_kind = 'payout' then
    type := 'PAYOUT';
    amount_cents := case v_status when 'paid' then -v_amount else 0 end;
    return next;
  elsif v_kind = 'fee_refund' then
    type := 'PLATFORM_FEE';
    amount_cents := v_amount;
    return next;
  elsif v_kind = 'invoice' then
    type := 'INCOME';
    amount_cents := case v_status when 'paid' then (p_object ->> 'amount_paid')::bigint else 0 end;
    return next;
  elsif v_kind = 'checkout.session' then
    type := 'INCOME';
    amount_cents := case p_object ->> 'payment_status' when 'paid' then (p_object ->> 'amount_total')::bigint else 0 end;
    return next;
  elsif v_kind = 'dispute' then
    -- Taken when there is a movement out, given back when there is one in.
    type := 'ADJUSTMENT';
    select v_amount * (count(*) filter (where (t.value ->> 'amount')::bigint > 0)
                       - count(*) filter (where (t.value ->> 'amount')::bigint < 0))
      into amount_cents
      from jsonb_array_elements(v_parts) as t;
    return next;
    type := 'FEE';
    for amount_cents, currency in
      select -sum((t.value ->> 'fee')::bigint), lower(t.value ->> 'currency')
        from jsonb_array_elements(v_parts) as t group by lower(t.value ->> 'currency')
    loop
      return next;
    end loop;
  end if;
end;
$$;
comment on function app.stripe_lines(jsonb) is
  'What the books should hold of an object as Stripe shows it: what its events, all of them, come to (a reversal included). '
  'Amounts as in money_events. Sources: https://docs.stripe.com/api/charges/object, /refunds/object, /payouts/object, '
  '/disputes/object, /fee_refunds/object';
revoke all on function app.stripe_lines(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/stripe_lines.sql

-- >>> functions_sql/money/stripe_subjects_to_check.sql
create or replace function app.stripe_subjects_to_check(
  p_org_id uuid, p_from timestamptz, p_to timestamptz, p_seen text[]
)
  returns table (subject text, account_id text, charge_id text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if p_org_id is null then
    return query
      select f.object_id, a.stripe_account_id, f.payment_key
        from app.stripe_facts as f
        join public.stripe_accounts as a on a.org_id = f.org_id
       where f.fact = 'fee_refunded' and f.happened_at >= p_from and f.happened_at < p_to
         and not exists (select from unnest(p_seen) as s (id) where s.id = f.object_id)
      union
      select h.subject, a.stripe_account_id, h.detail ->> 'charge'
        from app.health_findings as h
        join public.stripe_accounts as a on a.org_id = h.org_id
       where h.area = 'money' and h.kind = any (app.reconciliation_kinds()) and h.resolved_at is null
         and h.subject like 'fr\_%';
  else
    return query
      select split_part(e.reference_id, ':', 1), null::text, null::text
        from public.money_events as e
       where e.org_id = p_org_id and e.source = 'stripe' and e.type in ('INCOME', 'REFUND', 'ADJUSTMENT', 'PAYOUT')
         and e.event_date >= p_from and e.event_date < p_to
         and not exists (select from unnest(p_seen) as s (id) where s.id = split_part(e.reference_id, ':', 1))
      union
      select h.subject, null, null
        from app.health_findings as h
       where h.area = 'money' and h.kind = any (app.reconciliation_kinds()) and h.resolved_at is null
         and h.org_id = p_org_id and h.subject not like 'fr\_%';
  end if;
end;
$$;
comment on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[]) is
  'What Stripe is to be asked about one by one: what the books of an org hold from p_from to p_to that was not among what '
  'Stripe lists (p_seen), and every finding that is open. p_org_id null: refunds of the platform''s share, of every org, '
  'with account and charge.';
revoke all on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[])
  from public, anon, authenticated, service_role;
grant execute on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[]) to coach_os_worker;
-- <<< functions_sql/money/stripe_subjects_to_check.sql

-- >>> functions_sql/orgs/open_findings.sql
create or replace function app.open_findings(p_area text default null)
  returns table (
    area text, kind text, org_id uuid, subject text, detail jsonb, first_seen_at timestamptz, last_seen_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select h.area, h.kind, h.org_id, h.subject, h.detail, h.first_seen_at, h.last_seen_at
      from app.health_findings as h
     where h.resolved_at is null and (p_area is null or h.area = p_area)
     order by h.area, h.first_seen_at, h.kind, h.subject;
end;
$$;
comment on function app.open_findings(text) is
  'What checks found wrong and still holds, in an area (null: everywhere), oldest first.';
revoke all on function app.open_findings(text) from public, anon, authenticated, service_role;
grant execute on function app.open_findings(text) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/orgs/open_findings.sql

-- >>> functions_sql/orgs/record_findings.sql
create or replace function app.record_findings(
  p_area text, p_kinds text[], p_org_id uuid, p_subjects text[], p_found jsonb, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.health_findings as h (area, kind, org_id, subject, detail, first_seen_at, last_seen_at)
  select p_area, f.kind, p_org_id, f.subject, coalesce(f.detail, '{}'), p_now, p_now
    from jsonb_to_recordset(p_found) as f (kind text, subject text, detail jsonb)
   -- Two runs at once take them in one order.
   order by f.kind, f.subject
  on conflict (area, kind, org_id, subject) where resolved_at is null do update
     set detail = excluded.detail, last_seen_at = greatest(h.last_seen_at, excluded.last_seen_at);
  update app.health_findings as h
     set resolved_at = greatest(p_now, h.last_seen_at)
    from (
      select o.id
        from app.health_findings as o
       where o.area = p_area and o.kind = any (p_kinds) and o.org_id is not distinct from p_org_id
         and o.resolved_at is null and (p_subjects is null or o.subject = any (p_subjects))
         and not exists (
           select from jsonb_to_recordset(p_found) as f (kind text, subject text)
            where f.kind = o.kind and f.subject = o.subject
         )
       order by o.kind, o.subject
         for update
    ) as gone
   where h.id = gone.id;
end;
$$;
comment on function app.record_findings(text, text[], uuid, text[], jsonb, timestamptz) is
  'Keeps what a check found at p_now (p_found: [{kind, subject, detail}]), of an org or (null) of the platform: a new one '
  'is a row of app.health_findings, one that was open is seen again. What the check looked for (p_kinds, of p_subjects; '
  'null: of all) and did not find is resolved. One that comes back after that is a new row.';
revoke all on function app.record_findings(text, text[], uuid, text[], jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/record_findings.sql
