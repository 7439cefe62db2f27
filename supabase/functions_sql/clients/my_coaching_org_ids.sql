create or replace function app.my_coaching_org_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select c.org_id from public.clients as c where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_coaching_org_ids() is 'The orgs that coach the signed-in user: a client may see what they offer, and when.';
revoke all on function app.my_coaching_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_coaching_org_ids() to authenticated;
