create or replace function app.org_role(_org uuid) returns public.org_role
  language sql stable security definer set search_path = ''
as $$
  select m.role from public.org_members as m where m.org_id = _org and m.user_id = (select auth.uid());
$$;
comment on function app.org_role(uuid) is 'What public.org_role() promises.';
revoke all on function app.org_role(uuid) from public, anon, authenticated, service_role;
grant execute on function app.org_role(uuid) to authenticated, service_role;

create or replace function public.org_role(_org uuid) returns public.org_role
  language sql stable security invoker set search_path = ''
begin atomic
  select app.org_role(_org);
end;
comment on function public.org_role(uuid) is 'The signed-in user''s role in this org; null when they are no member.';
revoke all on function public.org_role(uuid) from public, anon, authenticated, service_role;
grant execute on function public.org_role(uuid) to authenticated, service_role;
