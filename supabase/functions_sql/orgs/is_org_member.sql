create or replace function app.is_org_member(_org uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (select from app.my_org_ids() as m (org_id) where m.org_id = _org);
$$;
comment on function app.is_org_member(uuid) is 'What public.is_org_member() promises.';
revoke all on function app.is_org_member(uuid) from public, anon, authenticated, service_role;
grant execute on function app.is_org_member(uuid) to authenticated, service_role;

create or replace function public.is_org_member(_org uuid) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_org_member(_org);
end;
comment on function public.is_org_member(uuid) is
  'True when the signed-in user is a member of this org, in any role. False for everybody else, never null.';
revoke all on function public.is_org_member(uuid) from public, anon, authenticated, service_role;
grant execute on function public.is_org_member(uuid) to authenticated, service_role;
