create or replace function app.simulate_automations(p_org uuid, p_from timestamptz, p_to timestamptz)
  returns table (
    due_at timestamptz, fires_at timestamptz, automation_id uuid, automation_name text, client_id uuid, client_name text,
    status text, reason text, actions jsonb
  )
  language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := p_from;
  v_found jsonb;
  v_ids bigint[];
  v_runs uuid[];
  v_run_id uuid;
begin
  if not app.acts_for_org(p_org) or not exists (select from public.orgs as o where o.id = p_org) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose one of your businesses.';
  elsif p_from is null or p_to is null or p_to < p_from or p_to > p_from + interval '31 days' then
    raise exception using errcode = 'PT400', message = 'period_invalid',
      hint = 'The period ends after it begins, 31 days later at most.';
  end if;

  -- What would be done is done, by the functions that do it, told what time it is; then all of it is undone.
  begin
    perform from public.orgs as o where o.id = p_org for key share;
    perform from public.automations as a where a.org_id = p_org order by a.id for no key update;
    -- As if it had been done in time until p_from; what is overdue now comes first.
    delete from public.automation_runs as r where r.org_id = p_org and r.fired_at >= p_from;
    update public.automations as a
       set next_due_at = app.next_due(app.schedule_of(a.trigger), o.timezone, p_from - interval '1 microsecond',
                                      o.automation_hour)
      from public.orgs as o
     where a.org_id = p_org and o.id = a.org_id and a.next_due_at is not null
       and not (a.next_due_at <= p_from and p_from <= now());

    while v_now < p_to loop
      if (select d.scored_on from app.risk_days as d where d.org_id = p_org) < (v_now at time zone 'UTC')::date then
        perform app.score_risk(array[p_org], v_now);
        update app.risk_days as d set scored_on = (v_now at time zone 'UTC')::date where d.org_id = p_org;
      end if;
      loop
        perform app.open_automation_slots(array(
          select a.id
            from public.automations as a
           where a.org_id = p_org and a.next_due_at <= v_now
             and not exists (
               select from app.automation_slots as s where s.automation_id = a.id and s.client_id is null
             )
        ), v_now);
        v_ids := array(
          select s.id
            from public.automations as a
            join app.automation_slots as s on s.automation_id = a.id
           where a.org_id = p_org and s.run_at <= v_now
           order by s.run_at, s.id
        );
        exit when v_ids = '{}';
        perform app.run_slots(v_ids, v_now, 1000);
      end loop;
      loop
        v_runs := array(
          select r.id
            from public.automation_runs as r
           where r.org_id = p_org and r.next_attempt_at <= v_now
           order by r.next_attempt_at, r.id
        );
        exit when v_runs = '{}';
        -- A push notification is taken to arrive: whether it does, nobody knows beforehand.
        update public.automation_runs as r set sending_since = v_now where r.id = any (v_runs) and r.status = 'pending';
        foreach v_run_id in array v_runs loop
          perform app.settle_automation_push(v_run_id, 'sent', null, v_now);
        end loop;
        perform app.retry_runs(array(
          select r.id from public.automation_runs as r
           where r.id = any (v_runs) and r.status = 'failed' and r.next_attempt_at <= v_now
        ), v_now);
      end loop;

      select min(n.at) into v_now
        from (
          select a.next_due_at from public.automations as a where a.org_id = p_org
          union all
          select s.run_at
            from public.automations as a
            join app.automation_slots as s on s.automation_id = a.id
           where a.org_id = p_org
          union all
          select r.next_attempt_at
            from public.automation_runs as r
           where r.org_id = p_org and r.next_attempt_at is not null
          union all
          select ((v_now at time zone 'UTC')::date + 1)::timestamp at time zone 'UTC'
        ) as n (at)
       where n.at > v_now;
    end loop;

    select jsonb_agg(jsonb_build_object(
             'due_at', r.due_at, 'fires_at', r.fired_at, 'automation_id', r.automation_id, 'automation_name', a.name,
             'client_id', r.client_id, 'client_name', c.full_name, 'status', r.status, 'reason', r.reason,
             'actions', r.actions_fired
           ) order by r.fired_at, r.due_at, a.name, a.id, c.full_name, c.id)
      into v_found
      from public.automation_runs as r
      join public.automations as a on a.id = r.automation_id
      join public.clients as c on c.id = r.client_id
     where r.org_id = p_org and r.fired_at >= p_from;
    raise exception using errcode = 'CO000';
  exception when sqlstate 'CO000' then
    null;
  end;
  return query
    select f.due_at, f.fires_at, f.automation_id, f.automation_name, f.client_id, f.client_name, f.status, f.reason,
           f.actions
      from jsonb_to_recordset(coalesce(v_found, '[]')) as f (
        due_at timestamptz, fires_at timestamptz, automation_id uuid, automation_name text, client_id uuid,
        client_name text, status text, reason text, actions jsonb
      );
end;
$$;
comment on function app.simulate_automations(uuid, timestamptz, timestamptz) is
  'What the automations of an org would do from p_from until before p_to, 31 days at most, and what they would not and why '
  '(status skipped), oldest first: a row as automation_runs would have it, for each client. By the functions that the '
  'worker calls, told what time it is; afterwards all of it is undone. What nobody can know is taken to go well or not '
  'to happen: push notifications arrive, no payment fails, nobody records anything. Overdue now is what p_from, where it '
  'is not in the future, finds overdue; else all was done in time until then. Errors: PT404 org_not_found, also to who is '
  'not of its staff; PT400 period_invalid.';
revoke all on function app.simulate_automations(uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.simulate_automations(uuid, timestamptz, timestamptz)
  to authenticated, service_role, coach_os_sidecar, coach_os_worker;

create or replace function public.simulate_automations(p_org_id uuid, p_from timestamptz, p_to timestamptz)
  returns table (
    due_at timestamptz, fires_at timestamptz, automation_id uuid, automation_name text, client_id uuid, client_name text,
    status text, reason text, actions jsonb
  )
  language sql volatile security invoker set search_path = ''
begin atomic
  select s.due_at, s.fires_at, s.automation_id, s.automation_name, s.client_id, s.client_name, s.status, s.reason,
         s.actions
    from app.simulate_automations(p_org_id, p_from, p_to) as s;
end;
comment on function public.simulate_automations(uuid, timestamptz, timestamptz) is
  'A dry run for owner and staff: what the org''s automations would do from p_from until before p_to, 31 days at most, for '
  'whom, and what would be held back and why (status skipped, reason), oldest first. Nothing is sent and nothing '
  'changes. Errors: PT404 org_not_found, also to anybody else; PT400 period_invalid.';
revoke all on function public.simulate_automations(uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.simulate_automations(uuid, timestamptz, timestamptz) to authenticated, service_role;
