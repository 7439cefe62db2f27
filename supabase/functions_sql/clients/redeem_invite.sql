create or replace function app.redeem_invite(p_code text, p_now timestamptz)
  returns table (client_id uuid, org_id uuid)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
  v_client public.clients;
  v_invite public.client_invites;
begin
  if v_user_id is null then
    raise exception using errcode = 'PT401', message = 'sign_in_required',
      hint = 'Sign up or sign in first; the invite becomes that user''s.';
  end if;
  -- Lock order: client, then invite, as when a coach ends a client's access. Who waited here sees what the other did.
  select c.* into v_client
    from public.clients as c
   where c.id = (select i.client_id from public.client_invites as i where i.invite_code = p_code)
     for update;
  if v_client.auth_user_id = v_user_id then
    -- Done before: the same answer. A second code of the same client is used up with it.
    update public.client_invites as i set redeemed_at = p_now where i.invite_code = p_code and i.redeemed_at is null;
    return query select v_client.id, v_client.org_id;
    return;
  end if;
  select i.* into v_invite
    from public.client_invites as i
   where i.invite_code = p_code and i.client_id = v_client.id and i.redeemed_at is null and i.expires_at > p_now
     for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'invite_not_found',
      hint = 'The code is wrong, used or expired; ask your coach for a new one.';
  end if;
  if v_client.auth_user_id is not null then
    raise exception using errcode = 'PT409', message = 'client_has_user',
      hint = 'This client signs in already; the coach can take that back and send a new invite.';
  end if;
  begin
    update public.client_invites as i set redeemed_at = p_now, redeemed_by = v_user_id where i.id = v_invite.id;
    update public.clients as c
       set auth_user_id = v_user_id,
           email = coalesce(nullif(btrim(c.email), ''), (select u.email from auth.users as u where u.id = v_user_id))
     where c.id = v_client.id;
  exception when unique_violation then  -- the key decides, also between two codes redeemed at once
    raise exception using errcode = 'PT409', message = 'user_is_client',
      hint = 'You are a client already; sign up with another e-mail address for this coach.';
  end;
  return query select v_client.id, v_client.org_id;
end;
$$;
comment on function app.redeem_invite(text, timestamptz) is 'What public.redeem_invite() promises, at the instant p_now.';
revoke all on function app.redeem_invite(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.redeem_invite(text, timestamptz) to authenticated;

create or replace function public.redeem_invite(p_code text) returns table (client_id uuid, org_id uuid)
  language sql volatile security invoker set search_path = ''
begin atomic
  select * from app.redeem_invite(p_code, now());
end;
comment on function public.redeem_invite(text) is
  'Makes the signed-in user the client that the invite is for, once, and fills the client''s e-mail address if there is '
  'none. Safe to call twice: the same user gets the same answer. Errors: PT401 sign_in_required; PT404 invite_not_found '
  '(unknown, used by somebody else, or expired); PT409 client_has_user; PT409 user_is_client (of somebody else).';
revoke all on function public.redeem_invite(text) from public, anon, authenticated, service_role;
grant execute on function public.redeem_invite(text) to authenticated;
