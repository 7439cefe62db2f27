create or replace function app.add_default_session_types(p_org_id uuid) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.session_types (org_id, name, slug, duration_mins, color, sort_order)
  values (p_org_id, 'Session', 'pt_session', 60, '#3B82F6', 0),
         (p_org_id, 'Short session', 'short_session', 30, '#10B981', 1),
         (p_org_id, 'Consultation', 'consultation', 30, '#8B5CF6', 2)
  on conflict (org_id, slug) do nothing;
$$;
comment on function app.add_default_session_types(uuid) is
  'The session types an org starts with; one whose slug is there already stays as it is. Asks nobody whether they may.';
revoke all on function app.add_default_session_types(uuid) from public, anon, authenticated, service_role;
