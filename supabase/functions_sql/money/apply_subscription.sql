create or replace function app.apply_subscription(p_org_id uuid, p_subscription jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_item jsonb := p_subscription -> 'items' -> 'data' -> 0;
begin
  perform app.note_subscription(
    p_org_id, p_subscription ->> 'id', p_at, app.client_of_stripe(p_org_id, p_subscription),
    app.stripe_id(p_subscription -> 'customer'),
    p_object_status => case p_subscription ->> 'status'
      when 'active' then 'active' when 'trialing' then 'active'
      when 'past_due' then 'past_due' when 'unpaid' then 'past_due'
      when 'canceled' then 'canceled' when 'incomplete_expired' then 'canceled'
      else 'none'
    end,
    p_started_at => to_timestamp((p_subscription ->> 'created')::bigint),
    p_price_cents => (v_item -> 'price' ->> 'unit_amount')::bigint * coalesce((v_item ->> 'quantity')::bigint, 1),
    p_offer => p_subscription -> 'metadata' ->> 'offer_id'
  );
  return 'applied';
end;
$$;
comment on function app.apply_subscription(uuid, jsonb, timestamptz) is
  'A subscription says itself what state it is in; p_at says how new that is. Source: '
  'https://docs.stripe.com/api/subscriptions/object';
revoke all on function app.apply_subscription(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
