create or replace function app.replay_webhook_event(p_id uuid, p_now timestamptz) returns text
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
  if v_row.status = 'applied' or v_row.reason = 'livemode_mismatch' then
    return v_row.status;
  end if;
  return app.apply_webhook_event(v_row, p_now);
end;
$$;
comment on function app.replay_webhook_event(uuid, timestamptz) is
  'Applies a kept event now, also one that is not tried again by itself any more, was ignored or discarded. One that is '
  'applied, or of the other mode, stays as it is. Returns its status. Raises PT404 webhook_event_not_found.';
revoke all on function app.replay_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.replay_webhook_event(uuid, timestamptz) to coach_os_sidecar, coach_os_worker;
