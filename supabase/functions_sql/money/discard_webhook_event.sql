create or replace function app.discard_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row app.webhook_events;
begin
  select e.* into v_row from app.webhook_events as e where e.id = p_id for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'No event that was kept has this id.';
  end if;
  if v_row.status not in ('failed', 'unmatched') then
    return v_row.status;
  end if;
  update app.webhook_events as e
     set status = 'discarded', processed_at = p_now, next_attempt_at = null
   where e.id = p_id;
  return 'discarded';
end;
$$;
comment on function app.discard_webhook_event(uuid, timestamptz) is
  'An event that cannot or must not be applied (failed, unmatched) is let lie: kept, with its reason, and tried no more, '
  'also when Stripe delivers it again. Any other stays as it is. Returns its status. Raises PT404 '
  'webhook_event_not_found.';
revoke all on function app.discard_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.discard_webhook_event(uuid, timestamptz) to coach_os_sidecar, coach_os_worker;
