create or replace function app.require_platform_admin() returns void
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not app.is_platform_admin() then
    raise exception using errcode = 'PT403', message = 'platform_admin_required',
      hint = 'Only an admin of the platform may do this.';
  end if;
end;
$$;
comment on function app.require_platform_admin() is
  'Passes for an admin of the platform (role admin; not support, not readonly). Raises PT403 platform_admin_required.';
revoke all on function app.require_platform_admin() from public, anon, authenticated, service_role;
