create or replace function app.claim_automation_pushes(p_now timestamptz default now(), p_limit integer default 50)
  returns table (run_id uuid, tokens text[], title text, body text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_run public.automation_runs;
  v_automation public.automations;
  v_timezone text;
  v_client record;
  v_at timestamptz;
  v_variables jsonb;
  v_found boolean;
  v_handed_out boolean;
begin
  -- What only waits or is failed does not end the search.
  loop
    v_found := false;
    v_handed_out := false;
    for v_run in
      select r.*
        from public.automation_runs as r
       where r.next_attempt_at <= p_now and r.status = 'pending'
       order by r.next_attempt_at, r.id
       limit p_limit
         for no key update skip locked
    loop
      v_found := true;
      select a.* into strict v_automation from public.automations as a where a.id = v_run.automation_id;
      select o.timezone into strict v_timezone from public.orgs as o where o.id = v_run.org_id;
      if v_run.sending_since is not null then
        -- Handed out long ago and never settled: its sender died, perhaps after it was sent.
        perform app.store_run(app.fail_run(v_run, 'it is not known whether it was sent', false, v_automation.guardrails,
                                           v_timezone, p_now));
        continue;
      end if;
      v_at := app.next_send_time(p_now, v_timezone, (v_automation.guardrails ->> 'quiet_hours_start')::integer,
                                 (v_automation.guardrails ->> 'quiet_hours_end')::integer);
      select c.id, c.full_name, f.facts into v_client
        from public.clients as c
        left join app.client_facts(v_run.org_id, v_run.client_id, null, v_timezone, p_now, 1) as f on true
       where c.id = v_run.client_id;
      tokens := array(select t.expo_token from public.push_tokens as t where t.client_id = v_run.client_id order by t.id);
      if v_at > p_now then
        v_run.next_attempt_at := v_at;
      elsif tokens = '{}' then
        v_run := app.fail_run(v_run, 'the client has no device with the app', false, v_automation.guardrails, v_timezone,
                              p_now);
      else
        v_variables := app.run_variables(v_client.full_name, v_client.facts);
        run_id := v_run.id;
        title := app.render_sms_template(v_run.actions_left -> 0 -> 'params' ->> 'title', v_variables);
        body := app.render_sms_template(v_run.actions_left -> 0 -> 'params' ->> 'body', v_variables);
        v_run.sending_since := p_now;
        v_run.next_attempt_at := p_now + interval '5 minutes';
        return next;
        v_handed_out := true;
      end if;
      perform app.store_run(v_run);
    end loop;
    exit when v_handed_out or not v_found;
  end loop;
end;
$$;
comment on function app.claim_automation_pushes(timestamptz, integer) is
  'Hands out up to p_limit push notifications of automations, each to one caller, who has five minutes to say what became '
  'of it (app.settle_automation_push()). What was handed out and not settled is failed, not sent again: it may have '
  'arrived. tokens: the client''s devices. An empty answer means that none is left to send now.';
revoke all on function app.claim_automation_pushes(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.claim_automation_pushes(timestamptz, integer) to coach_os_worker;
