create or replace function app.apply_subscription_checkout(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_subscription_id text := app.stripe_id(p_session -> 'subscription');
  v_client_id uuid := app.client_of_stripe(p_org_id, p_session);
begin
  if v_subscription_id is null then
    return 'ignored';
  end if;
  if v_client_id is null then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;
  perform app.note_subscription(
    p_org_id, v_subscription_id, p_at, v_client_id, app.stripe_id(p_session -> 'customer'),
    p_inferred_status => case when p_session ->> 'payment_status' in ('paid', 'no_payment_required') then 'active' end,
    p_offer => p_session -> 'metadata' ->> 'offer_id'
  );
  return 'applied';
end;
$$;
comment on function app.apply_subscription_checkout(uuid, jsonb, timestamptz) is
  'A completed Checkout Session in subscription mode says whose subscription it is (metadata.client_id, else '
  'client_reference_id), and, when paid, that it runs; the money is its invoice''s. Raises PT404 client_not_in_org. '
  'Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_subscription_checkout(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
