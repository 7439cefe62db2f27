create or replace function app.pack_problem(p_purchase public.client_purchases, p_client_id uuid, p_at timestamptz)
  returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return case
    when p_purchase.client_id <> p_client_id then 'pack_not_the_clients'
    when p_purchase.payment_status = 'refunded' then 'pack_refunded'
    when p_purchase.payment_status <> 'succeeded' then 'pack_unpaid'
    when p_purchase.expires_at <= p_at then 'pack_expired'
  end;
end;
$$;
comment on function app.pack_problem(public.client_purchases, uuid, timestamptz) is
  'Why a pack cannot pay for a session of this client at the instant p_at, however many it has left, or null: '
  'pack_not_the_clients, pack_refunded, pack_unpaid, pack_expired. A null client: the pack''s own.';
revoke all on function app.pack_problem(public.client_purchases, uuid, timestamptz)
  from public, anon, authenticated, service_role;
