create or replace function app.run_slot(p_slot_id bigint, p_now timestamptz, p_limit integer) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_slot app.automation_slots;
  v_automation public.automations;
  v_timezone text;
  v_hour integer;
  v_event text;
  v_run_at timestamptz;
  v_client record;
  v_run public.automation_runs;
  v_problem text;
  v_looked_at integer := 0;
begin
  select s.* into strict v_slot from app.automation_slots as s where s.id = p_slot_id;
  select a.* into strict v_automation from public.automations as a where a.id = v_slot.automation_id;
  select o.timezone, o.automation_hour into strict v_timezone, v_hour
    from public.orgs as o where o.id = v_automation.org_id;
  v_event := v_automation.trigger ->> 'event';
  if not v_automation.enabled then
    delete from app.automation_slots as s where s.id = v_slot.id;
    return 1;
  end if;
  if v_event is not null then
    -- What happened at night is told in the morning; what was scheduled for the night is skipped.
    v_run_at := app.next_send_time(p_now, v_timezone, (v_automation.guardrails ->> 'quiet_hours_start')::integer,
                                   (v_automation.guardrails ->> 'quiet_hours_end')::integer);
    if v_run_at > p_now then
      update app.automation_slots as s set run_at = v_run_at where s.id = v_slot.id;
      return 1;
    end if;
  end if;
  if v_slot.client_id is null and v_slot.last_client_id is null and v_automation.next_due_at <= p_now then
    -- It waited so long that it is due again: this makes up for that, too.
    update public.automations as a
       set next_due_at = app.next_due(app.schedule_of(a.trigger), v_timezone, p_now, v_hour)
     where a.id = v_automation.id;
  end if;

  for v_client in
    select f.*
      from app.client_facts(v_automation.org_id, v_slot.client_id, v_slot.last_client_id, v_timezone, p_now, p_limit) as f
  loop
    v_looked_at := v_looked_at + 1;
    v_slot.last_client_id := v_client.client_id;
    continue when not app.automation_applies(v_automation, v_client.facts);
    v_run := null;
    v_run.event := case v_event
      -- Once for each time that they stop: what they did last names it.
      when 'inactivity' then 'inactivity:' || to_char(v_client.active_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.USZ')
      else v_slot.event
    end;
    -- The keys of the table say the same; here it is looked at before anything is done.
    continue when exists (
      select
        from public.automation_runs as r
       where r.automation_id = v_automation.id and r.client_id = v_client.client_id
         and case when v_run.event is null then r.event is null and r.due_at = v_slot.due_at
                  else r.event = v_run.event and (r.status <> 'skipped' or r.due_at = v_slot.due_at) end
    );
    v_run.id := gen_random_uuid();
    v_run.org_id := v_automation.org_id;
    v_run.automation_id := v_automation.id;
    v_run.client_id := v_client.client_id;
    v_run.fired_at := p_now;
    v_run.due_at := v_slot.due_at;
    v_run.attempts := 1;
    v_run.actions_fired := '[]';
    v_problem := app.guardrail_problem(v_automation.id, v_client.client_id, v_automation.guardrails, v_timezone, p_now);
    if v_problem is null then
      v_run.actions_left := v_automation.actions;
      v_run := app.carry_out(v_run, v_automation, v_client.full_name, v_client.facts, v_timezone, p_now);
    else
      v_run.status := 'skipped';
      v_run.reason := v_problem;
      v_run.actions_left := '[]';
    end if;
    insert into public.automation_runs as r (
      id, org_id, automation_id, client_id, due_at, event, fired_at, status, reason, attempts, next_attempt_at,
      failed_action, actions_fired, actions_left
    )
    values (
      v_run.id, v_run.org_id, v_run.automation_id, v_run.client_id, v_run.due_at, v_run.event, v_run.fired_at, v_run.status,
      v_run.reason, v_run.attempts, v_run.next_attempt_at, v_run.failed_action, v_run.actions_fired, v_run.actions_left
    );
  end loop;

  if v_slot.client_id is not null or v_looked_at < p_limit or not exists (
    select from public.clients as c
     where c.org_id = v_automation.org_id and c.status = 'active' and c.id > v_slot.last_client_id
  ) then
    delete from app.automation_slots as s where s.id = v_slot.id;
  else
    update app.automation_slots as s set last_client_id = v_slot.last_client_id where s.id = v_slot.id;
  end if;
  return greatest(v_looked_at, 1);
end;
$$;
comment on function app.run_slot(bigint, timestamptz, integer) is
  'Does what is due: for the client of the slot, or for the next p_limit clients of the org, those whom it is for '
  '(app.automation_applies()), one run each: skipped when a guardrail says so, else carried out. A slot with clients left '
  'stays. Its caller holds the slot''s and the automation''s lock. Returns '
  'how many clients it looked at, at least 1.';
revoke all on function app.run_slot(bigint, timestamptz, integer) from public, anon, authenticated, service_role;
