create or replace function app.org_for_visitor(p_org_id uuid) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('name', o.name, 'timezone', o.timezone, 'display_name', b.display_name,
                            'primary_color', b.primary_color, 'logo_url', b.logo_url)
    from public.orgs as o
    left join public.branding as b on b.org_id = o.id
   where o.id = p_org_id;
$$;
comment on function app.org_for_visitor(uuid) is 'What anybody may know of an org: its name, zone and looks.';
revoke all on function app.org_for_visitor(uuid) from public, anon, authenticated, service_role;
