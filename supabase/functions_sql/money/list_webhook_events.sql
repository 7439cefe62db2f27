create or replace function app.list_webhook_events(p_status text, p_limit integer)
  returns table (
    id uuid, event_id text, event_type text, org_id uuid, status text, reason text, attempts integer,
    received_at timestamptz, next_attempt_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select e.id, e.event_id, e.event_type, e.org_id, e.status, e.reason, e.attempts, e.received_at, e.next_attempt_at
      from app.webhook_events as e
     where case when p_status is null then e.status in ('failed', 'unmatched') else e.status = p_status end
     order by e.received_at, e.id
     limit p_limit;
end;
$$;
comment on function app.list_webhook_events(text, integer) is
  'Kept events of a status, oldest first; null: those that were not applied (failed, unmatched). No payloads.';
revoke all on function app.list_webhook_events(text, integer) from public, anon, authenticated, service_role;
grant execute on function app.list_webhook_events(text, integer) to coach_os_sidecar, coach_os_worker;
