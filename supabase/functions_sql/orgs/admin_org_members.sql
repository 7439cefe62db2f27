create or replace function app.admin_org_members(p_org_id uuid)
  returns table (id uuid, user_id uuid, role public.org_role, created_at timestamptz, email text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  perform app.require_platform_admin();
  return query
  select m.id, m.user_id, m.role, m.created_at, u.email::text
    from public.org_members as m
    join auth.users as u on u.id = m.user_id
   where m.org_id = p_org_id
   order by m.created_at, m.id;
end;
$$;
comment on function app.admin_org_members(uuid) is 'What public.admin_org_members() promises.';
revoke all on function app.admin_org_members(uuid) from public, anon, authenticated, service_role;
grant execute on function app.admin_org_members(uuid) to authenticated;

create or replace function public.admin_org_members(p_org_id uuid)
  returns table (id uuid, user_id uuid, role public.org_role, created_at timestamptz, email text)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.admin_org_members(p_org_id);
end;
comment on function public.admin_org_members(uuid) is
  'Who works in an org, oldest member first, with the e-mail they sign in with; for an admin of the platform. None: '
  'no such org. Raises PT403 platform_admin_required.';
revoke all on function public.admin_org_members(uuid) from public, anon, authenticated, service_role;
grant execute on function public.admin_org_members(uuid) to authenticated;
