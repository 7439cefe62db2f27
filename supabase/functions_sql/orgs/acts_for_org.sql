create or replace function app.acts_for_org(p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  -- A definer function keeps the caller's `role` setting: an API request shows its role there, a connection of the
  -- worker or the sidecar shows none.
  return current_setting('role') in ('none', 'service_role', 'postgres', 'coach_os_worker', 'coach_os_sidecar')
      or exists (select from public.org_members as m
                  where m.org_id = p_org_id and m.user_id = auth.uid() and m.role in ('owner', 'staff'));
end;
$$;
comment on function app.acts_for_org(uuid) is
  'True when the caller may change rows of this org: the system, or a signed-in owner or staff member of it.';
revoke all on function app.acts_for_org(uuid) from public, anon, authenticated, service_role;
