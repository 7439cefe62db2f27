create or replace function app.account_connected(p_org_id uuid, p_stripe_account_id text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Of two at once the second waits here for the first, and then finds its row.
  insert into public.stripe_accounts as a (org_id, stripe_account_id) values (p_org_id, p_stripe_account_id)
  on conflict (org_id) do update
     set stripe_account_id = excluded.stripe_account_id
   where a.disconnected_at is not null;
  return (select a.stripe_account_id from public.stripe_accounts as a where a.org_id = p_org_id);
end;
$$;
comment on function app.account_connected(uuid, text) is
  'Notes the account that Stripe made for an org, unless it has one that is not disconnected; returns the one it has. '
  'What the account may do is false until Stripe''s account.updated says otherwise.';
revoke all on function app.account_connected(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.account_connected(uuid, text) to coach_os_sidecar;
