create or replace function app.fail_run(
  p_run public.automation_runs, p_problem text, p_again boolean, p_guardrails jsonb, p_timezone text, p_now timestamptz
) returns public.automation_runs
  language plpgsql stable security definer set search_path = ''
as $$
begin
  p_run.status := 'failed';
  p_run.failed_action := p_run.actions_left -> 0 ->> 'type';
  p_run.reason := coalesce(case p_run.failed_action
    when 'send_message' then 'Message' when 'send_sms' then 'Text' when 'send_push' then 'Push notification'
    when 'notify_trainer' then 'Note to you' when 'tag_client' then 'Tag'
  end, 'Action') || ': ' || p_problem || '.';
  p_run.sending_since := null;
  p_run.next_attempt_at := case when p_again and p_run.attempts < 5 then app.next_send_time(
    p_now + interval '1 minute' * 4 ^ greatest(p_run.attempts - 1, 0), p_timezone,
    (p_guardrails ->> 'quiet_hours_start')::integer, (p_guardrails ->> 'quiet_hours_end')::integer
  ) end;
  return p_run;
end;
$$;
comment on function app.fail_run(public.automation_runs, text, boolean, jsonb, text, timestamptz) is
  'The run with its next action failed: p_problem says why, as a sentence without its full stop. p_again: it may work '
  'another time, so it is tried again by itself, after 1, 4, 16 and 64 minutes and outside quiet hours, then no more. '
  'Else, somebody has to do something first, and it is final at once.';
revoke all on function app.fail_run(public.automation_runs, text, boolean, jsonb, text, timestamptz)
  from public, anon, authenticated, service_role;
