create or replace function app.acts_as_client(p_org_id uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  -- The portal's routes come with the service key and act for whoever holds the portal link.
  select current_setting('role') in ('anon', 'service_role')
      or (current_setting('role') = 'authenticated' and p_org_id <> all (array(select app.my_staff_org_ids())));
$$;
comment on function app.acts_as_client(uuid) is
  'True when the caller may be acting for a client of this org: a visitor, a signed-in user who is not its staff, or a '
  'service key. The org''s own staff, the worker and the operator are not.';
revoke all on function app.acts_as_client(uuid) from public, anon, authenticated, service_role;
