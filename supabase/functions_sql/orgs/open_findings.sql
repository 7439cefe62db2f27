create or replace function app.open_findings(p_area text default null)
  returns table (
    area text, kind text, org_id uuid, subject text, detail jsonb, first_seen_at timestamptz, last_seen_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select h.area, h.kind, h.org_id, h.subject, h.detail, h.first_seen_at, h.last_seen_at
      from app.health_findings as h
     where h.resolved_at is null and (p_area is null or h.area = p_area)
     order by h.area, h.first_seen_at, h.kind, h.subject;
end;
$$;
comment on function app.open_findings(text) is
  'What checks found wrong and still holds, in an area (null: everywhere), oldest first.';
revoke all on function app.open_findings(text) from public, anon, authenticated, service_role;
grant execute on function app.open_findings(text) to coach_os_sidecar, coach_os_worker;
