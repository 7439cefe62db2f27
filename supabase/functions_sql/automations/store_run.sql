create or replace function app.store_run(p_run public.automation_runs) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.automation_runs as r
     set status = p_run.status, reason = p_run.reason, fired_at = p_run.fired_at, attempts = p_run.attempts,
         next_attempt_at = p_run.next_attempt_at, sending_since = p_run.sending_since,
         failed_action = p_run.failed_action, actions_fired = p_run.actions_fired, actions_left = p_run.actions_left
   where r.id = p_run.id;
end;
$$;
comment on function app.store_run(public.automation_runs) is
  'Writes what became of a run that is there already; its caller holds the row''s lock.';
revoke all on function app.store_run(public.automation_runs) from public, anon, authenticated, service_role;
