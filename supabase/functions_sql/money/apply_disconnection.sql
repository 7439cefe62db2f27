create or replace function app.apply_disconnection(p_org_id uuid, p_account_id text, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.stripe_accounts as a
     set charges_enabled = false, payouts_enabled = false, disconnected_at = p_at, stripe_updated_at = p_at
   where a.org_id = p_org_id and a.stripe_account_id = p_account_id
     and (a.stripe_updated_at is null or a.stripe_updated_at <= p_at);
  return 'applied';
end;
$$;
comment on function app.apply_disconnection(uuid, text, timestamptz) is
  'An owner has disconnected their account: here it may do nothing any more, and POST /connect makes another one. Source: '
  'https://docs.stripe.com/api/events/types#event_types-account.application.deauthorized';
revoke all on function app.apply_disconnection(uuid, text, timestamptz) from public, anon, authenticated, service_role;
