-- Invoker on purpose: current_user is then who runs the statement. A signed-in user's own statement runs as
-- authenticated, the one inside app.redeem_invite() as that function's owner; a caller cannot choose between them.
create or replace function app.only_by_invite() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if current_user in ('anon', 'authenticated') then
    raise exception using errcode = 'PT403', message = 'auth_user_is_by_invite',
      hint = 'Send the client an invite; who redeems it becomes the client''s user.';
  end if;
  return new;
end;
$$;
comment on function app.only_by_invite() is
  'Which user a client is, and who redeemed an invite, is written by app.redeem_invite() (and by no API user): '
  'raises PT403 auth_user_is_by_invite.';
revoke all on function app.only_by_invite() from public, anon, authenticated, service_role;

create or replace trigger clients_insert_only_by_invite before insert on public.clients
  for each row when (new.auth_user_id is not null) execute function app.only_by_invite();
-- To null is the coach's right: app.end_client_access() does the rest.
create or replace trigger clients_only_by_invite before update of auth_user_id on public.clients
  for each row when (new.auth_user_id is not null and new.auth_user_id is distinct from old.auth_user_id)
  execute function app.only_by_invite();
create or replace trigger client_invites_insert_only_by_invite before insert on public.client_invites
  for each row when (num_nonnulls(new.redeemed_at, new.redeemed_by) > 0) execute function app.only_by_invite();
create or replace trigger client_invites_only_by_invite before update of redeemed_at, redeemed_by on public.client_invites
  for each row when ((new.redeemed_at, new.redeemed_by) is distinct from (old.redeemed_at, old.redeemed_by))
  execute function app.only_by_invite();
