create or replace function app.check_owner(p_user_id uuid, p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return true;
end;
$$;
comment on function app.check_owner(uuid, uuid) is
  'True when p_user_id (verified by the caller) is an owner of the org. Raises PT404 org_not_found.';
revoke all on function app.check_owner(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.check_owner(uuid, uuid) to coach_os_sidecar;
