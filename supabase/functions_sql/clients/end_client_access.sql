create or replace function app.end_client_access() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- redeemed_at stays, so the old code opens nothing; without redeemed_by the user may redeem another.
  update public.client_invites as i set redeemed_by = null
   where i.client_id = new.id and i.redeemed_by = old.auth_user_id;
  delete from public.push_tokens as t where t.client_id = new.id;
  return null;
end;
$$;
comment on function app.end_client_access() is
  'Once a user is no longer a client, their invite is used up without an owner and their devices get no more messages.';
revoke all on function app.end_client_access() from public, anon, authenticated, service_role;

create or replace trigger clients_end_client_access after update of auth_user_id on public.clients
  for each row when (old.auth_user_id is not null and new.auth_user_id is distinct from old.auth_user_id)
  execute function app.end_client_access();
