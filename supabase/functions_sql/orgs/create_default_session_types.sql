create or replace function app.create_default_session_types(p_org_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- An org of somebody else looks like one that does not exist.
  if app.acts_for_org(p_org_id) is not true or not exists (select from public.orgs as o where o.id = p_org_id) then
    raise exception using errcode = 'PT404', message = 'org_not_found',
      hint = 'Name a business whose owner or staff you are.';
  end if;
  perform app.add_default_session_types(p_org_id);
end;
$$;
comment on function app.create_default_session_types(uuid) is 'What public.create_default_session_types() promises.';
revoke all on function app.create_default_session_types(uuid) from public, anon, authenticated, service_role;
grant execute on function app.create_default_session_types(uuid) to authenticated, service_role;

create or replace function public.create_default_session_types(p_org_id uuid) returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.create_default_session_types(p_org_id);
end;
comment on function public.create_default_session_types(uuid) is
  'Gives an org the session types it was born with, as far as they are missing; those that are there stay as they '
  'are. For its owner and staff. Raises PT404 org_not_found.';
revoke all on function public.create_default_session_types(uuid) from public, anon, authenticated, service_role;
grant execute on function public.create_default_session_types(uuid) to authenticated, service_role;
