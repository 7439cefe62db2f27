-- Set-based on purpose: `org_id = any (array(select app.my_org_ids()))` runs once per query and uses the index.
-- In plpgsql, like all that policies call: it plans its query once per session, a function in SQL once per use, which
-- took longer than reading a week of bookings (`./just bench row_security`).
create or replace function app.my_org_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select m.org_id from public.org_members as m where m.user_id = (select auth.uid());
end;
$$;
comment on function app.my_org_ids() is 'Orgs the signed-in user is a member of, in any role: whose money they may read.';
revoke all on function app.my_org_ids() from public, anon, authenticated, service_role;
-- service_role has no org of its own, but reads a view that asks: org_earnings.
grant execute on function app.my_org_ids() to authenticated, service_role;
