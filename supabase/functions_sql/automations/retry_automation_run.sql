create or replace function app.retry_automation_run(p_run_id uuid, p_now timestamptz) returns timestamptz
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_run public.automation_runs;
  v_automation public.automations;
  v_timezone text;
begin
  select r.* into v_run
    from public.automation_runs as r
   where r.id = p_run_id and app.acts_for_org(r.org_id)
     for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'automation_run_not_found',
      hint = 'Choose one of your automation_runs.';
  end if;
  select a.* into strict v_automation from public.automations as a where a.id = v_run.automation_id;
  select o.timezone into strict v_timezone from public.orgs as o where o.id = v_run.org_id;
  -- Without actions left: failed before there were any kept, so nobody knows what it had done.
  if v_run.status <> 'failed' or v_run.actions_left = '[]' then
    raise exception using errcode = 'PT409', message = 'run_not_failed',
      hint = 'Only what failed can be tried again.';
  elsif not v_automation.enabled then
    raise exception using errcode = 'PT409', message = 'automation_disabled',
      hint = 'Switch the automation on first.';
  end if;
  update public.automation_runs as r
     set next_attempt_at = app.next_send_time(p_now, v_timezone, (v_automation.guardrails ->> 'quiet_hours_start')::integer,
                                              (v_automation.guardrails ->> 'quiet_hours_end')::integer)
   where r.id = v_run.id
  returning r.next_attempt_at into v_run.next_attempt_at;
  return v_run.next_attempt_at;
end;
$$;
comment on function app.retry_automation_run(uuid, timestamptz) is 'What public.retry_automation_run() promises.';
revoke all on function app.retry_automation_run(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.retry_automation_run(uuid, timestamptz) to authenticated, service_role;

create or replace function public.retry_automation_run(p_run_id uuid) returns timestamptz
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.retry_automation_run(p_run_id, now());
end;
comment on function public.retry_automation_run(uuid) is
  'Has a failed run of an automation tried once more, from the action that failed on, by the worker''s next tick or, in '
  'quiet hours, when they end: the answer is when. What became of it is then in automation_runs. Safe to repeat. For '
  'owner and staff. Errors: PT404 automation_run_not_found, also to anybody else; PT409 run_not_failed, '
  'automation_disabled.';
revoke all on function public.retry_automation_run(uuid) from public, anon, authenticated, service_role;
grant execute on function public.retry_automation_run(uuid) to authenticated, service_role;
