create or replace function app.record_findings(
  p_area text, p_kinds text[], p_org_id uuid, p_subjects text[], p_found jsonb, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.health_findings as h (area, kind, org_id, subject, detail, first_seen_at, last_seen_at)
  select p_area, f.kind, p_org_id, f.subject, coalesce(f.detail, '{}'), p_now, p_now
    from jsonb_to_recordset(p_found) as f (kind text, subject text, detail jsonb)
   -- Two runs at once take them in one order.
   order by f.kind, f.subject
  on conflict (area, kind, org_id, subject) where resolved_at is null do update
     set detail = excluded.detail, last_seen_at = greatest(h.last_seen_at, excluded.last_seen_at);
  update app.health_findings as h
     set resolved_at = greatest(p_now, h.last_seen_at)
    from (
      select o.id
        from app.health_findings as o
       where o.area = p_area and o.kind = any (p_kinds) and o.org_id is not distinct from p_org_id
         and o.resolved_at is null and (p_subjects is null or o.subject = any (p_subjects))
         and not exists (
           select from jsonb_to_recordset(p_found) as f (kind text, subject text)
            where f.kind = o.kind and f.subject = o.subject
         )
       order by o.kind, o.subject
         for update
    ) as gone
   where h.id = gone.id;
end;
$$;
comment on function app.record_findings(text, text[], uuid, text[], jsonb, timestamptz) is
  'Keeps what a check found at p_now (p_found: [{kind, subject, detail}]), of an org or (null) of the platform: a new one '
  'is a row of app.health_findings, one that was open is seen again. What the check looked for (p_kinds, of p_subjects; '
  'null: of all) and did not find is resolved. One that comes back after that is a new row.';
revoke all on function app.record_findings(text, text[], uuid, text[], jsonb, timestamptz)
  from public, anon, authenticated, service_role;
