create or replace function app.begin_checkout(p_user_id uuid, p_client_id uuid, p_offer_id uuid)
  returns table (
    checkout_id uuid, org_id uuid, stripe_account_id text, offer_name text, amount_cents integer, currency text,
    application_fee_cents integer
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_org public.orgs;
  v_offer public.offers;
begin
  -- A client of an org the user may not sell for looks like one that does not exist.
  select o.* into v_org
    from public.clients as c
    join public.orgs as o on o.id = c.org_id
    join public.org_members as m on m.org_id = o.id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where c.id = p_client_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found',
      hint = 'Choose a client of your own business.';
  end if;
  select f.* into v_offer
    from public.offers as f where f.id = p_offer_id and f.org_id = v_org.id and f.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  select a.stripe_account_id into stripe_account_id
    from public.stripe_accounts as a where a.org_id = v_org.id and a.charges_enabled;
  if not found then
    raise exception using errcode = 'PT409', message = 'stripe_not_connected',
      hint = 'Connect a Stripe account that can take payments first.';
  end if;
  insert into app.checkouts (org_id, client_id, offer_id) values (v_org.id, p_client_id, v_offer.id)
  returning id into checkout_id;
  org_id := v_org.id;
  offer_name := v_offer.name;
  amount_cents := v_offer.price_cents;
  currency := v_offer.currency;
  application_fee_cents := round(v_offer.price_cents * v_org.commission_rate);
  return next;
end;
$$;
comment on function app.begin_checkout(uuid, uuid, uuid) is
  'Records that a coach (p_user_id, verified by the caller) sells an offer to a client, and returns what a Stripe '
  'Checkout Session needs; checkout_id is its idempotency key. Raises PT404 client_not_found, PT404 '
  'offer_not_found, PT409 stripe_not_connected.';
revoke all on function app.begin_checkout(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.begin_checkout(uuid, uuid, uuid) to coach_os_sidecar;
