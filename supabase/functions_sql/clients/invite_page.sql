create or replace function app.invite_page(p_code text, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_page jsonb;
begin
  select jsonb_build_object('full_name', c.full_name, 'org_name', o.name, 'expires_at', i.expires_at) into v_page
    from public.client_invites as i
    join public.clients as c on c.id = i.client_id
    join public.orgs as o on o.id = i.org_id
   -- Of a client who has a user, no invite can be redeemed: nobody should sign up for it.
   where i.invite_code = p_code and i.redeemed_at is null and i.expires_at > p_now and c.auth_user_id is null;
  if not found then
    raise exception using errcode = 'PT404', message = 'invite_not_found',
      hint = 'The code is wrong, used or expired; ask your coach for a new one.';
  end if;
  return v_page;
end;
$$;
comment on function app.invite_page(text, timestamptz) is 'What public.invite_page() promises, at the instant p_now.';
revoke all on function app.invite_page(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.invite_page(text, timestamptz) to anon, authenticated;

create or replace function public.invite_page(p_code text) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.invite_page(p_code, now());
end;
comment on function public.invite_page(text) is
  'What a visitor with an invite''s code sees before they sign up: {full_name (the client''s), org_name, expires_at}. '
  'Error: PT404 invite_not_found, whether the code is unknown, used or expired.';
revoke all on function public.invite_page(text) from public, anon, authenticated, service_role;
grant execute on function public.invite_page(text) to anon, authenticated;
