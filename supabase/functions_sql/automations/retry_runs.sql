create or replace function app.retry_runs(p_run_ids uuid[], p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_run public.automation_runs;
  v_automation public.automations;
  v_timezone text;
  v_at timestamptz;
  v_client record;
  v_tried integer := 0;
begin
  for v_run in
    select r.* from public.automation_runs as r where r.id = any (p_run_ids) order by r.next_attempt_at, r.id
  loop
    v_tried := v_tried + 1;
    select a.* into strict v_automation from public.automations as a where a.id = v_run.automation_id;
    select o.timezone into strict v_timezone from public.orgs as o where o.id = v_run.org_id;
    v_at := app.next_send_time(p_now, v_timezone, (v_automation.guardrails ->> 'quiet_hours_start')::integer,
                               (v_automation.guardrails ->> 'quiet_hours_end')::integer);
    select f.* into v_client
      from app.client_facts(v_run.org_id, v_run.client_id, null, v_timezone, p_now, 1) as f;
    if v_automation.enabled and v_at > p_now then
      v_run.next_attempt_at := v_at;
    elsif v_automation.enabled and v_client.client_id is not null
          and app.automation_applies(v_automation, v_client.facts) then
      v_run.attempts := v_run.attempts + 1;
      v_run.fired_at := p_now;
      v_run := app.carry_out(v_run, v_automation, v_client.full_name, v_client.facts, v_timezone, p_now);
    else
      v_run.next_attempt_at := null;
      -- What took effect before it failed did; then it stays failed.
      if v_run.actions_fired = '[]' then
        v_run.status := 'skipped';
        v_run.reason := case when v_automation.enabled then 'No longer applies' else 'Switched off' end;
        v_run.failed_action := null;
      end if;
    end if;
    perform app.store_run(v_run);
  end loop;
  return v_tried;
end;
$$;
comment on function app.retry_runs(uuid[], timestamptz) is
  'Tries these failed runs again, locked by the caller, from the action that failed on: after quiet hours, and not where the '
  'automation was switched off or it is no longer for this client (skipped). Returns how many.';
revoke all on function app.retry_runs(uuid[], timestamptz) from public, anon, authenticated, service_role;
