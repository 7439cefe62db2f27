create or replace function app.begin_connect(p_user_id uuid, p_org_id uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return (select a.stripe_account_id from public.stripe_accounts as a where a.org_id = p_org_id);
end;
$$;
comment on function app.begin_connect(uuid, uuid) is
  'The connected account of an org whose owner p_user_id (verified by the caller) is; null: it has none yet. Raises '
  'PT404 org_not_found.';
revoke all on function app.begin_connect(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.begin_connect(uuid, uuid) to coach_os_sidecar;
