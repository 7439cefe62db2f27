create or replace function app.settle_automation_push(
  p_run_id uuid, p_outcome text, p_cause text default null, p_now timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_run public.automation_runs;
  v_automation public.automations;
  v_timezone text;
  v_client record;
begin
  if p_outcome is null or p_outcome not in ('sent', 'failed', 'retry', 'unknown') then
    raise exception using errcode = 'PT400', message = 'outcome_invalid';
  end if;
  select r.* into v_run
    from public.automation_runs as r
   where r.id = p_run_id and r.sending_since is not null
     for no key update;
  if not found then
    return null;
  end if;
  select a.* into strict v_automation from public.automations as a where a.id = v_run.automation_id;
  select o.timezone into strict v_timezone from public.orgs as o where o.id = v_run.org_id;
  if p_outcome = 'sent' then
    v_run.actions_fired := v_run.actions_fired || jsonb_build_array(v_run.actions_left -> 0);
    v_run.actions_left := v_run.actions_left - 0;
    select c.full_name, f.facts into strict v_client
      from public.clients as c
      left join app.client_facts(v_run.org_id, v_run.client_id, null, v_timezone, p_now, 1) as f on true
     where c.id = v_run.client_id;
    v_run := app.carry_out(v_run, v_automation, v_client.full_name, v_client.facts, v_timezone, p_now);
  else
    v_run := app.fail_run(
      v_run,
      coalesce(nullif(btrim(p_cause), ''),
               case p_outcome when 'unknown' then 'it is not known whether it was sent' else 'it was refused' end),
      p_outcome = 'retry', v_automation.guardrails, v_timezone, p_now
    );
  end if;
  perform app.store_run(v_run);
  return v_run.status;
end;
$$;
comment on function app.settle_automation_push(uuid, text, text, timestamptz) is
  'Records what became of a push notification that was handed out: sent, and the run goes on with its next action; failed '
  '(final), retry (tried again later), unknown (may have arrived; not sent again). p_cause: why, as a sentence for a coach, '
  'without its full stop and without anybody''s data. Returns the run''s status; null: it was not being sent.';
revoke all on function app.settle_automation_push(uuid, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_automation_push(uuid, text, text, timestamptz) to coach_os_worker;
