create or replace function app.actor_role(p_org_id uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  -- A definer function, a trigger and a foreign key's own action all keep the caller's `role` setting; `none` is a
  -- connection that never set one, known by whom it logged in as.
  v_role text := coalesce(nullif(current_setting('role'), 'none'), session_user);
  v_user_id uuid := auth.uid();
begin
  if not exists (select from public.orgs as o where o.id = p_org_id) then
    return null;
  end if;
  if v_role = 'authenticated' then
    return coalesce(
      (select m.role::text from public.org_members as m where m.org_id = p_org_id and m.user_id = v_user_id),
      (select 'platform_admin' from public.platform_admins as a where a.user_id = v_user_id and a.role = 'admin'),
      (select 'client' from public.clients as c where c.auth_user_id = v_user_id and c.org_id = p_org_id limit 1),
      'visitor'
    );
  end if;
  return case v_role
    when 'anon' then 'visitor'
    when 'service_role' then 'service_role'
    when 'coach_os_worker' then 'worker'
    when 'coach_os_sidecar' then 'sidecar'
    else 'system'
  end;
end;
$$;
comment on function app.actor_role(uuid) is
  'What the caller is to an org: owner, staff or accountant_readonly as its member; platform_admin; client; visitor '
  '(anyone else, signed in or not); service_role, worker, sidecar; system: any other login to the database, such as an '
  'operator''s, a migration''s or Supabase Auth''s. Null when there is no such org.';
revoke all on function app.actor_role(uuid) from public, anon, authenticated, service_role;
