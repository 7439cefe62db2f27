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
