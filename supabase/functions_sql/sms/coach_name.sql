create or replace function app.coach_name(p_org_id uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (select nullif(btrim(b.display_name), '') from public.branding as b where b.org_id = p_org_id),
    (select o.name from public.orgs as o where o.id = p_org_id)
  );
end;
$$;
comment on function app.coach_name(uuid) is
  'How an org signs its texts: the name of its branding, else its own.';
revoke all on function app.coach_name(uuid) from public, anon, authenticated, service_role;
