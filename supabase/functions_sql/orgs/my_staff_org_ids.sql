create or replace function app.my_staff_org_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select m.org_id
      from public.org_members as m
     where m.user_id = (select auth.uid()) and m.role in ('owner', 'staff');
end;
$$;
comment on function app.my_staff_org_ids() is
  'Orgs whose rows the signed-in user may read and change: owner or staff there.';
revoke all on function app.my_staff_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_staff_org_ids() to authenticated;
