create or replace function app.carry_out(
  p_run public.automation_runs, p_automation public.automations, p_client_name text, p_facts jsonb, p_timezone text,
  p_now timestamptz
) returns public.automation_runs
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_variables jsonb := app.run_variables(p_client_name, p_facts);
  v_problem text;
begin
  p_run.status := 'ok';
  p_run.reason := null;
  p_run.failed_action := null;
  p_run.next_attempt_at := null;
  p_run.sending_since := null;
  while p_run.actions_left <> '[]' loop
    if p_run.actions_left -> 0 ->> 'type' = 'send_push' then
      if not exists (select from public.push_tokens as t where t.client_id = p_run.client_id) then
        return app.fail_run(p_run, 'the client has no device with the app', false, p_automation.guardrails, p_timezone,
                            p_now);
      end if;
      p_run.status := 'pending';
      p_run.next_attempt_at := p_now;
      return p_run;
    end if;
    begin
      v_problem := app.perform_action(p_run, p_automation.name, p_client_name, v_variables, p_now);
    exception when others then
      return app.fail_run(p_run, format('something went wrong on our side (%s)', sqlstate), true,
                          p_automation.guardrails, p_timezone, p_now);
    end;
    if v_problem is not null then
      return app.fail_run(p_run, v_problem, false, p_automation.guardrails, p_timezone, p_now);
    end if;
    p_run.actions_fired := p_run.actions_fired || jsonb_build_array(p_run.actions_left -> 0);
    p_run.actions_left := p_run.actions_left - 0;
  end loop;
  return p_run;
end;
$$;
comment on function app.carry_out(
  public.automation_runs, public.automations, text, jsonb, text, timestamptz
) is
  'Does the actions that a run has left, in order, up to one that fails (failed) or a push notification, which is the '
  'worker''s to send (pending), else ok. Returns the run as it then is, for the caller to store in this transaction.';
revoke all on function app.carry_out(
  public.automation_runs, public.automations, text, jsonb, text, timestamptz
) from public, anon, authenticated, service_role;
