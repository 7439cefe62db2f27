create or replace function app.guardrail_problem(
  p_automation_id uuid, p_client_id uuid, p_guardrails jsonb, p_timezone text, p_now timestamptz
) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone p_timezone;
  v_dedupe_hours integer := coalesce((p_guardrails ->> 'dedupe_hours')::integer, 0);
  v_max_a_day integer := p_guardrails ->> 'max_per_client_per_day';
  v_max_a_week integer := p_guardrails ->> 'max_per_client_per_week';
  v_day timestamptz;
  v_week timestamptz;
  v_last timestamptz;
  v_in_day bigint;
  v_in_week bigint;
begin
  if app.is_quiet_time(p_now, p_timezone, (p_guardrails ->> 'quiet_hours_start')::integer,
                       (p_guardrails ->> 'quiet_hours_end')::integer) then
    return 'Quiet hours';
  elsif v_dedupe_hours = 0 and v_max_a_day is null and v_max_a_week is null then
    return null;
  end if;
  v_day := app.day_start(v_today, p_timezone);
  v_week := app.day_start(v_today - 6, p_timezone);
  -- What reached the client, or still may. In the future is what was done before the clock was set back.
  select max(r.fired_at), count(*) filter (where r.fired_at >= v_day), count(*) filter (where r.fired_at >= v_week)
    into v_last, v_in_day, v_in_week
    from public.automation_runs as r
   where r.automation_id = p_automation_id and r.client_id = p_client_id
     and r.fired_at >= least(v_week, p_now - make_interval(hours => v_dedupe_hours))
     and (r.status in ('ok', 'pending')
          or (r.status = 'failed' and (r.next_attempt_at is not null or r.actions_fired <> '[]')));
  return case
    when v_last > p_now - make_interval(hours => v_dedupe_hours) then format('Already fired within %sh', v_dedupe_hours)
    when v_in_day >= v_max_a_day then 'Daily limit reached'
    when v_in_week >= v_max_a_week then 'Weekly limit reached'
  end;
end;
$$;
comment on function app.guardrail_problem(uuid, uuid, jsonb, text, timestamptz) is
  'Why an automation may not fire for a client at p_now, as the existing screens word it; null: it may. Counted are its '
  'runs for this client that took effect, also in part, or still may. A day is the org''s, a week its last seven days, '
  'today among them. Its caller holds the automation''s lock, so that two runs do not both find room for one.';
revoke all on function app.guardrail_problem(uuid, uuid, jsonb, text, timestamptz)
  from public, anon, authenticated, service_role;
