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
