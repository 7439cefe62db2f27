create or replace function app.checkout_opened(p_checkout_id uuid, p_stripe_session_id text, p_url text) returns void
  language sql volatile security definer set search_path = ''
as $$
  update app.checkouts as c
     set stripe_session_id = p_stripe_session_id, url = p_url
   where c.id = p_checkout_id;
$$;
comment on function app.checkout_opened(uuid, text, text) is
  'Notes which Stripe Checkout Session a checkout became, and where its page is.';
revoke all on function app.checkout_opened(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function app.checkout_opened(uuid, text, text) to coach_os_sidecar;
