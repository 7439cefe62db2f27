create or replace function app.skip_known_member() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The existing sign-up adds the owner itself after the org, and gives up on any error.
  -- Only for who may know: a stranger must not learn from the answer who is a member.
  if (new.user_id = (select auth.uid()) or app.acts_for_org(new.org_id))
     and exists (
       select from public.org_members as m
        where m.org_id = new.org_id and m.user_id = new.user_id and m.role = new.role
     ) then
    return null;
  end if;
  return new;
end;
$$;
comment on function app.skip_known_member() is 'Adding a member who is there already, in the same role, changes nothing.';
revoke all on function app.skip_known_member() from public, anon, authenticated, service_role;

create or replace trigger org_members_skip_known before insert on public.org_members
  for each row execute function app.skip_known_member();
