create or replace function app.is_platform_admin() returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select from public.platform_admins as a where a.user_id = (select auth.uid()) and a.role = 'admin'
  );
end;
$$;
comment on function app.is_platform_admin() is 'True when the signed-in user is an admin of the platform itself.';
revoke all on function app.is_platform_admin() from public, anon, authenticated, service_role;
grant execute on function app.is_platform_admin() to authenticated, service_role;

create or replace function public.is_platform_admin() returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_platform_admin();
end;
comment on function public.is_platform_admin() is 'True when the signed-in user is an admin of the platform itself.';
revoke all on function public.is_platform_admin() from public, anon, authenticated, service_role;
grant execute on function public.is_platform_admin() to authenticated, service_role;
