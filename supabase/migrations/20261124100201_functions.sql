-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/automations/automation_applies.sql
create or replace function app.automation_applies(p_automation public.automations, p_facts jsonb) returns boolean
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return app.conditions_hold(p_automation.conditions, p_facts)
     and case p_automation.trigger ->> 'event'
           when 'risk_red' then coalesce(p_facts ->> 'risk_tier' = 'red', false)
           when 'inactivity' then p_automation.conditions @> '[{"field": "days_since_activity"}]'
                                  or (p_facts ->> 'days_since_activity')::integer >= 7
           else true
         end;
end;
$$;
comment on function app.automation_applies(public.automations, jsonb) is
  'True when an automation is for a client with these app.client_facts(): all its conditions hold, and what its event '
  'says is still so. inactivity without a condition on days_since_activity is a week.';
revoke all on function app.automation_applies(public.automations, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/automation_applies.sql

-- >>> functions_sql/automations/begin_risk_days.sql
create or replace function app.begin_risk_days() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.risk_days (org_id) values (new.id);
  return null;
end;
$$;
comment on function app.begin_risk_days() is 'The clients of a new org are scored from its first day on (app.score_due_risk).';
revoke all on function app.begin_risk_days() from public, anon, authenticated, service_role;

create or replace trigger orgs_begin_risk_days after insert on public.orgs
  for each row execute function app.begin_risk_days();
-- <<< functions_sql/automations/begin_risk_days.sql

-- >>> functions_sql/automations/carry_out.sql
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
-- <<< functions_sql/automations/carry_out.sql

-- >>> functions_sql/automations/check_actions.sql
create or replace function app.check_actions(p_actions jsonb) returns void
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_action jsonb;
  v_number integer := 0;
  v_type text;
  v_longest integer;
  v_text text;
  v_problem text;
begin
  if jsonb_typeof(p_actions) <> 'array' then
    return;  -- the table's constraint says so
  end if;
  if jsonb_array_length(p_actions) > 10 then
    raise exception using errcode = 'PT400', message = 'actions_invalid', hint = 'An automation has at most 10 actions.';
  end if;
  for v_action in select e from jsonb_array_elements(p_actions) as e loop
    v_number := v_number + 1;
    v_type := v_action ->> 'type';
    if v_type = 'create_offer' then
      raise exception using errcode = 'PT400', message = 'action_unavailable',
        hint = format('Action %s: there are no offers for one client alone, so none can be made for them.', v_number);
    end if;
    v_longest := case v_type
      when 'send_message' then 4000 when 'send_sms' then 1600 when 'send_push' then 1000 when 'notify_trainer' then 1000
      when 'tag_client' then 50
    end;
    v_text := v_action -> 'params' ->> case v_type when 'tag_client' then 'tag' else 'body' end;
    v_problem := case
      when v_longest is null
        then 'the type is one of send_message, send_sms, send_push, notify_trainer and tag_client'
      when coalesce(v_text, '') !~ '\S' or length(v_text) > v_longest
        then format('params.%s has 1 to %s characters', case v_type when 'tag_client' then 'tag' else 'body' end, v_longest)
      when length(v_action -> 'params' ->> 'title') > 200 then 'params.title has at most 200 characters'
      when exists (
        select
          from unnest(array[v_text, v_action -> 'params' ->> 'title']) as t (body),
               regexp_matches(t.body, '\{\{([^{}]*)\}\}', 'g') as m (name)
         where btrim(m.name[1]) not in ('name', 'first_name', 'days_inactive')
      ) then 'the placeholders are {{name}}, {{first_name}} and {{days_inactive}}'
    end;
    if v_problem is not null then
      raise exception using errcode = 'PT400', message = 'actions_invalid',
        hint = format('Action %s: %s.', v_number, v_problem);
    end if;
  end loop;
end;
$$;
comment on function app.check_actions(jsonb) is
  'Refuses actions that app.perform_action() could not do: each is {type, params}. Errors: PT400 actions_invalid; the hint '
  'says which and why; PT400 action_unavailable: create_offer, which the existing screens know and nothing ever did.';
revoke all on function app.check_actions(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/check_actions.sql

-- >>> functions_sql/automations/check_conditions.sql
create or replace function app.check_conditions(p_conditions jsonb) returns void
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_condition jsonb;
  v_number integer := 0;
  v_field text;
  v_operator text;
  v_value jsonb;
  v_operators text[];
  v_problem text;
begin
  if jsonb_typeof(p_conditions) <> 'array' then
    return;  -- the table's constraint says so
  end if;
  for v_condition in select e from jsonb_array_elements(p_conditions) as e loop
    v_number := v_number + 1;
    v_field := v_condition ->> 'field';
    v_operator := v_condition ->> 'operator';
    v_value := coalesce(v_condition -> 'value', 'null');
    v_operators := case
      when v_field in ('risk_score', 'days_since_activity') then '{eq,neq,gt,lt,gte,lte,in}'
      when v_field in ('risk_tier', 'subscription_status', 'status') then '{eq,neq,in,contains}'
      when v_field = 'tags' then '{contains}'
    end;
    v_problem := case
      when v_operators is null
        then 'the field is one of risk_tier, risk_score, subscription_status, days_since_activity, status and tags'
      when v_operator is null or v_operator <> all (v_operators)
        then 'the operator for this field is one of ' || array_to_string(v_operators, ', ')
      when v_operator = 'in' and (jsonb_typeof(v_value) <> 'array' or v_value = '[]') then 'the value is a list'
      when exists (
        select
          from jsonb_array_elements(case v_operator when 'in' then v_value else jsonb_build_array(v_value) end) as v
         where jsonb_typeof(v) not in ('string', 'number') or v #>> '{}' !~ '\S'
            or ('gt' = any (v_operators) and v #>> '{}' !~ '^-?[0-9]{1,9}(\.[0-9]{1,9})?$')
      ) then case when 'gt' = any (v_operators) then 'the value is a number' else 'the value is a text' end
    end;
    if v_problem is not null then
      raise exception using errcode = 'PT400', message = 'conditions_invalid',
        hint = format('Condition %s: %s.', v_number, v_problem);
    end if;
  end loop;
end;
$$;
comment on function app.check_conditions(jsonb) is
  'Refuses conditions that app.conditions_hold() could not tell of: each is {field, operator, value}, a field of '
  'app.client_facts(), with an operator that fits it. Error: PT400 conditions_invalid; the hint says which and why.';
revoke all on function app.check_conditions(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/check_conditions.sql

-- >>> functions_sql/automations/check_guardrails.sql
create or replace function app.check_guardrails(p_guardrails jsonb) returns void
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_key text;
  v_value text;
  v_low integer;
  v_high integer;
begin
  for v_key, v_value, v_low, v_high in
    select k.key, p_guardrails ->> k.key, k.low, k.high
      from (values ('max_per_client_per_day', 1, 1000), ('max_per_client_per_week', 1, 1000),
                   ('quiet_hours_start', 0, 23), ('quiet_hours_end', 0, 23), ('dedupe_hours', 0, 8760))
           as k (key, low, high)
     where p_guardrails ->> k.key is not null
  loop
    -- One after the other: what is no number is not compared.
    if v_value !~ '^[0-9]{1,4}$' or v_value::integer not between v_low and v_high then
      raise exception using errcode = 'PT400', message = 'guardrails_invalid',
        hint = format('%s is %s to %s, or left out.', v_key, v_low, v_high);
    end if;
  end loop;
end;
$$;
comment on function app.check_guardrails(jsonb) is
  'Refuses guardrails that app.guardrail_problem() could not keep: whole numbers, each may be missing or null, which is no '
  'limit. Error: PT400 guardrails_invalid; the hint says which and what it may be.';
revoke all on function app.check_guardrails(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/check_guardrails.sql

-- >>> functions_sql/automations/claim_automation_pushes.sql
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
-- <<< functions_sql/automations/claim_automation_pushes.sql

-- >>> functions_sql/automations/claim_due_automations.sql
create or replace function app.claim_due_automations(p_now timestamptz default now(), p_limit integer default 500)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  select array_agg(d.id) into v_ids
    from (
      select a.id
        from public.automations as a
       where a.next_due_at <= p_now
         -- One that is not done with its last time is claimed when it is.
         and not exists (
           select from app.automation_slots as s where s.automation_id = a.id and s.client_id is null
         )
       order by a.next_due_at, a.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_ids is null then
    return 0;
  end if;
  return app.open_automation_slots(v_ids, p_now);
end;
$$;
comment on function app.claim_due_automations(timestamptz, integer) is
  'Claims up to p_limit automations that are due by the clock at p_now, oldest first, each for one caller: a slot for '
  'app.run_due_slots() to do, and the next due time. Returns how many; 0: none is due but what others hold right now.';
revoke all on function app.claim_due_automations(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.claim_due_automations(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/automations/claim_due_automations.sql

-- >>> functions_sql/automations/client_facts.sql
create or replace function app.client_facts(
  p_org_id uuid, p_client_id uuid, p_after uuid, p_timezone text, p_now timestamptz, p_limit integer
) returns table (client_id uuid, full_name text, active_at timestamptz, facts jsonb)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone 'UTC';
begin
  return query
    select c.id, c.full_name, a.active_at,
           jsonb_build_object(
             'status', c.status,
             'tags', c.tags,
             'risk_tier', r.tier,
             'risk_score', r.score,
             'subscription_status', coalesce(s.status, 'none'),
             'days_since_activity',
               greatest((p_now at time zone p_timezone)::date - (a.active_at at time zone p_timezone)::date, 0)
           )
      from public.clients as c
      -- Who never did anything has been inactive since they became a client.
     cross join lateral (
             select coalesce(max(e.created_at), c.created_at) as active_at
               from public.activity_events as e
              where e.client_id = c.id and e.created_at <= p_now
           ) as a
      left join public.subscriptions as s on s.org_id = c.org_id and s.client_id = c.id
      -- Today's, or yesterday's until today's is there.
      left join lateral (
             select k.tier, k.score
               from public.client_risk as k
              where k.client_id = c.id and k.as_of_date between v_today - 1 and v_today
              order by k.as_of_date desc
              limit 1
           ) as r on true
     where c.org_id = p_org_id and c.status = 'active'
       and (p_client_id is null or c.id = p_client_id) and (p_after is null or c.id > p_after)
     order by c.id
     limit p_limit;
end;
$$;
comment on function app.client_facts(uuid, uuid, uuid, text, timestamptz, integer) is
  'What the conditions of automations are about, of an org''s active clients at p_now, by id: of one (p_client_id), or of '
  'the first p_limit after p_after (null: from the start). active_at: what they last recorded in the app, or when they '
  'became a client; days_since_activity are dates in p_timezone. Risk is today''s, which is UTC''s.';
revoke all on function app.client_facts(uuid, uuid, uuid, text, timestamptz, integer)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/client_facts.sql

-- >>> functions_sql/automations/conditions_hold.sql
create or replace function app.conditions_hold(p_conditions jsonb, p_facts jsonb) returns boolean
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_condition jsonb;
  v_operator text;
  v_fact jsonb;
  v_text text;
  v_value jsonb;
  v_holds boolean;
begin
  for v_condition in select e from jsonb_array_elements(p_conditions) as e loop
    v_operator := v_condition ->> 'operator';
    v_fact := p_facts -> (v_condition ->> 'field');
    v_text := v_fact #>> '{}';  -- null: not known, which equals nothing
    v_value := v_condition -> 'value';
    if jsonb_typeof(v_fact) = 'array' then
      v_holds := v_fact ? (v_value #>> '{}');
    elsif v_operator = 'contains' then
      v_holds := strpos(v_text, v_value #>> '{}') > 0;
    elsif v_condition ->> 'field' in ('risk_score', 'days_since_activity') and v_operator <> 'in' then
      v_holds := case v_operator
        when 'eq' then v_text::numeric = (v_value #>> '{}')::numeric
        when 'neq' then v_text::numeric is distinct from (v_value #>> '{}')::numeric
        when 'gt' then v_text::numeric > (v_value #>> '{}')::numeric
        when 'lt' then v_text::numeric < (v_value #>> '{}')::numeric
        when 'gte' then v_text::numeric >= (v_value #>> '{}')::numeric
        when 'lte' then v_text::numeric <= (v_value #>> '{}')::numeric
      end;
    elsif v_operator = 'in' then
      v_holds := exists (select from jsonb_array_elements_text(v_value) as v where v = v_text);
    else
      v_holds := case v_operator
        when 'eq' then v_text = v_value #>> '{}'
        when 'neq' then v_text is distinct from v_value #>> '{}'
      end;
    end if;
    if v_holds is not true then
      return false;
    end if;
  end loop;
  return true;
end;
$$;
comment on function app.conditions_hold(jsonb, jsonb) is
  'True when all conditions of an automation hold for a client with these facts (app.client_facts()); none: true. What is '
  'not known of a client (no risk score yet) differs from everything, and is neither more nor less.';
revoke all on function app.conditions_hold(jsonb, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/conditions_hold.sql

-- >>> functions_sql/automations/cron_values.sql
create or replace function app.cron_values(
  p_text text, p_low integer, p_high integer, p_what text, p_names text[],
  out matched integer[], out problem text, out problem_at integer
)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_item text;
  v_base text;
  v_bounds text[];
  v_values integer[];
  v_value integer;
  v_step text;
begin
  if p_text = '*' then
    matched := array(select generate_series(p_low, p_high));
    return;
  end if;
  matched := '{}';
  problem_at := 1;
  foreach v_item in array string_to_array(p_text, ',') loop
    v_base := split_part(v_item, '/', 1);
    v_step := substr(v_item, length(v_base) + 2);
    if v_base = '*' then
      v_values := array[p_low, p_high];
    else
      v_bounds := array[split_part(v_base, '-', 1)];
      if strpos(v_base, '-') > 0 then
        v_bounds := v_bounds || substr(v_base, length(v_bounds[1]) + 2);
      end if;
      v_values := '{}';
      for i in 1 .. cardinality(v_bounds) loop
        v_value := p_low - 1 + array_position(p_names, lower(v_bounds[i]));
        if v_value is null and v_bounds[i] ~ '^[0-9]{1,2}$' then
          v_value := v_bounds[i];
        end if;
        if v_value is null or v_value not between p_low and p_high then
          problem := p_what;
          problem_at := problem_at + case when i = 1 then 0 else length(v_bounds[1]) + 1 end;
          return;
        end if;
        v_values := v_values || v_value;
      end loop;
      if v_values[2] < v_values[1] then
        problem := 'a range begins with the smaller value';
        return;
      end if;
      if cardinality(v_values) = 1 then
        v_values := v_values || case when v_base <> v_item then p_high else v_values[1] end;
      end if;
    end if;
    if v_base = v_item then
      v_step := '1';
    elsif v_step !~ '^[0-9]{1,3}$' or v_step ~ '^0+$' then
      problem := 'a step is a number from 1 on';
      problem_at := problem_at + length(v_base) + 1;
      return;
    end if;
    while v_values[1] <= v_values[2] loop
      matched := matched || v_values[1];
      v_values[1] := v_values[1] + v_step::integer;
    end loop;
    problem_at := problem_at + length(v_item) + 1;
  end loop;
  if strpos(p_text, ',') > 0 then
    matched := array(select distinct v from unnest(matched) as v order by v);
  end if;
  problem_at := null;
end;
$$;
comment on function app.cron_values(text, integer, integer, text, text[]) is
  'The values that one cron field names, each once, in order: *, value, first-last, each with an optional /step, '
  'separated by commas; value/step goes on to p_high. p_names: names of the values from p_low on. Or what is wrong '
  '(p_what: which values there are) and at which of its characters (from 1).';
revoke all on function app.cron_values(text, integer, integer, text, text[])
  from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/cron_values.sql

-- >>> functions_sql/automations/fail_run.sql
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
-- <<< functions_sql/automations/fail_run.sql

-- >>> functions_sql/automations/guardrail_problem.sql
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
-- <<< functions_sql/automations/guardrail_problem.sql

-- >>> functions_sql/automations/next_due.sql
create or replace function app.next_due(
  p_schedule text, p_timezone text, p_after timestamptz, p_hour integer default 9
) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  c record;
  v_at timestamptz;
  v_local timestamp;
  v_wall timestamp;
  v_change timestamptz;
  v_found timestamptz;
begin
  select p.* into c from app.parse_schedule(coalesce(p_schedule, ''), p_hour) as p;
  if c.problem is not null then
    raise exception using errcode = 'PT400', message = 'schedule_invalid',
      hint = format('At character %s: %s.', c.problem_at, c.problem), detail = c.problem_at;
  end if;
  perform app.require_timezone(p_timezone);

  if c.is_fixed then
    v_wall := date_trunc('minute', p_after at time zone p_timezone);
    loop
      v_wall := app.next_wall_time(c.minutes, c.hours, c.days, c.months, c.weekdays, c.is_either, v_wall);
      v_found := app.local_to_instant(v_wall, p_timezone);
      if v_found at time zone p_timezone <> v_wall then  -- skipped
        v_found := app.clock_change(v_found - interval '24 hours', v_found, p_timezone);
      end if;
      if v_found > p_after then
        return v_found;
      end if;
      v_wall := v_wall + interval '1 minute';
    end loop;
  end if;

  v_at := p_after + interval '1 microsecond';
  loop
    v_local := v_at at time zone p_timezone;
    v_wall := date_trunc('minute', v_local);
    if v_wall < v_local then
      v_wall := v_wall + interval '1 minute';
    end if;
    v_wall := app.next_wall_time(c.minutes, c.hours, c.days, c.months, c.weekdays, c.is_either, v_wall);
    v_found := v_at + (v_wall - v_local);  -- if nobody changes this clock until then
    v_change := app.clock_change(v_at, v_at + interval '24 hours', p_timezone);
    if v_change is not null then
      if v_found < v_change then
        return v_found;
      end if;
      v_at := v_change;
      continue;
    elsif v_found <= v_at + interval '24 hours' then
      return v_found;
    end if;
    v_found := app.local_to_instant(v_wall, p_timezone);
    if v_found at time zone p_timezone = v_wall then
      return v_found;
    end if;
    v_at := app.clock_change(v_found - interval '24 hours', v_found, p_timezone);
  end loop;
end;
$$;
comment on function app.next_due(text, text, timestamptz, integer) is
  'The first instant, later than p_after, at which a schedule is due: daily, weekly (Mondays), both at p_hour, or five '
  'cron fields, on the wall clock of an IANA zone. A job at a fixed time runs once on each date that matches: a time that a '
  'change of clocks skips at the first instant after the gap, one that is repeated at its first pass only. A job whose '
  'minute or hour begins with * follows real time. Errors: PT400 schedule_invalid (hint: what is wrong at which '
  'character; detail: that number; also for what never occurs), PT400 timezone_unknown. Source: '
  'https://manpages.debian.org/stable/cron/cron.8.en.html';
revoke all on function app.next_due(text, text, timestamptz, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/next_due.sql

-- >>> functions_sql/automations/next_wall_time.sql
create or replace function app.next_wall_time(
  p_minutes integer[], p_hours integer[], p_days integer[], p_months integer[], p_weekdays integer[],
  p_is_either boolean, p_from timestamp
) returns timestamp
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_date date := p_from::date;
  v_hour integer := extract(hour from p_from);
  v_minute integer := extract(minute from p_from);
  v_in_month boolean;
  v_in_week boolean;
  h integer;
  m integer;
begin
  loop
    if extract(month from v_date)::integer <> all (p_months) then
      v_date := date_trunc('month', v_date::timestamp) + interval '1 month';
    else
      v_in_month := extract(day from v_date)::integer = any (p_days);
      v_in_week := extract(dow from v_date)::integer = any (p_weekdays)
        or extract(isodow from v_date)::integer = any (p_weekdays);  -- Sunday is 0 and 7
      if (v_in_month and v_in_week) or (p_is_either and (v_in_month or v_in_week)) then
        foreach h in array p_hours loop
          continue when h < v_hour;
          foreach m in array p_minutes loop
            if h > v_hour or m >= v_minute then
              return v_date + make_time(h, m, 0);
            end if;
          end loop;
        end loop;
      end if;
      v_date := v_date + 1;
    end if;
    v_hour := 0;
    v_minute := 0;
  end loop;
end;
$$;
comment on function app.next_wall_time(integer[], integer[], integer[], integer[], integer[], boolean, timestamp) is
  'The first time at or after p_from (a whole minute) that app.parse_schedule()''s fields match, on a clock that nobody '
  'changes. They must match some time, as that function makes sure.';
revoke all on function app.next_wall_time(integer[], integer[], integer[], integer[], integer[], boolean, timestamp)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/next_wall_time.sql

-- >>> functions_sql/automations/note_payment_failure.sql
create or replace function app.note_payment_failure() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.raise_automation_event('payment_failed', new.org_id, new.client_id, new.id || ':' || now(), now());
  return null;
end;
$$;
comment on function app.note_payment_failure() is
  'A client''s payment failed: their subscription becomes past due, or the payment of a purchase becomes failed.';
revoke all on function app.note_payment_failure() from public, anon, authenticated, service_role;

create or replace trigger subscriptions_note_first_failure after insert on public.subscriptions
  for each row when (new.status = 'past_due') execute function app.note_payment_failure();
create or replace trigger subscriptions_note_failure after update of status on public.subscriptions
  for each row when (new.status = 'past_due' and old.status <> 'past_due') execute function app.note_payment_failure();
create or replace trigger client_purchases_note_first_failure after insert on public.client_purchases
  for each row when (new.payment_status = 'failed') execute function app.note_payment_failure();
create or replace trigger client_purchases_note_failure after update of payment_status on public.client_purchases
  for each row when (new.payment_status = 'failed' and old.payment_status is distinct from 'failed')
  execute function app.note_payment_failure();
-- <<< functions_sql/automations/note_payment_failure.sql

-- >>> functions_sql/automations/note_risk.sql
create or replace function app.note_risk() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    -- At the start of the day of the score, whenever that was worked out.
    perform app.raise_automation_event(
              'risk_red', n.org_id, n.client_id, n.as_of_date::text, n.as_of_date::timestamp at time zone 'UTC')
       from new_rows as n
      where n.tier = 'red'
        and (select r.tier from public.client_risk as r
              where r.client_id = n.client_id and r.as_of_date < n.as_of_date
              order by r.as_of_date desc limit 1) is distinct from 'red';
  else
    perform app.raise_automation_event(
              'risk_red', n.org_id, n.client_id, n.as_of_date::text, n.as_of_date::timestamp at time zone 'UTC')
       from new_rows as n
       join old_rows as o on o.id = n.id
      where n.tier = 'red' and o.tier <> 'red';
  end if;
  return null;
end;
$$;
comment on function app.note_risk() is
  'A client becomes red: their score is, and the one before was not. Once a UTC day at most.';
revoke all on function app.note_risk() from public, anon, authenticated, service_role;

create or replace trigger client_risk_note_insert after insert on public.client_risk
  referencing new table as new_rows for each statement execute function app.note_risk();
create or replace trigger client_risk_note_update after update on public.client_risk
  referencing old table as old_rows new table as new_rows for each statement execute function app.note_risk();
-- <<< functions_sql/automations/note_risk.sql

-- >>> functions_sql/automations/open_automation_slots.sql
create or replace function app.open_automation_slots(p_automation_ids uuid[], p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_opened integer;
begin
  insert into app.automation_slots (automation_id, due_at, run_at)
  select a.id, a.next_due_at, p_now from public.automations as a where a.id = any (p_automation_ids)
   order by a.next_due_at, a.id;
  get diagnostics v_opened = row_count;
  update public.automations as a
     set next_due_at = app.next_due(app.schedule_of(a.trigger), o.timezone, p_now, o.automation_hour)
    from public.orgs as o
   where a.id = any (p_automation_ids) and o.id = a.org_id;
  return v_opened;
end;
$$;
comment on function app.open_automation_slots(uuid[], timestamptz) is
  'Makes a slot of each of these automations, due at p_now and locked by the caller, and works out when they are due after '
  'p_now: of several missed times one slot is made. Returns how many.';
revoke all on function app.open_automation_slots(uuid[], timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/open_automation_slots.sql

-- >>> functions_sql/automations/parse_schedule.sql
create or replace function app.parse_schedule(
  p_schedule text, p_hour integer,
  out minutes integer[], out hours integer[], out days integer[], out months integer[], out weekdays integer[],
  out is_either boolean, out is_fixed boolean, out problem text, out problem_at integer
)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_schedule text := case p_schedule
    when 'daily' then format('0 %s * * *', p_hour)
    when 'weekly' then format('0 %s * * 1', p_hour)
    else p_schedule
  end;
  v_texts text[];
  v_found integer[];
  v_number integer;
begin
  if length(v_schedule) > 255 then
    problem := 'a schedule has at most 255 characters';
    problem_at := 256;
    return;
  end if;
  v_texts := regexp_split_to_array(btrim(v_schedule, E' \t'), '[ \t]+');
  if cardinality(v_texts) <> 5 then
    problem := 'a schedule is daily, weekly, or five fields: minute, hour, day of month, month, day of week';
    problem_at := coalesce(nullif(regexp_instr(v_schedule, '[^ \t]+', 1, 6), 0), length(v_schedule) + 1);
    return;
  end if;
  foreach v_number in array '{1,2,3,4,5}'::integer[] loop
    select v.matched, v.problem, v.problem_at into v_found, problem, problem_at
      from app.cron_values(
        v_texts[v_number], ('{0,0,1,1,0}'::integer[])[v_number], ('{59,23,31,12,7}'::integer[])[v_number],
        (array['a minute is 0 to 59', 'an hour is 0 to 23', 'a day of the month is 1 to 31',
               'a month is 1 to 12 or jan to dec', 'a day of the week is 0 to 7 or sun to sat'])[v_number],
        case v_number when 4 then '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}'::text[]
                      when 5 then '{sun,mon,tue,wed,thu,fri,sat}'::text[] end
      ) as v;
    if problem is not null then
      problem_at := regexp_instr(v_schedule, '[^ \t]+', 1, v_number) + problem_at - 1;
      return;
    end if;
    case v_number
      when 1 then minutes := v_found;
      when 2 then hours := v_found;
      when 3 then days := v_found;
      when 4 then months := v_found;
      else weekdays := v_found;
    end case;
  end loop;
  is_either := v_texts[3] !~ '^\*' and v_texts[5] !~ '^\*';
  is_fixed := v_texts[1] !~ '^\*' and v_texts[2] !~ '^\*';
  -- Every day of the week is a 29 February at some time, so only the day of the month can keep a date from coming.
  if not is_either
     and days[1] > (select max(('{31,29,31,30,31,30,31,31,30,31,30,31}'::integer[])[m]) from unnest(months) as m) then
    problem := 'that day is in none of these months';
    problem_at := regexp_instr(v_schedule, '[^ \t]+', 1, 3);
  end if;
end;
$$;
comment on function app.parse_schedule(text, integer) is
  'What a schedule says: daily, weekly (Mondays), both at p_hour, or five cron fields; Sunday is 0 and 7. is_either: day of month and day of '
  'week are both restricted, that is, neither begins with *, and one of them is enough; else both must match. is_fixed: '
  'neither minute nor hour begins with *. Or what is wrong with it, as half a sentence, and at which character (from 1). '
  'Source: https://man7.org/linux/man-pages/man5/crontab.5.html';
revoke all on function app.parse_schedule(text, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/parse_schedule.sql

-- >>> functions_sql/automations/perform_action.sql
create or replace function app.perform_action(
  p_run public.automation_runs, p_automation_name text, p_client_name text, p_variables jsonb, p_now timestamptz
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_run.actions_left -> 0 ->> 'type';
  v_params jsonb := p_run.actions_left -> 0 -> 'params';
  v_body text := app.render_sms_template(v_params ->> 'body', p_variables);
  v_title text := app.render_sms_template(v_params ->> 'title', p_variables);
  -- The same however often it is tried.
  v_key text := format('automation:%s:%s', p_run.id, jsonb_array_length(p_run.actions_fired));
  v_thread_id uuid;
  v_refusal text;
begin
  if v_type <> 'tag_client' and v_body !~ '\S' then
    return 'it is empty';
  end if;
  case v_type
    when 'send_message' then
      insert into public.message_threads (org_id, client_id) values (p_run.org_id, p_run.client_id)
      on conflict (org_id, client_id) do nothing;
      select t.id into strict v_thread_id
        from public.message_threads as t where t.org_id = p_run.org_id and t.client_id = p_run.client_id;
      insert into public.messages (org_id, thread_id, created_at, sender_type, sender_user_id, body)
      values (p_run.org_id, v_thread_id, p_now, 'system', null, v_body);
    when 'send_sms' then
      if (select c.sms_opt_in from public.clients as c where c.id = p_run.client_id) is false then
        return 'the client does not want texts';
      end if;
      select i.refusal into v_refusal
        from app.insert_sms_direct(p_run.org_id, p_run.client_id, v_body, p_now, 'automation', p_run.automation_id,
                                   v_key, 'automation') as i;
      return case v_refusal
        when 'sms_body_invalid' then 'it is longer than 1600 characters'
        when 'number_suppressed' then 'the client''s number must not be texted'
        when 'phone_missing' then 'the client has no phone number'
        when 'sms_disabled' then 'texting is switched off'
        when 'sms_sender_missing' then 'there is no number to text from'
        when 'sms_already_queued' then null  -- by a try before this one
        -- Null, where it was not refused.
        else 'it was refused (' || v_refusal || ')'
      end;
    when 'notify_trainer' then
      -- Staff alone read these; the client's thread is the client's, too.
      insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
      values (p_run.org_id, p_run.client_id, 'note', 'inbound', coalesce(nullif(btrim(v_title), ''), p_automation_name),
              v_body, p_now);
      perform app.queue_sms(
        p_run.org_id, null,
        concat_ws(': ', btrim(p_client_name), coalesce(nullif(btrim(v_title), ''), p_automation_name), v_body),
        p_now, 'automation', p_run.automation_id, v_key, 'automation', p_to_coach => true
      );
    when 'tag_client' then
      update public.clients as c
         set tags = c.tags || btrim(v_params ->> 'tag')
       where c.id = p_run.client_id and btrim(v_params ->> 'tag') <> all (c.tags);
    else
      return 'there is no such action';  -- saved before app.check_actions() looked at it
  end case;
  return null;
end;
$$;
comment on function app.perform_action(public.automation_runs, text, text, jsonb, timestamptz) is
  'Does the next action of a run, all but send_push, in the caller''s transaction: a message of the system in the '
  'client''s thread; a text in the outbox; a note in the client''s communications, and a text to the coach where the org '
  'can text and has booking_settings.notify_phone; a tag. Null, or, as half a sentence, why not, having done nothing.';
revoke all on function app.perform_action(public.automation_runs, text, text, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/perform_action.sql

-- >>> functions_sql/automations/prepare_automation.sql
create or replace function app.prepare_automation() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due timestamptz;
begin
  if tg_op = 'INSERT' or new.conditions <> old.conditions then
    perform app.check_conditions(new.conditions);
  end if;
  if tg_op = 'INSERT' or new.actions <> old.actions then
    perform app.check_actions(new.actions);
  end if;
  if tg_op = 'INSERT' or new.guardrails <> old.guardrails then
    perform app.check_guardrails(new.guardrails);
  end if;
  if tg_op = 'UPDATE' and new.trigger = old.trigger and new.enabled = old.enabled and new.next_due_at is not null then
    return new;
  end if;
  if tg_op = 'INSERT' then
    -- Who changes the zone or the hour at this moment, changes it for all automations they see, and this is not one yet.
    -- A row that is there already they find by its lock.
    perform from public.orgs as o where o.id = new.org_id for share;
  end if;
  -- No org: the foreign key says so.
  select app.next_due(app.schedule_of(new.trigger), coalesce(o.timezone, 'Australia/Brisbane'), now(),
                      coalesce(o.automation_hour, 9))
    into v_due
    from (values (new.org_id)) as i (org_id)
    left join public.orgs as o on o.id = i.org_id
   where app.schedule_of(new.trigger) is not null;
  new.next_due_at := case when new.enabled then v_due end;
  return new;
end;
$$;
comment on function app.prepare_automation() is
  'What is saved can be done, or is refused, through whatever door (PT400 trigger_invalid, schedule_invalid, '
  'conditions_invalid, actions_invalid, action_unavailable, guardrails_invalid); and next_due_at follows from it: the '
  'first time after now for which a new, changed or newly enabled automation is due, so that saving makes nothing due. '
  'Setting next_due_at to null works it out again.';
revoke all on function app.prepare_automation() from public, anon, authenticated, service_role;

create or replace trigger automations_prepare
  before insert or update of trigger, conditions, actions, guardrails, enabled, next_due_at on public.automations
  for each row execute function app.prepare_automation();
-- <<< functions_sql/automations/prepare_automation.sql

-- >>> functions_sql/automations/raise_automation_event.sql
create or replace function app.raise_automation_event(
  p_event text, p_org_id uuid, p_client_id uuid, p_key text, p_at timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.automation_slots (automation_id, client_id, event, due_at, run_at)
  select a.id, p_client_id, p_event || ':' || p_key, p_at, p_at
    from public.automations as a
   where a.org_id = p_org_id and a.enabled and a.trigger ->> 'type' = 'event' and a.trigger ->> 'event' = p_event
  on conflict do nothing;
end;
$$;
comment on function app.raise_automation_event(text, uuid, uuid, text, timestamptz) is
  'Something happened to a client at p_at: the org''s automations for it have something to do, in this transaction. p_key '
  'tells one such event of the client from another.';
revoke all on function app.raise_automation_event(text, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/raise_automation_event.sql

-- >>> functions_sql/automations/reschedule_automations.sql
create or replace function app.reschedule_automations() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- All of them, also those without a due time: one that is being enabled at this moment is waited for.
  update public.automations as a set next_due_at = null where a.org_id = new.id;
  return null;
end;
$$;
comment on function app.reschedule_automations() is
  'When the clock or the hour of an org changes, so does when its automations are due (app.prepare_automation()).';
revoke all on function app.reschedule_automations() from public, anon, authenticated, service_role;

create or replace trigger orgs_reschedule_automations
  after update of timezone, automation_hour on public.orgs
  for each row
  when (old.timezone <> new.timezone or old.automation_hour <> new.automation_hour)
  execute function app.reschedule_automations();
-- <<< functions_sql/automations/reschedule_automations.sql

-- >>> functions_sql/automations/retry_automation_run.sql
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
-- <<< functions_sql/automations/retry_automation_run.sql

-- >>> functions_sql/automations/retry_due_runs.sql
create or replace function app.retry_due_runs(p_now timestamptz default now(), p_limit integer default 100)
  returns integer
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_ids uuid[];
begin
  select array_agg(d.id) into v_ids
    from (
      select r.id
        from public.automation_runs as r
       where r.next_attempt_at <= p_now and r.status = 'failed'
       order by r.next_attempt_at, r.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_ids is null then
    return 0;
  end if;
  return app.retry_runs(v_ids, p_now);
end;
$$;
comment on function app.retry_due_runs(timestamptz, integer) is
  'Tries again up to p_limit failed runs whose time has come (app.fail_run()); those that somebody else holds are left. '
  'Returns how many.';
revoke all on function app.retry_due_runs(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.retry_due_runs(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/automations/retry_due_runs.sql

-- >>> functions_sql/automations/retry_runs.sql
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
-- <<< functions_sql/automations/retry_runs.sql

-- >>> functions_sql/automations/run_due_slots.sql
create or replace function app.run_due_slots(p_now timestamptz default now(), p_limit integer default 200)
  returns integer
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_due bigint[];
  v_automations uuid[];
  v_orgs uuid[];
begin
  -- This waits for nobody: what somebody else does or changes at this moment is left for the next call. An automation is
  -- held, so that its runs are counted one after the other; an org is shared, so that it keeps its clock meanwhile.
  select array_agg(d.id) into v_due
    from (
      select s.id
        from app.automation_slots as s
       where s.run_at <= p_now
       order by s.run_at, s.id
       limit p_limit
         for update skip locked
    ) as d;
  if v_due is null then
    return 0;
  end if;
  select array_agg(l.id), array_agg(l.org_id) into v_automations, v_orgs
    from (
      select a.id, a.org_id
        from public.automations as a
       where a.id in (select s.automation_id from app.automation_slots as s where s.id = any (v_due))
         for no key update skip locked
    ) as l;
  select array_agg(l.id) into v_orgs
    from (select o.id from public.orgs as o where o.id = any (v_orgs) for key share skip locked) as l;
  select array_agg(s.id order by s.run_at, s.id) into v_due
    from app.automation_slots as s
    join public.automations as a on a.id = s.automation_id
   where s.id = any (v_due) and a.id = any (v_automations) and a.org_id = any (v_orgs);
  return app.run_slots(coalesce(v_due, '{}'), p_now, p_limit);
end;
$$;
comment on function app.run_due_slots(timestamptz, integer) is
  'Does what became due by p_now, for p_limit clients at most, oldest first; any number of callers at once. Returns how '
  'many slots it took up; 0: nothing is due but what others hold right now.';
revoke all on function app.run_due_slots(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.run_due_slots(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/automations/run_due_slots.sql

-- >>> functions_sql/automations/run_slot.sql
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
-- <<< functions_sql/automations/run_slot.sql

-- >>> functions_sql/automations/run_slots.sql
create or replace function app.run_slots(p_slot_ids bigint[], p_now timestamptz, p_limit integer) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id bigint;
  v_left integer := p_limit;
  v_done integer := 0;
begin
  foreach v_id in array p_slot_ids loop
    exit when v_left <= 0;
    begin
      v_left := v_left - app.run_slot(v_id, p_now, v_left);
    exception when others then
      -- One that cannot be done at all must not keep the others from being done.
      raise warning 'an automation could not be run (%)', sqlstate;
      update app.automation_slots as s
         set attempts = s.attempts + 1,
             run_at = p_now + coalesce(app.retry_delay(s.attempts + 1), interval '6 hours')
       where s.id = v_id;
      v_left := v_left - 1;
    end;
    v_done := v_done + 1;
  end loop;
  return v_done;
end;
$$;
comment on function app.run_slots(bigint[], timestamptz, integer) is
  'app.run_slot() for these in turn, each in a subtransaction of its own, until p_limit clients were looked at: one that '
  'fails as a whole is put off. Returns how many slots it took up.';
revoke all on function app.run_slots(bigint[], timestamptz, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/run_slots.sql

-- >>> functions_sql/automations/run_variables.sql
create or replace function app.run_variables(p_client_name text, p_facts jsonb) returns jsonb
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return jsonb_build_object(
    'name', btrim(p_client_name), 'first_name', split_part(btrim(p_client_name), ' ', 1),
    'days_inactive', p_facts -> 'days_since_activity'
  );
end;
$$;
comment on function app.run_variables(text, jsonb) is
  'What the placeholders of an automation''s texts stand for, for a client with this name and these app.client_facts().';
revoke all on function app.run_variables(text, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/run_variables.sql

-- >>> functions_sql/automations/schedule_of.sql
create or replace function app.schedule_of(p_trigger jsonb) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if p_trigger ->> 'type' = 'schedule' and jsonb_typeof(p_trigger -> 'schedule') = 'string' then
    return p_trigger ->> 'schedule';
  elsif p_trigger ->> 'type' = 'event' and p_trigger ->> 'event' = 'inactivity' then
    return 'daily';  -- that nothing happens is no event of its own: it is looked for once a day
  elsif p_trigger ->> 'type' = 'event' and p_trigger ->> 'event' in ('risk_red', 'payment_failed') then
    return null;
  end if;
  raise exception using errcode = 'PT400', message = 'trigger_invalid',
    hint = 'A trigger is {"type": "schedule", "schedule": …} or {"type": "event", "event": …}, where the event is '
           'inactivity, risk_red or payment_failed.';
end;
$$;
comment on function app.schedule_of(jsonb) is
  'The schedule (see app.next_due()) by which an automation with this trigger is looked at; null: only when its event '
  'happens. Error: PT400 trigger_invalid. Whether it is a schedule at all, app.next_due() says.';
revoke all on function app.schedule_of(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/schedule_of.sql

-- >>> functions_sql/automations/score_due_risk.sql
create or replace function app.score_due_risk(p_now timestamptz default now(), p_limit integer default 100)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone 'UTC';
  v_orgs uuid[];
begin
  select array_agg(d.org_id) into v_orgs
    from (
      select r.org_id
        from app.risk_days as r
       where r.scored_on < v_today
       order by r.scored_on, r.org_id
       limit p_limit
         for update skip locked
    ) as d;
  if v_orgs is null then
    return 0;
  end if;
  perform app.score_risk(v_orgs, p_now);
  update app.risk_days as r set scored_on = v_today where r.org_id = any (v_orgs);
  return cardinality(v_orgs);
end;
$$;
comment on function app.score_due_risk(timestamptz, integer) is
  'Scores the clients of up to p_limit orgs that have no scores of the UTC date of p_now yet (app.score_risk()); any number '
  'of callers at once. Returns how many orgs; 0: none is left but what others score right now.';
revoke all on function app.score_due_risk(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.score_due_risk(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/automations/score_due_risk.sql

-- >>> functions_sql/automations/score_risk.sql
create or replace function app.score_risk(p_org_ids uuid[], p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone 'UTC';
  v_scored integer;
begin
  insert into public.client_risk as r (org_id, client_id, as_of_date, score, tier, reasons)
  select c.org_id, c.id, v_today, t.score,
         case when t.score < 25 then 'green' when t.score < 50 then 'amber' else 'red' end,
         t.reasons
    from public.clients as c
    left join public.subscriptions as s on s.org_id = c.org_id and s.client_id = c.id
   cross join lateral (
           select max(e.created_at) as active_at, max(e.created_at) filter (where e.type = 'checkin') as checked_in_at,
                  count(*) filter (where e.created_at > p_now - interval '7 days') as this_week,
                  count(*) filter (where e.created_at between p_now - interval '14 days'
                                                         and p_now - interval '7 days') as last_week
             from public.activity_events as e
            where e.client_id = c.id and e.created_at <= p_now
         ) as a
   -- Who never did, is counted from when they became a client.
   cross join lateral (
           select extract(day from p_now - coalesce(a.active_at, c.created_at))::integer as idle,
                  extract(day from p_now - coalesce(a.checked_in_at, c.created_at))::integer as unseen
         ) as d
   cross join lateral (
           select least(sum(v.points), 100)::integer as score,
                  coalesce(array_agg(v.reason order by v.n) filter (where v.points > 0), '{}') as reasons
             from (values
               (1, case s.status when 'canceled' then 40 when 'past_due' then 30 else 0 end,
                case s.status when 'canceled' then 'Subscription canceled' else 'Payment past due' end),
               (2, case when d.idle >= 30 then 40 when d.idle >= 14 then 25 when d.idle >= 7 then 10 else 0 end,
                format('No activity for %s days', d.idle)),
               (3, case when d.unseen >= 30 then 20 when d.unseen >= 14 then 10 else 0 end,
                format('No check-in for %s days', d.unseen)),
               (4, case when a.this_week > 0 and a.this_week * 2 <= a.last_week then 10 else 0 end,
                'Less active than the week before')
             ) as v (n, points, reason)
         ) as t
   where c.org_id = any (p_org_ids) and c.status = 'active'
  on conflict (org_id, client_id, as_of_date) do update
     set score = excluded.score, tier = excluded.tier, reasons = excluded.reasons
   where (r.score, r.tier, r.reasons) is distinct from (excluded.score, excluded.tier, excluded.reasons);
  get diagnostics v_scored = row_count;
  return v_scored;
end;
$$;
comment on function app.score_risk(uuid[], timestamptz) is
  'Scores every active client of these orgs for the UTC date of p_now, 0 to 100, in one statement, and says why: '
  'subscription canceled 40, past due 30; nothing recorded in the app for 30 days 40, 14 days 25, 7 days 10; no check-in '
  'for 30 days 20, 14 days 10; at most half as much recorded as in the week before 10. Below 25 green, below 50 amber, '
  'else red. Returns how many rows it wrote; one that says the same already is left.';
revoke all on function app.score_risk(uuid[], timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/automations/score_risk.sql

-- >>> functions_sql/automations/settle_automation_push.sql
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
-- <<< functions_sql/automations/settle_automation_push.sql

-- >>> functions_sql/automations/simulate_automations.sql
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
-- <<< functions_sql/automations/simulate_automations.sql

-- >>> functions_sql/automations/store_run.sql
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
-- <<< functions_sql/automations/store_run.sql

-- >>> functions_sql/bookings/complete_past_bookings.sql
create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_orgs uuid[];
  v_packs uuid[];
  v_short uuid[];
  v_completed integer;
  v_id uuid;
begin
  -- This waits for nobody: a booking, a pack or an org that somebody is changing at this moment is left for the next
  -- call. So a transaction that hangs holds up what it holds, not every org's bookings, and no two callers ever deadlock.
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_due is null then
    return 0;  -- as most calls end: an update of no row would still run its triggers
  end if;
  -- Changing an org's time zone locks it against new rows that refer to it, such as texts.
  select array_agg(l.id) into v_orgs
    from (
      select o.id
        from public.orgs as o
       where o.id in (select b.org_id from public.bookings as b where b.id = any (v_due))
         for key share skip locked
    ) as l;
  select array_agg(b.id) into v_due
    from public.bookings as b where b.id = any (v_due) and b.org_id = any (v_orgs);
  select array_agg(l.id) into v_packs
    from (
      select p.id
        from public.client_purchases as p
       where p.id in (select b.purchase_id from public.bookings as b where b.id = any (v_due))
         for no key update skip locked
    ) as l;
  select array_agg(s.id) into v_short
    from (
      select p.id
        from public.bookings as b
        join public.client_purchases as p on p.id = b.purchase_id
       where b.id = any (v_due) and p.id = any (v_packs)
       group by p.id
      having count(*) > coalesce(p.sessions_remaining, 0)
    ) as s;
  update public.bookings as b
     set status = 'completed'
   where b.id = any (v_due)
     and (b.purchase_id is null or (b.purchase_id = any (v_packs) and b.purchase_id <> all (coalesce(v_short, '{}'))));
  get diagnostics v_completed = row_count;
  -- Nothing says in which order a statement changes its rows. Where a pack has less left than is due, order matters.
  for v_id in
    select b.id
      from public.bookings as b
     where b.id = any (v_due) and b.purchase_id = any (v_short)
     order by b.end_time, b.id
  loop
    update public.bookings as b set status = 'completed' where b.id = v_id;
    v_completed := v_completed + 1;
  end loop;
  return v_completed;
end;
$$;
comment on function app.complete_past_bookings(timestamptz, integer) is
  'Completes up to p_limit confirmed bookings that ended by p_now, oldest first, and with them deducts their sessions '
  '(app.settle_booking): of a pack that has too few left, the oldest take them. Returns how many; 0: none is left but '
  'what others hold right now. Any number of callers may run it at once.';
revoke all on function app.complete_past_bookings(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.complete_past_bookings(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/bookings/complete_past_bookings.sql

-- >>> functions_sql/bookings/count_text_version.sql
create or replace function app.count_text_version() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    new.text_version := 1;
    new.text_version_at := now();
    return new;
  end if;
  new.text_version := old.text_version;
  new.text_version_at := old.text_version_at;
  if new.start_time <> old.start_time or new.client_id <> old.client_id
     or (new.status = 'cancelled') <> (old.status = 'cancelled') then
    new.text_version := old.text_version + 1;
    new.text_version_at := now();
    -- A Y was for what was asked then. The existing calendar says so itself when it moves a booking; others do not.
    if new.status <> 'cancelled' then
      if new.client_confirmed is not distinct from old.client_confirmed then
        new.client_confirmed := false;
      end if;
      if new.confirmation_sent_at is not distinct from old.confirmation_sent_at then
        new.confirmation_sent_at := null;
      end if;
    end if;
  end if;
  return new;
end;
$$;
comment on function app.count_text_version() is
  'Counts what makes earlier texts about a booking untrue (bookings.text_version): another start, another client, '
  'cancelled, put back. What the client confirmed before is then not confirmed any more.';
revoke all on function app.count_text_version() from public, anon, authenticated, service_role;

create or replace trigger bookings_text_version_insert
  before insert on public.bookings
  for each row execute function app.count_text_version();
create or replace trigger bookings_text_version_update
  before update of start_time, client_id, status, text_version, text_version_at on public.bookings
  for each row when (
    new.start_time <> old.start_time or new.client_id <> old.client_id
    or (new.status = 'cancelled') <> (old.status = 'cancelled')
    or new.text_version <> old.text_version or new.text_version_at <> old.text_version_at
  )
  execute function app.count_text_version();
-- <<< functions_sql/bookings/count_text_version.sql

-- >>> functions_sql/bookings/request_session.sql
create or replace function app.request_session(
  p_slug text, p_start timestamptz, p_offer_id uuid, p_name text, p_email text, p_phone text, p_notes text,
  p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
  v_offer public.offers := app.offer_on_sale(v_org.id, p_offer_id);
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text;
  v_client public.clients;
  v_booking public.bookings;
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name.';
  end if;
  if v_email is null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Give an e-mail address.';
  end if;
  v_phone := app.clean_phone('phone', p_phone, v_org.country_code);
  perform app.count_visitor(v_org.id, p_now);
  -- Taken before looking: a second click finds what the first one made.
  perform from public.orgs as o where o.id = v_org.id for no key update;
  select c.* into v_client
    from public.clients as c
   where c.org_id = v_org.id and lower(c.email) = lower(v_email)
   order by c.created_at, c.id
   limit 1;
  -- Only the same request, just made by the same signed-in user or by nobody who was, counts as this one: what else a
  -- client has booked is not told to whoever knows their e-mail address.
  select b.* into v_booking
    from public.bookings as b
   where b.client_id = v_client.id and b.start_time = p_start and b.status = 'pending'
     and b.offer_id = p_offer_id and b.purchase_id is null and b.booking_source = 'client'
     and b.booked_by is not distinct from auth.uid()
     and b.created_at > p_now - interval '10 minutes'
     and b.client_notes is not distinct from nullif(btrim(p_notes), '');
  if not found then
    -- Nobody proves here who they are: a request takes the time until the coach answers, so there are only so many. In
    -- all, not for each address: another limit for those who are clients would tell who is one.
    if (
         select count(*) >= 30
           from public.bookings as b
          where b.org_id = v_org.id and b.start_time > p_now and b.status = 'pending' and b.booking_source = 'client'
       ) then
      raise exception using errcode = 'PT429', message = 'too_many_requests',
        hint = 'Earlier requests wait for an answer; try again when the coach has answered.';
    end if;
    if v_client.id is null then
      insert into public.clients (org_id, full_name, email, phone, source)
      values (v_org.id, v_name, v_email, v_phone, 'online_booking')
      returning * into v_client;
    end if;
    v_booking := app.place_booking(v_client, p_start, null, v_offer, p_notes, p_now);
  end if;
  -- The same words for a client and a stranger: the page cannot be used to ask who is one.
  return jsonb_build_object('status', 'requested', 'start_time', v_booking.start_time, 'end_time', v_booking.end_time);
end;
$$;
comment on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz) is
  'What public.request_session() promises, at the instant p_now.';
revoke all on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.request_session(
  p_slug text, p_start timestamptz, p_offer_id uuid, p_name text, p_email text, p_phone text default null,
  p_notes text default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.request_session(p_slug, p_start, p_offer_id, p_name, p_email, p_phone, p_notes, now());
end;
comment on function public.request_session(text, timestamptz, uuid, text, text, text, text) is
  'A visitor of the public booking page asks for a time: a pending booking, which takes the time until the coach '
  'accepts or cancels it, for the client with this e-mail address or a new one; the answer {status, start_time, '
  'end_time} is the same for both. Safe to call twice. PT404 page_not_found, offer_not_found; PT400 name_invalid, '
  'email_invalid, phone_invalid, notes_too_long; PT403 client_booking_off; PT409 slot_…; PT429 too_many_requests.';
revoke all on function public.request_session(text, timestamptz, uuid, text, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.request_session(text, timestamptz, uuid, text, text, text, text)
  to anon, authenticated, service_role;
-- <<< functions_sql/bookings/request_session.sql

-- >>> functions_sql/clients/capture_inquiry.sql
create or replace function app.capture_inquiry(
  p_org_slug text, p_name text, p_email text, p_phone text, p_message text, p_source text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
  v_country text;
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text;
  v_message text := app.clean_text('message', p_message, 5000, true);
  v_source text := coalesce(app.clean_text('source', p_source, 50), 'website');
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name of 1 to 200 characters.';
  end if;
  select o.id, o.country_code into v_org_id, v_country from public.orgs as o where o.slug = p_org_slug;
  if not found then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'org_slug names no business.';
  end if;
  v_phone := app.clean_phone('phone', p_phone, v_country);
  perform app.count_visitor(v_org_id, p_now);
  -- No other visitor is writing here now (count_visitor), so what is looked for cannot appear in between.
  if not exists (
    select from public.inquiries as i
     where i.org_id = v_org_id and i.status in ('NEW', 'CONTACTED', 'BOOKED')
       and lower(i.email) = lower(v_email)
  ) and not exists (
    select from public.inquiries as i  -- without an e-mail address only the very same form is the same person's
     where v_email is null
       and i.org_id = v_org_id and i.status in ('NEW', 'CONTACTED', 'BOOKED') and lower(i.email) is null
       and i.name = v_name and i.phone is not distinct from v_phone and i.message is not distinct from v_message
  ) then
    insert into public.inquiries (org_id, name, email, phone, message, source, created_at)
    values (v_org_id, v_name, v_email, v_phone, v_message, v_source, p_now);
  end if;
  return jsonb_build_object('success', true, 'message', 'Thank you! We will be in touch soon.');
end;
$$;
comment on function app.capture_inquiry(text, text, text, text, text, text, timestamptz) is
  'What public.capture_inquiry() promises, at the instant p_now.';
revoke all on function app.capture_inquiry(text, text, text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.capture_inquiry(text, text, text, text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.capture_inquiry(
  p_org_slug text, p_name text, p_email text default null, p_phone text default null, p_message text default null,
  p_source text default 'website'
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.capture_inquiry(p_org_slug, p_name, p_email, p_phone, p_message, p_source, now());
end;
comment on function public.capture_inquiry(text, text, text, text, text, text) is
  'A visitor asks an org to get in touch: adds a lead, unless one of the same e-mail address is open (without an '
  'address: one that is the same altogether). The answer is the same either way, {success, message}: it does not say '
  'who is known. Errors: PT400 <name|email|phone|message|source>_invalid, PT404 org_not_found, PT429 too_many_requests.';
revoke all on function public.capture_inquiry(text, text, text, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.capture_inquiry(text, text, text, text, text, text)
  to anon, authenticated, service_role;
-- <<< functions_sql/clients/capture_inquiry.sql

-- >>> functions_sql/clients/clean_onboarding.sql
create or replace function app.clean_onboarding(p_answers jsonb, p_today date, p_country text) returns jsonb
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_clean jsonb := '{}';
  v_field text;
  v_value jsonb;
begin
  if jsonb_typeof(p_answers) is distinct from 'object' or octet_length(p_answers::text) > 65536 then
    raise exception using errcode = 'PT400', message = 'answers_invalid',
      hint = 'Send the answers as one JSON object of at most 64 KiB.';
  end if;
  for v_field, v_value in select a.key, a.value from jsonb_each(p_answers) as a loop
    case
      when v_field in ('full_name', 'address_line1', 'address_line2', 'emergency_contact_name') then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 200));
      when v_field in ('city', 'state') then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 100));
      when v_field = 'postcode' then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 20));
      when v_field = 'email' then
        v_value := to_jsonb(app.clean_email(v_field, app.json_text(v_field, v_value)));
      when v_field in ('phone', 'emergency_contact_phone') then
        v_value := to_jsonb(app.clean_phone(v_field, app.json_text(v_field, v_value), p_country));
      when v_field = 'date_of_birth' then
        v_value := to_jsonb(app.clean_date(v_field, app.json_text(v_field, v_value), p_today));
      when v_field = 'gender' then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 20));
        if v_value not in ('"male"', '"female"', '"other"', '"prefer_not_to_say"') then
          raise exception using errcode = 'PT400', message = 'gender_invalid',
            hint = 'gender must be male, female, other or prefer_not_to_say.';
        end if;
      when v_field = 'height_cm' then
        v_value := to_jsonb(app.clean_number(v_field, v_value, 300));
      when v_field in ('weight_kg', 'target_weight_kg') then
        v_value := to_jsonb(app.clean_number(v_field, v_value, 700));
      when v_field in ('goals', 'health_conditions', 'injuries', 'medications', 'dietary_restrictions') then
        v_value := to_jsonb(app.clean_list(v_field, app.json_texts(v_field, v_value), 30, 300));
      else
        -- The name is the sender's own text: it is not repeated.
        raise exception using errcode = 'PT400', message = 'answer_unknown',
          hint = 'Send only full_name, email, phone, date_of_birth, gender, address_line1, address_line2, city, state, '
                 'postcode, height_cm, weight_kg, target_weight_kg, goals, health_conditions, injuries, medications, '
                 'dietary_restrictions, emergency_contact_name and emergency_contact_phone.';
    end case;
    v_clean := v_clean || jsonb_build_object(v_field, v_value);
  end loop;
  if v_clean -> 'full_name' = 'null' then
    raise exception using errcode = 'PT400', message = 'full_name_invalid',
      hint = 'full_name must be a name of 1 to 200 characters.';
  end if;
  return v_clean;
end;
$$;
comment on function app.clean_onboarding(jsonb, date, text) is
  'A client''s answers as they are stored in the columns of the same names: empty ones null, phones in E.164. '
  'p_today: the org''s date; p_country: its country, for phones without one. Raises PT400 answers_invalid, answer_unknown, or <field>_invalid with a hint '
  'that says what is allowed.';
revoke all on function app.clean_onboarding(jsonb, date, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_onboarding.sql

-- >>> functions_sql/clients/clean_phone.sql
create or replace function app.clean_phone(p_field text, p_phone text, p_country text) returns text
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_typed text := app.clean_text(p_field, p_phone, 40);
  v_phone text := app.normal_phone(v_typed, p_country);
begin
  if v_typed is not null and v_phone is null then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = 'Give a whole phone number; one of another country begins with + and the country''s code.';
  end if;
  return v_phone;
end;
$$;
comment on function app.clean_phone(text, text, text) is
  'A phone number that a visitor types, in E.164 (app.normal_phone); null when empty. Raises PT400 <field>_invalid.';
revoke all on function app.clean_phone(text, text, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_phone.sql

-- >>> functions_sql/clients/due_push_tickets.sql
create or replace function app.due_push_tickets(p_now timestamptz, p_limit integer) returns text[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tickets text[];
begin
  -- Expo keeps what became of a push for a day.
  delete from app.push_tickets as k
   where k.ticket_id in (
           select d.ticket_id
             from app.push_tickets as d
            where d.check_at <= p_now and d.sent_at < p_now - interval '24 hours'
              for update skip locked
         );
  with due as (
    select k.ticket_id
      from app.push_tickets as k
     where k.check_at <= p_now
     order by k.check_at
     limit p_limit
       for no key update skip locked
  ),
  handed as (
    update app.push_tickets as k
       set check_at = p_now + interval '15 minutes'
      from due as d
     where k.ticket_id = d.ticket_id
    returning k.ticket_id
  )
  select array_agg(h.ticket_id) into v_tickets from handed as h;
  return coalesce(v_tickets, '{}');
end;
$$;
comment on function app.due_push_tickets(timestamptz, integer) is
  'Pushes that Expo is to be asked about now, each to one caller; those without an answer yet come again in a quarter of '
  'an hour, for a day.';
revoke all on function app.due_push_tickets(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.due_push_tickets(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/clients/due_push_tickets.sql

-- >>> functions_sql/clients/normal_phone.sql
create or replace function app.normal_phone(p_phone text, p_country text) returns text
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  -- As hands and other programs write it: full-width or Arabic digits, blanks, dashes, dots, slashes, brackets, marks
  -- that nobody sees.
  v_dialled text := regexp_replace(
    translate(normalize(left(p_phone, 250), nfkc),
              U&'\0660\0661\0662\0663\0664\0665\0666\0667\0668\0669\06F0\06F1\06F2\06F3\06F4\06F5\06F6\06F7\06F8\06F9',
              '01234567890123456789'),
    '[-\s().\[\]/~\u00AD\u200B-\u200F\u2010-\u2015\u202A-\u202E\u2053\u2060-\u2069\u2212\u223C\u30FC\uFEFF]', '', 'g');
  v_has_plus boolean := starts_with(v_dialled, '+');
  v_home app.phone_regions;
  v_region app.phone_regions;
  v_number text;
  v_shorter text;
begin
  v_dialled := ltrim(v_dialled, '+');
  if v_dialled is null or length(p_phone) > 250 or v_dialled !~ '^[0-9]{3,20}$' then
    return null;
  end if;
  if v_has_plus then
    v_region := app.phone_region_of(v_dialled);
    v_number := substr(v_dialled, length(v_region.calling_code::text) + 1);
  end if;
  if v_region.region is null then  -- also with a + before what is no country's code
    select r.* into v_home from app.phone_regions as r where r.region = p_country;
    v_number := regexp_replace(v_dialled, '^(?:' || v_home.international_prefix || ')', '');
    if v_number <> v_dialled and not starts_with(v_number, '0') then
      v_region := app.phone_region_of(v_number);
      v_number := substr(v_number, length(v_region.calling_code::text) + 1);
    else
      -- The country's own code without +, if that makes a number of what was none, or was too long for one.
      v_number := app.strip_national_prefix(
        substr(v_dialled, length(v_home.calling_code::text) + 1), v_home);
      if starts_with(v_dialled, v_home.calling_code::text)
         and ((v_dialled !~ ('^(?:' || v_home.pattern || ')$') and v_number ~ ('^(?:' || v_home.pattern || ')$'))
              or (length(v_dialled) > v_home.lengths[cardinality(v_home.lengths)]
                  and length(v_dialled) <> all (v_home.local_lengths))) then
        v_region := app.phone_region_of(v_dialled);
      elsif not v_has_plus then
        v_region := v_home;
        v_number := v_dialled;
      end if;
    end if;
  end if;
  if v_region.region is null then
    return null;
  end if;
  v_shorter := app.strip_national_prefix(v_number, v_region);
  -- A prefix is only that if what is left can be a number.
  if length(v_shorter) = any (v_region.lengths)
     or length(v_shorter) > v_region.lengths[cardinality(v_region.lengths)] then
    v_number := v_shorter;
  end if;
  -- Countries that share a calling code share its numbers: somebody in Guernsey may write one of Great Britain's.
  select r.* into v_region from app.phone_regions as r where r.is_main and r.calling_code = v_region.calling_code;
  return case
    when length(v_number) = any (v_region.lengths) and v_number ~ ('^(?:' || v_region.pattern || ')$')
         and length(v_region.calling_code::text || v_number) between 7 and 15
      then '+' || v_region.calling_code || v_number
  end;
end;
$$;
comment on function app.normal_phone(text, text) is
  'A phone number in E.164 (+61412345678), read as libphonenumber reads it where somebody in p_country (ISO 3166-1, as '
  'orgs.country_code) wrote it; null when it is none: words, an extension, a length or beginning that the country''s '
  'numbers do not have. The one place that reads numbers; tests/py/clients/test_phones.py compares it with the library.';
revoke all on function app.normal_phone(text, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/normal_phone.sql

-- >>> functions_sql/clients/phone_region_of.sql
create or replace function app.phone_region_of(p_digits text) returns app.phone_regions
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  v_region app.phone_regions;
begin
  -- No calling code begins with another one.
  select r.* into v_region
    from app.phone_regions as r
   where r.is_main and length(p_digits) > 2
     and r.calling_code in (left(p_digits, 1)::integer, left(p_digits, 2)::integer, left(p_digits, 3)::integer)
     and starts_with(p_digits, r.calling_code::text);
  return v_region;
end;
$$;
comment on function app.phone_region_of(text) is
  'Whose calling code these digits begin with, the code''s main country where several share it; null for nobody''s.';
revoke all on function app.phone_region_of(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/phone_region_of.sql

-- >>> functions_sql/clients/push_targets.sql
create or replace function app.push_targets(p_client_ids uuid[], p_user_id uuid default null)
  returns table (client_id uuid, push_token_id uuid, token text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select c.id, t.id, t.expo_token
    from public.clients as c
    left join public.push_tokens as t on t.client_id = c.id
   where c.id = any (p_client_ids)
     and (p_user_id is null or exists (
           select from public.org_members as m
            where m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
         ))
   order by c.id, t.created_at, t.id;
end;
$$;
comment on function app.push_targets(uuid[], uuid) is
  'The devices of clients: a row for each, one with nulls for a client without any, none for a client who does not '
  'exist or, with p_user_id, is not of an org in which that user (verified by the caller) is owner or staff.';
revoke all on function app.push_targets(uuid[], uuid) from public, anon, authenticated, service_role;
grant execute on function app.push_targets(uuid[], uuid) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/clients/push_targets.sql

-- >>> functions_sql/clients/read_client_phone.sql
create or replace function app.read_client_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.phone_e164 := app.normal_phone(
    new.phone, (select o.country_code from public.orgs as o where o.id = new.org_id));
  -- Whoever types it is told; what is brought over from elsewhere stays as it is, and is shown as not reachable.
  if new.phone_e164 is null and new.phone ~ '\S' and current_setting('role') = 'authenticated'
     and (tg_op = 'INSERT' or new.phone is distinct from old.phone) then
    raise exception using errcode = 'PT400', message = 'phone_invalid',
      hint = 'Give a whole phone number; one of another country begins with + and the country''s code.';
  end if;
  return new;
end;
$$;
comment on function app.read_client_phone() is
  'Keeps clients.phone_e164 what app.normal_phone() makes of clients.phone, whatever the caller sends. A number that '
  'cannot be read is refused (PT400 phone_invalid) from a signed-in user; from others it is stored without E.164.';
revoke all on function app.read_client_phone() from public, anon, authenticated, service_role;

create or replace trigger clients_read_phone before insert or update of phone, phone_e164 on public.clients
  for each row execute function app.read_client_phone();
-- <<< functions_sql/clients/read_client_phone.sql

-- >>> functions_sql/clients/record_pushes.sql
create or replace function app.record_pushes(p_taken jsonb, p_dead uuid[], p_sent_at timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.push_tickets (ticket_id, push_token_id, sent_at, check_at)
  select k.ticket_id, t.id, p_sent_at, p_sent_at + interval '15 minutes'
    from jsonb_to_recordset(p_taken) as k (ticket_id text, push_token_id uuid)
    join public.push_tokens as t on t.id = k.push_token_id
  on conflict (ticket_id) do nothing;
  delete from public.push_tokens as t where t.id = any (p_dead) and t.updated_at <= p_sent_at;
end;
$$;
comment on function app.record_pushes(jsonb, uuid[], timestamptz) is
  'After pushes sent at p_sent_at: p_taken, [{ticket_id, push_token_id}], are asked about a quarter of an hour later, as '
  'Expo advises; the devices p_dead are forgotten, unless the app has registered them anew since. '
  'Source: https://docs.expo.dev/push-notifications/sending-notifications/';
revoke all on function app.record_pushes(jsonb, uuid[], timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.record_pushes(jsonb, uuid[], timestamptz) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/clients/record_pushes.sql

-- >>> functions_sql/clients/settle_push_tickets.sql
create or replace function app.settle_push_tickets(p_answered text[], p_dead text[]) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_forgotten integer;
begin
  with settled as (
    delete from app.push_tickets as k
     where k.ticket_id = any (p_answered)
    returning k.ticket_id, k.push_token_id, k.sent_at
  )
  delete from public.push_tokens as t
   using settled as s
   where s.ticket_id = any (p_dead) and t.id = s.push_token_id and t.updated_at <= s.sent_at;
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end;
$$;
comment on function app.settle_push_tickets(text[], text[]) is
  'What Expo says became of pushes: p_answered are asked about no more; of those, p_dead went to a device that is not '
  'registered any longer, which is forgotten unless the app has registered it anew since. Returns how many were.';
revoke all on function app.settle_push_tickets(text[], text[]) from public, anon, authenticated, service_role;
grant execute on function app.settle_push_tickets(text[], text[]) to coach_os_worker;
-- <<< functions_sql/clients/settle_push_tickets.sql

-- >>> functions_sql/clients/strip_national_prefix.sql
create or replace function app.strip_national_prefix(p_number text, p_region app.phone_regions) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_groups text[] := regexp_match(p_number, '^(' || p_region.national_prefix || ')');
  v_stripped text;
begin
  if v_groups is null then
    return p_number;
  end if;
  v_stripped := case
    when p_region.national_prefix_becomes is not null and v_groups[cardinality(v_groups)] is not null
         and cardinality(v_groups) > 1
      then regexp_replace(p_number, '^(?:' || p_region.national_prefix || ')', p_region.national_prefix_becomes)
    else substr(p_number, length(v_groups[1]) + 1)
  end;
  -- What looks like a prefix may be the beginning of a number that is one as it stands.
  return case
    when p_number ~ ('^(?:' || p_region.pattern || ')$') and v_stripped !~ ('^(?:' || p_region.pattern || ')$')
      then p_number
    else v_stripped
  end;
end;
$$;
comment on function app.strip_national_prefix(text, app.phone_regions) is
  'Digits as dialled within a country, without what is dialled before a number there, as libphonenumber strips it.';
revoke all on function app.strip_national_prefix(text, app.phone_regions)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/strip_national_prefix.sql

-- >>> functions_sql/clients/submit_onboarding.sql
create or replace function app.submit_onboarding(
  p_token uuid, p_answers jsonb, p_waiver_version text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_new public.clients;
  v_org public.orgs;
  v_token_sha256 bytea := app.token_hash(p_token);
  v_answers_sha256 bytea := sha256(convert_to(p_answers::text, 'UTF8'));
  v_used app.used_onboarding_tokens;
  v_text text;
begin
  -- A second submission waits here for the first, and then finds the link used.
  select c.* into v_client from public.clients as c where c.onboarding_token = p_token for update;
  if not found then
    select u.* into v_used from app.used_onboarding_tokens as u where u.token_sha256 = v_token_sha256;
    if not found then
      raise exception using errcode = 'PT404', message = 'token_not_found',
        hint = 'This link is not, or no longer, valid; ask for a new one.';
    end if;
    -- Other answers are not stored, so it must not look as if they were.
    if v_used.answers_sha256 is distinct from v_answers_sha256 then
      raise exception using errcode = 'PT409', message = 'onboarding_already_completed',
        hint = 'This form was sent before; ask your coach to change what is not right.';
    end if;
    return jsonb_build_object('status', 'completed');
  end if;
  select o.* into v_org from public.orgs as o where o.id = v_client.org_id;
  v_new := jsonb_populate_record(v_client, app.clean_onboarding(
    p_answers, app.format_local(p_now, v_org.timezone, 'YYYY-MM-DD')::date, v_org.country_code));
  v_text := app.waiver_to_sign(v_client.org_id, p_waiver_version);
  update public.clients as c
     set full_name = v_new.full_name, email = v_new.email, phone = v_new.phone,
         date_of_birth = v_new.date_of_birth, gender = v_new.gender,
         address_line1 = v_new.address_line1, address_line2 = v_new.address_line2, city = v_new.city,
         state = v_new.state, postcode = v_new.postcode,
         height_cm = v_new.height_cm, weight_kg = v_new.weight_kg, target_weight_kg = v_new.target_weight_kg,
         goals = v_new.goals, health_conditions = v_new.health_conditions, injuries = v_new.injuries,
         medications = v_new.medications, dietary_restrictions = v_new.dietary_restrictions,
         emergency_contact_name = v_new.emergency_contact_name,
         emergency_contact_phone = v_new.emergency_contact_phone,
         onboarding_completed_at = p_now, onboarding_token = null
   where c.id = v_client.id;
  insert into public.client_waivers (
    org_id, client_id, name, status, source, sent_at, signed_at, signed_text, signed_version, signed_ip, created_at
  )
  values (v_client.org_id, v_client.id, 'Onboarding Waiver', 'signed', 'onboarding', p_now, p_now,
          v_text, app.text_version(v_text), app.request_ip(), p_now);
  -- A coach may give out the same link again: then this use counts.
  insert into app.used_onboarding_tokens as u (token_sha256, client_id, answers_sha256, used_at)
  values (v_token_sha256, v_client.id, v_answers_sha256, p_now)
  on conflict (token_sha256) do update
     set client_id = excluded.client_id, answers_sha256 = excluded.answers_sha256, used_at = excluded.used_at;
  if app.queue_coach_sms(
       v_client.org_id, 'onboarding_completed', jsonb_build_object('client_name', v_new.full_name), 'client',
       v_client.id, format('onboarding_completed:%s:%s', v_client.id, extract(epoch from p_now)), p_now
     ) is not null then
    insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
    values (v_client.org_id, v_client.id, 'sms', 'outbound', 'Onboarding Completed Notification',
            'The coach was told by text that the onboarding form is completed.', p_now);
  end if;
  return jsonb_build_object('status', 'completed');
end;
$$;
comment on function app.submit_onboarding(uuid, jsonb, text, timestamptz) is
  'What public.submit_onboarding() promises, at the instant p_now.';
revoke all on function app.submit_onboarding(uuid, jsonb, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.submit_onboarding(uuid, jsonb, text, timestamptz) to anon, authenticated, service_role;

create or replace function public.submit_onboarding(p_token uuid, p_answers jsonb, p_waiver_version text default null)
  returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.submit_onboarding(p_token, p_answers, p_waiver_version, now());
end;
comment on function public.submit_onboarding(uuid, jsonb, text) is
  'Stores a client''s answers, signs the org''s waiver, uses the link up and tells the coach by text where that is '
  'possible: all or nothing. A field that is left out stays as it is; an empty one becomes null. p_waiver_version: as '
  'onboarding_form() told, so that nobody signs a text they were not shown. Returns {status: "completed"}, also when '
  'the same answers come again, which changes nothing. Errors: PT404 token_not_found, PT400 answers_invalid, '
  'answer_unknown or <field>_invalid, PT409 waiver_changed, PT409 onboarding_already_completed (other answers).';
revoke all on function public.submit_onboarding(uuid, jsonb, text) from public, anon, authenticated, service_role;
grant execute on function public.submit_onboarding(uuid, jsonb, text) to anon, authenticated, service_role;
-- <<< functions_sql/clients/submit_onboarding.sql

-- >>> functions_sql/clients/submit_referral.sql
create or replace function app.submit_referral(
  p_code text, p_name text, p_email text, p_phone text, p_message text, p_services text[], p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_link public.referral_links;
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text;
  v_message text := app.clean_text('message', p_message, 5000, true);
  v_services text[] := app.clean_list('services', p_services, 20, 200);
  v_referral_id uuid;
  v_inquiry_id uuid;
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name of 1 to 200 characters.';
  end if;
  if v_email is null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Give an e-mail address.';
  end if;
  v_link := app.open_referral_link(p_code, p_now);
  if v_link.id is null then
    raise exception using errcode = 'PT404', message = 'referral_not_found',
      hint = 'This referral link is not, or no longer, valid; ask for a new one.';
  end if;
  v_phone := app.clean_phone('phone', p_phone, (select o.country_code from public.orgs as o where o.id = v_link.org_id));
  perform app.count_visitor(v_link.org_id, p_now);
  insert into public.referrals as r (
    org_id, referral_link_id, referred_email, referred_name, clicked_at, signed_up_at, created_at
  )
  values (v_link.org_id, v_link.id, v_email, v_name, p_now, p_now, p_now)
  on conflict (referral_link_id, lower(referred_email)) do nothing
  returning r.id into v_referral_id;
  if not found then
    select r.id into v_referral_id
      from public.referrals as r
     where r.referral_link_id = v_link.id and lower(r.referred_email) = lower(v_email);
    return v_referral_id;
  end if;
  insert into public.inquiries as i (
    org_id, name, email, phone, message, source, referral_code, services_interested, created_at
  )
  values (v_link.org_id, v_name, v_email, v_phone, v_message, 'referral', v_link.code, v_services, p_now)
  returning i.id into v_inquiry_id;
  update public.referrals as r set inquiry_id = v_inquiry_id where r.id = v_referral_id;
  update public.referral_links as l set signups = coalesce(l.signups, 0) + 1 where l.id = v_link.id;
  return v_referral_id;
end;
$$;
comment on function app.submit_referral(text, text, text, text, text, text[], timestamptz) is
  'What public.submit_referral() promises, at the instant p_now. Returns the id of the sign-up, the same however often '
  'it is sent.';
revoke all on function app.submit_referral(text, text, text, text, text, text[], timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.submit_referral(text, text, text, text, text, text[], timestamptz)
  to anon, authenticated, service_role;

create or replace function public.submit_referral(
  p_code text, p_name text, p_email text, p_phone text default null, p_message text default null,
  p_services text[] default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select jsonb_build_object('status', 'received')
    from app.submit_referral(p_code, p_name, p_email, p_phone, p_message, p_services, now());
end;
comment on function public.submit_referral(text, text, text, text, text, text[]) is
  'Signs somebody up through a referral link: lead, referral (pending) and the link''s count, all or nothing, once per '
  'link and e-mail address. Sent again it changes nothing. The answer is always {status: "received"}. Errors: PT400 '
  '<name|email|phone|message|services>_invalid, PT404 referral_not_found, PT429 too_many_requests.';
revoke all on function public.submit_referral(text, text, text, text, text, text[])
  from public, anon, authenticated, service_role;
grant execute on function public.submit_referral(text, text, text, text, text, text[])
  to anon, authenticated, service_role;
-- <<< functions_sql/clients/submit_referral.sql

-- >>> functions_sql/money/account_finding_kinds.sql
create or replace function app.account_finding_kinds() returns text[]
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return '{account_access_lost,key_of_other_mode,stripe_unavailable}';
end;
$$;
comment on function app.account_finding_kinds() is
  'The kinds of findings that say that an account could not be compared with Stripe: app.reconciliation_failed().';
revoke all on function app.account_finding_kinds() from public, anon, authenticated, service_role;
-- <<< functions_sql/money/account_finding_kinds.sql

-- >>> functions_sql/money/apply_checkout_session.sql
create or replace function app.apply_checkout_session(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_intent_id text := app.stripe_id(p_session -> 'payment_intent');
  v_session_id text := p_session ->> 'id';
  v_payment_key text := coalesce(v_intent_id, v_session_id);
  v_client_id uuid := app.client_of_stripe(p_org_id, p_session);
  v_amount bigint := (p_session ->> 'amount_total')::bigint;
  v_paid boolean := coalesce(p_session ->> 'payment_status', '') in ('paid', 'no_payment_required');
  v_offer public.offers;
  v_checkout app.checkouts;
  v_payment app.stripe_payments;
begin
  -- Which of our own checkouts it was: what that says of the price is ours, what the metadata says could be anybody's.
  select c.* into v_checkout
    from app.checkouts as c
   where c.id = app.id_in_metadata(p_session, 'checkout_id') and c.org_id = p_org_id;
  if p_session ->> 'mode' = 'subscription' then
    if v_paid then
      perform app.checkout_paid(v_checkout.id, p_at);
    end if;
    return app.apply_subscription_checkout(p_org_id, p_session, p_at);
  end if;
  if p_session -> 'metadata' ->> 'offer_id' is null then
    -- Not a sale of ours: its charge books the money, the session may know from whom.
    if v_client_id is null or v_intent_id is null then
      return 'ignored';
    end if;
    perform app.note_payment(p_org_id, v_intent_id, p_client_id => v_client_id, p_checkout_session_id => v_session_id);
    return 'applied';
  end if;
  -- A delayed method completes the session before the money is there; its async event comes later.
  -- https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification
  if not v_paid then
    return 'ignored';
  end if;
  select o.* into v_offer
    from public.offers as o
   where o.id = app.id_in_metadata(p_session, 'offer_id') and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_in_org';
  end if;
  if v_client_id is null then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;

  v_payment := app.note_payment(
    p_org_id, v_payment_key, p_at, v_amount, p_session ->> 'currency', v_client_id,
    p_checkout_session_id => v_session_id
  );
  perform app.checkout_paid(v_checkout.id, p_at);
  -- Another event about this session may have granted the pack: note_payment() made us wait for it.
  update public.client_purchases as p
     set purchased_at = p_at,
         expires_at = case when p.expires_at = p.purchased_at + make_interval(days => v_offer.pack_validity_days)
                           then p_at + make_interval(days => v_offer.pack_validity_days) else p.expires_at end
   where p.org_id = p_org_id and p.stripe_checkout_session_id = v_session_id and p.purchased_at > p_at;
  if exists (
    select from public.client_purchases as p
     where p.org_id = p_org_id and p.stripe_checkout_session_id = v_session_id
  ) then
    return 'applied';
  end if;
  insert into public.client_purchases (
    org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
    stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, session_duration_mins,
    promo_code_id, discount_cents
  )
  values (
    p_org_id, v_client_id, v_offer.id, v_amount, lower(p_session ->> 'currency'),
    app.sessions_of_offer(v_offer), p_at,
    p_at + make_interval(days => v_offer.pack_validity_days), v_intent_id, v_session_id,
    case when v_payment.taken_back then 'refunded' else 'succeeded' end, 'stripe', v_offer.session_duration_mins,
    v_checkout.promo_code_id, coalesce(v_checkout.discount_cents, 0)
  )
  on conflict on constraint client_purchases_one_per_payment do nothing;
  return 'applied';
end;
$$;
comment on function app.apply_checkout_session(uuid, jsonb, timestamptz) is
  'A paid Checkout Session with metadata offer_id and client_id grants the pack and books the income, each once; the '
  'pack of a payment that was refunded before its session was told is refunded from the start. One in subscription mode: '
  'app.apply_subscription_checkout(). Amounts in the smallest unit of the session''s currency. Raises PT404 '
  'offer_not_in_org, PT404 client_not_in_org. Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_checkout_session(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_checkout_session.sql

-- >>> functions_sql/money/apply_fee_refunds.sql
create or replace function app.apply_fee_refunds(p_org_id uuid, p_fee jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_charge_id text := app.stripe_id(p_fee -> 'charge');
  v_refund jsonb;
  v_given_at timestamptz;
  v_payment app.stripe_payments;
  v_status text := 'ignored';
begin
  if v_charge_id is null or jsonb_typeof(p_fee -> 'refunds' -> 'data') is distinct from 'array' then
    return 'ignored';
  end if;
  -- Of this and the event that first tells of the charge, one sees what the other did: app.place_fee_refunds().
  perform app.lock_stripe_object(p_org_id, 'fee of ' || v_charge_id);
  select p.* into v_payment
    from app.stripe_payments as p where p.org_id = p_org_id and p.charge_id = v_charge_id
   order by p.payment_key limit 1;
  for v_refund in select r.value from jsonb_array_elements(p_fee -> 'refunds' -> 'data') as r loop
    v_given_at := coalesce(to_timestamp((v_refund ->> 'created')::bigint), p_at);
    perform app.note_stripe_fact(
      p_org_id, v_refund ->> 'id', 'fee_refunded', v_given_at, (v_refund ->> 'amount')::bigint,
      v_refund ->> 'currency', v_charge_id
    );
    perform app.book_stripe(
      p_org_id, 'PLATFORM_FEE', v_refund ->> 'id', v_given_at, (v_refund ->> 'amount')::bigint,
      lower(v_refund ->> 'currency'), v_payment.client_id, v_payment.payment_key, v_payment.invoice_id
    );
    v_status := 'applied';
  end loop;
  return v_status;
end;
$$;
comment on function app.apply_fee_refunds(uuid, jsonb, timestamptz) is
  'What the platform gave back of its share of a payment (p_fee: the application fee, with its refunds): a PLATFORM_FEE of '
  'the opposite sign for each refund of the fee, by its own amount. amount_refunded, the running total, books nothing. '
  'Source: https://docs.stripe.com/api/fee_refunds/object, https://docs.stripe.com/api/application_fees/object';
revoke all on function app.apply_fee_refunds(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_fee_refunds.sql

-- >>> functions_sql/money/apply_payout.sql
create or replace function app.apply_payout(p_org_id uuid, p_payout jsonb, p_at timestamptz, p_event_type text)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_payout ->> 'id';
  v_paid app.stripe_facts;
  v_failed app.stripe_facts;
begin
  perform app.lock_stripe_object(p_org_id, v_id);
  perform app.note_stripe_fact(
    p_org_id, v_id, case p_event_type when 'payout.paid' then 'payout_paid' else 'payout_failed' end, p_at,
    (p_payout ->> 'amount')::bigint, p_payout ->> 'currency'
  );
  select f.* into v_paid
    from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_paid';
  if found then
    perform app.book_stripe(p_org_id, 'PAYOUT', v_id, v_paid.happened_at, -v_paid.amount_cents, v_paid.currency);
    -- Which payments it paid out no event carries: Stripe is asked.
    insert into app.stripe_payments (org_id, payment_key, lookup_at)
    values (p_org_id, v_id, v_paid.happened_at)
    on conflict (org_id, payment_key) do nothing;
    select f.* into v_failed
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_failed';
    if found then
      perform app.book_stripe(
        p_org_id, 'PAYOUT', v_id || ':reversal', v_failed.happened_at, v_paid.amount_cents, v_paid.currency
      );
    end if;
  end if;
  return 'applied';
end;
$$;
comment on function app.apply_payout(uuid, jsonb, timestamptz, text) is
  'A payout to the org''s bank is booked once when paid, and booked back once when it fails after that, as the bank may '
  'still return it. Source: https://docs.stripe.com/payouts#payout-failures';
revoke all on function app.apply_payout(uuid, jsonb, timestamptz, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_payout.sql

-- >>> functions_sql/money/apply_stripe_event.sql
create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event -> 'data' -> 'object';
  v_at timestamptz;
begin
  if not app.is_booked_event(v_type) then
    return 'ignored';
  end if;
  v_at := to_timestamp((p_event ->> 'created')::bigint);
  if v_at is null or jsonb_typeof(v_object -> 'id') is distinct from 'string' then
    raise exception using errcode = 'PT422', message = 'event_incomplete',
      hint = 'An event says when it was made, and its object has an id.';
  end if;
  return case
    when v_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded')
      then app.apply_checkout_session(p_org_id, v_object, v_at)
    when v_type = 'payment_intent.succeeded' then app.apply_payment_intent(p_org_id, v_object, v_at)
    when v_type in ('charge.succeeded', 'charge.captured') then app.apply_charge(p_org_id, v_object, v_at)
    when v_type = 'charge.refunded' then app.apply_charge_refunds(p_org_id, v_object, v_at)
    when v_type in ('refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated')
      then app.apply_refund(p_org_id, v_object, v_at)
    when v_type like 'charge.dispute.%' then app.apply_dispute(p_org_id, v_object, v_at, v_type)
    when v_type in ('invoice.paid', 'invoice.payment_succeeded') then app.apply_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice.payment_failed' then app.apply_failed_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice_payment.paid' then app.apply_invoice_payment(p_org_id, v_object, v_at)
    when v_type like 'customer.subscription.%' and v_object ->> 'object' = 'subscription'
      then app.apply_subscription(p_org_id, v_object, v_at)
    when v_type in ('payout.paid', 'payout.failed') then app.apply_payout(p_org_id, v_object, v_at, v_type)
    when v_type = 'application_fee.refunded' then app.apply_fee_refunds(p_org_id, v_object, v_at)
    when v_type = 'account.updated' then app.apply_account(p_org_id, v_object, v_at)
    -- Who disconnects the account lets it do nothing here any more; the event's object is our application.
    when v_type = 'account.application.deauthorized'
      then app.apply_account(p_org_id, jsonb_build_object('id', p_event -> 'account'), v_at)
    else 'ignored'
  end;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its object. Returns applied, or ignored when it changes nothing here. The books '
  'end the same for every order in which the events come, and however often. Raises PT422 event_incomplete and what those '
  'functions raise. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_stripe_event.sql

-- >>> functions_sql/money/begin_checkout.sql
create or replace function app.begin_checkout(
  p_user_id uuid, p_client_id uuid, p_portal_token uuid, p_offer_id uuid, p_promo_code text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout app.checkouts;
  v_client public.clients := app.client_to_serve(p_user_id, p_client_id, p_portal_token);
  v_offer public.offers;
  v_code_id uuid;
  v_price record;
  v_account_id text;
  v_rate numeric;
begin
  select f.* into v_offer
    from public.offers as f where f.id = p_offer_id and f.org_id = v_client.org_id and f.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  if btrim(p_promo_code) <> '' then
    select k.id into v_code_id
      from public.promo_codes as k where k.org_id = v_client.org_id and k.code = upper(btrim(p_promo_code));
    if not found then
      raise exception using errcode = 'PT404', message = 'promo_code_not_found',
        hint = 'Check how the code is written.';
    end if;
    if v_offer.offer_type = 'subscription' then
      raise exception using errcode = 'PT409', message = 'promo_code_not_for_subscriptions',
        hint = 'Promo codes are for single sessions and packs.';
    end if;
  end if;
  if v_offer.offer_type = 'subscription' and v_offer.billing_period is null then
    raise exception using errcode = 'PT409', message = 'billing_period_missing',
      hint = 'Say in the offer how often the subscription is paid.';
  end if;
  v_price := app.price_of(v_client.org_id, p_offer_id, v_code_id);
  if v_price.total_cents > 0 then
    select a.stripe_account_id into v_account_id
      from public.stripe_accounts as a where a.org_id = v_client.org_id and a.charges_enabled;
    if not found then
      raise exception using errcode = 'PT503', message = 'stripe_not_connected',
        hint = 'Connect a Stripe account that can take payments first.';
    end if;
  end if;

  -- Two clicks stand in line here; the second finds the first one's row.
  perform from public.clients as c where c.id = v_client.id for no key update;
  select k.* into v_checkout
    from app.checkouts as k
   where k.client_id = v_client.id and k.offer_id = p_offer_id and k.promo_code_id is not distinct from v_code_id
     and k.amount_cents = v_price.total_cents and k.currency = v_price.currency
     and k.stripe_account_id is not distinct from v_account_id
     and ((k.status = 'open' and k.expires_at > p_now
           and (k.created_at > p_now - interval '10 minutes'
                -- It holds the last use of the code: there is no other page to be had while it waits.
                or exists (select from public.promo_codes as u where u.id = v_code_id and u.times_used >= u.max_uses)))
          -- What costs nothing a client takes once; a coach may give it again.
          or (k.status = 'granted' and (p_portal_token is not null or k.created_at > p_now - interval '10 minutes')))
   order by k.created_at desc limit 1;
  if not found then
    select o.commission_rate into v_rate from public.orgs as o where o.id = v_client.org_id;
    insert into app.checkouts (
      org_id, client_id, offer_id, mode, for_portal, stripe_account_id, offer_name, billing_period, currency,
      discount_cents, surcharge_cents, amount_cents, application_fee_cents, application_fee_percent, promo_code_id,
      status, created_at, expires_at
    )
    values (
      v_client.org_id, v_client.id, p_offer_id,
      case when v_offer.offer_type = 'subscription' then 'subscription' else 'payment' end,
      p_portal_token is not null, v_account_id, v_offer.name, v_offer.billing_period, v_price.currency,
      v_price.discount_cents, v_price.surcharge_cents, v_price.total_cents,
      app.commission_cents(v_client.org_id, v_price.total_cents), round(v_rate * 100, 2), v_code_id,
      case when v_price.total_cents > 0 then 'open' else 'granted' end, p_now, p_now + interval '1 hour'
    )
    returning * into v_checkout;
    if v_price.total_cents > 0 then
      if v_code_id is not null then
        perform app.take_promo_use(v_code_id, p_now);
      end if;
    else
      insert into public.client_purchases (
        org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
        payment_status, payment_method, promo_code_id, discount_cents, session_duration_mins
      )
      values (
        v_client.org_id, v_client.id, p_offer_id, 0, v_price.currency,
        case when v_offer.offer_type = 'subscription' then 0 else app.sessions_of_offer(v_offer) end, p_now,
        p_now + make_interval(days => v_offer.pack_validity_days), 'succeeded', 'stripe', v_code_id,
        v_price.discount_cents, v_offer.session_duration_mins
      )
      returning id into v_checkout.purchase_id;
      update app.checkouts as k
         set purchase_id = v_checkout.purchase_id, settled_at = p_now where k.id = v_checkout.id;
    end if;
  end if;
  return to_jsonb(v_checkout)
    || jsonb_build_object('portal_token', case when v_checkout.for_portal then v_client.portal_token end);
end;
$$;
comment on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz) is
  'Records that an offer is sold to a client: by a coach (p_user_id, verified by the caller, and p_client_id) or by the '
  'client''s own portal link (p_portal_token). Returns the row of app.checkouts, which is all that a Stripe Checkout '
  'Session needs and whose id is its idempotency key, with portal_token (null: the coach asked). '
  'The same sale within 10 minutes is the same checkout, with its url once Stripe has made it; one that holds the last '
  'use of its promo code is, as long as it waits. What costs nothing is granted at once (status granted). A promo code''s '
  'use is held until the checkout expires. Raises PT404 token_not_found, client_not_found, offer_not_found, '
  'promo_code_not_found; PT409 promo_code_off, '
  'promo_code_not_started, promo_code_expired, promo_code_used_up, promo_code_not_for_subscriptions, '
  'billing_period_missing; PT503 stripe_not_connected.';
revoke all on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/begin_checkout.sql

-- >>> functions_sql/money/begin_refund.sql
create or replace function app.begin_refund(
  p_user_id uuid, p_purchase_id uuid, p_amount_cents bigint, p_reason text, p_request_key text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_refund app.refunds;
  v_account_id text;
  v_left bigint;
begin
  if p_amount_cents <= 0 then
    raise exception using errcode = 'PT400', message = 'amount_invalid',
      hint = 'A refund is a whole number of cents, at least 1; leave it out to refund all that is left.';
  end if;
  if p_reason not in ('duplicate', 'fraudulent', 'requested_by_customer') then
    raise exception using errcode = 'PT400', message = 'reason_invalid',
      hint = 'The reason is duplicate, fraudulent or requested_by_customer.';
  end if;
  if length(p_request_key) not between 1 and 255 then
    raise exception using errcode = 'PT400', message = 'idempotency_key_invalid',
      hint = 'An Idempotency-Key has 1 to 255 characters.';
  end if;
  -- Requests for one purchase stand in line here. Another org's purchase looks like one that does not exist.
  select p.* into v_purchase
    from public.client_purchases as p
    join public.org_members as m on m.org_id = p.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where p.id = p_purchase_id
     for no key update of p;
  if not found then
    raise exception using errcode = 'PT404', message = 'purchase_not_found',
      hint = 'Choose a purchase of your own business.';
  end if;

  if p_request_key is not null then
    select r.* into v_refund
      from app.refunds as r where r.org_id = v_purchase.org_id and r.request_key = p_request_key;
    if found and (v_refund.purchase_id, v_refund.asked_cents, v_refund.reason)
                 is distinct from (p_purchase_id, p_amount_cents, p_reason) then
      raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
        hint = 'This Idempotency-Key was sent with another refund; use a new one.';
    end if;
  else
    -- A second click is the same refund, and so is a retry of one whose answer was lost, however late.
    select r.* into v_refund
      from app.refunds as r
     where r.purchase_id = p_purchase_id and r.asked_cents is not distinct from p_amount_cents
       and r.request_key is null
       and (r.status = 'requested' or (r.status = 'sent' and r.created_at > p_now - interval '10 minutes'))
     order by r.created_at desc limit 1;
  end if;
  if v_refund.id is not null and v_refund.status <> 'requested' then
    return to_jsonb(v_refund);
  end if;
  if v_refund.id is not null then
    -- Stripe forgets an idempotency key after a day; asked again then, it would refund a second time.
    if v_refund.created_at <= p_now - interval '23 hours' then
      raise exception using errcode = 'PT409', message = 'refund_unsettled',
        hint = 'An earlier refund got no answer from Stripe; see in Stripe''s dashboard whether it was made.';
    end if;
    return to_jsonb(v_refund);
  end if;

  if v_purchase.stripe_payment_intent_id is null then
    raise exception using errcode = 'PT409', message = 'not_paid_through_stripe',
      hint = 'Only a payment through Stripe can be refunded here; give the money back by hand and set the status.';
  end if;
  select a.stripe_account_id into v_account_id from public.stripe_accounts as a where a.org_id = v_purchase.org_id;
  if not found then
    raise exception using errcode = 'PT503', message = 'stripe_not_connected',
      hint = 'Connect the Stripe account that took the payment first.';
  end if;
  -- What we asked for, and what was refunded in Stripe's own dashboard and is in the books.
  v_left := v_purchase.amount_paid_cents
    - coalesce((select sum(r.amount_cents) from app.refunds as r
                 where r.purchase_id = p_purchase_id and r.status <> 'failed'), 0)
    + coalesce((select sum(e.amount_cents) from public.money_events as e
                 where e.org_id = v_purchase.org_id and e.client_id = v_purchase.client_id
                   and e.stripe_payment_intent_id = v_purchase.stripe_payment_intent_id and e.type = 'REFUND'
                   and not exists (select from app.refunds as r where r.stripe_refund_id = split_part(e.reference_id, ':', 1))),
               0);
  if v_left <= 0 or p_amount_cents > v_left then
    raise exception using errcode = 'PT409', message = 'refund_exceeds_payment',
      hint = 'Less than that is left of the payment.';
  end if;
  insert into app.refunds (
    org_id, purchase_id, request_key, asked_cents, amount_cents, currency, reason, stripe_account_id,
    stripe_payment_intent_id, refund_application_fee, created_at
  )
  values (
    v_purchase.org_id, p_purchase_id, p_request_key, p_amount_cents, coalesce(p_amount_cents, v_left),
    v_purchase.currency, p_reason, v_account_id, v_purchase.stripe_payment_intent_id,
    -- Stripe refuses to give back a share that was never taken.
    coalesce((select s.application_fee_cents > 0 from app.stripe_payments as s
               where s.org_id = v_purchase.org_id and s.payment_key = v_purchase.stripe_payment_intent_id),
             (select c.application_fee_cents > 0 from app.checkouts as c
               where c.stripe_session_id = v_purchase.stripe_checkout_session_id), true),
    p_now
  )
  -- One purchase's requests wait for each other, those of two with one key do not.
  on conflict (org_id, request_key) do nothing
  returning * into v_refund;
  if not found then
    raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
      hint = 'This Idempotency-Key was sent with another refund; use a new one.';
  end if;
  return to_jsonb(v_refund);
end;
$$;
comment on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) is
  'Records that an owner or staff member (p_user_id, verified by the caller) refunds a payment through Stripe, or part '
  'of it (p_amount_cents null: all that is left), and returns the row of app.refunds, whose id is Stripe''s idempotency '
  'key; status requested: Stripe has to be asked. Never more than is left, one request at a time. The same request is '
  'the same refund: with a p_request_key for good, without one within 10 minutes, or as long as Stripe''s answer is '
  'missing. Books nothing: Stripe''s events do. Raises PT400 amount_invalid, reason_invalid, idempotency_key_invalid; '
  'PT404 purchase_not_found; PT409 idempotency_key_reused, not_paid_through_stripe, refund_exceeds_payment, '
  'refund_unsettled; PT503 stripe_not_connected.';
revoke all on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/begin_refund.sql

-- >>> functions_sql/money/billing_customer.sql
create or replace function app.billing_customer(p_user_id uuid, p_client_id uuid, p_portal_token uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients := app.client_to_serve(p_user_id, p_client_id, p_portal_token);
  v_found jsonb;
begin
  select jsonb_build_object('stripe_account_id', a.stripe_account_id, 'stripe_customer_id', s.stripe_customer_id)
    into v_found
    from public.subscriptions as s
    join public.stripe_accounts as a on a.org_id = s.org_id
   where s.client_id = v_client.id and s.stripe_customer_id is not null;
  if not found then
    raise exception using errcode = 'PT409', message = 'no_stripe_customer',
      hint = 'The client has never subscribed through Stripe.';
  end if;
  return v_found;
end;
$$;
comment on function app.billing_customer(uuid, uuid, uuid) is
  'Who a client is to Stripe: stripe_account_id and stripe_customer_id, for a coach''s own client or the client''s own '
  'portal link. Raises PT404 client_not_found, token_not_found; PT409 no_stripe_customer.';
revoke all on function app.billing_customer(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.billing_customer(uuid, uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/money/billing_customer.sql

-- >>> functions_sql/money/book_manual_sale.sql
create or replace function app.book_manual_sale() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row public.client_purchases := case tg_op when 'DELETE' then old else new end;
  v_due bigint := case tg_op when 'DELETE' then 0 else app.manual_amount_cents(new) end;
  v_booked record;
  v_paid_at timestamptz := now();
begin
  if tg_op = 'UPDATE' and v_due = app.manual_amount_cents(old) and new.currency = old.currency then
    return null;  -- a sale from before it was booked stays out of the books until something about its money changes
  end if;
  -- With a client everything about them goes; that they paid stays in the books, without them. With an org all goes.
  if tg_op = 'DELETE' and not exists (
    select from public.clients as c join public.orgs as o on o.id = c.org_id where c.id = old.client_id
  ) then
    return null;
  end if;
  -- Only what is unbooked is booked, and the purchase's own row lock lets one at a time come here: so a sale counts
  -- once however often it is sent, and paid, undone, paid again is three rows.
  for v_booked in
    select e.currency, sum(e.amount_cents)::bigint as cents, sum(e.tax_cents)::bigint as tax_cents,
           -- As it was paid last: rows that reversed each other may be of another time.
           (array_agg(e.tax_cat order by length(e.reference_id) desc, e.reference_id desc)
              filter (where e.type = 'INCOME'))[1] as tax_cat
      from public.money_events as e
     where e.org_id = v_row.org_id and e.source = 'manual' and split_part(e.reference_id, ':', 1) = v_row.id::text
     group by e.currency
    having sum(e.amount_cents) <> 0
  loop
    if v_due > 0 and v_booked.currency = v_row.currency then
      -- A correction holds the GST that the sale did, whatever the org is registered for by now.
      perform app.insert_manual_event(v_row, 'ADJUSTMENT', v_due - v_booked.cents, v_row.currency, now(),
        case v_booked.tax_cat when 'GST' then app.gst_part_cents(v_due) - v_booked.tax_cents else 0 end,
        v_booked.tax_cat);
      v_due := 0;
    else
      perform app.insert_manual_event(v_row, 'REFUND', -v_booked.cents, v_booked.currency, now(), -v_booked.tax_cents,
        v_booked.tax_cat);
    end if;
  end loop;
  if v_due > 0 then
    if tg_op = 'INSERT' or app.manual_amount_cents(old) > 0 then
      v_paid_at := least(new.purchased_at, now());
    end if;
    perform app.insert_manual_event(v_row, 'INCOME', v_due, v_row.currency, v_paid_at,
      app.gst_cents(v_row.org_id, v_due));
  end if;
  return null;
end;
$$;
comment on function app.book_manual_sale() is
  'Keeps the books equal to the sales by hand: a purchase that is paid (app.manual_amount_cents) is one INCOME, dated '
  'when it was paid; one that no longer is, or is deleted, is reversed by a REFUND; a changed amount is an ADJUSTMENT '
  'of the difference. Nothing is changed or deleted; a purchase''s rows are told apart by reference_id `<id>`, '
  '`<id>:2`, … per type. Deleting a client leaves the books as they are.';
revoke all on function app.book_manual_sale() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_book_manual_sale
  after insert or delete or update of
    amount_paid_cents, currency, payment_status, payment_method, stripe_payment_intent_id, stripe_checkout_session_id
  on public.client_purchases
  for each row execute function app.book_manual_sale();
-- <<< functions_sql/money/book_manual_sale.sql

-- >>> functions_sql/money/book_payout_parts.sql
create or replace function app.book_payout_parts(p_org_id uuid, p_payout_id text, p_parts jsonb)
  returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_order constant public.money_event_type[] := '{INCOME,REFUND,ADJUSTMENT,PLATFORM_FEE,FEE}';
begin
  perform app.lock_stripe_object(p_org_id, p_payout_id);
  with parts as (
    select of_row.type, case
             when t.type in ('charge', 'payment') and of_row.type in ('INCOME', 'PLATFORM_FEE', 'FEE')
               then coalesce(t.payment_intent, t.source)
             when t.type in ('refund', 'payment_refund') and of_row.type = 'REFUND' then t.source
             when t.type = 'refund_failure' and of_row.type = 'REFUND' then t.source || ':reversal'
             when t.type = 'adjustment' and t.source ~ '^(du|dp)_' and of_row.type in ('ADJUSTMENT', 'FEE')
               then t.source || case when t.amount > 0 then ':reversal' else '' end
           end as reference_id
      from jsonb_to_recordset(p_parts) as t (type text, source text, payment_intent text, amount bigint)
     cross join unnest(v_order) as of_row (type)
  ), locked as (
    -- In the order in which the events book them.
    select e.id
      from parts as p
      join public.money_events as e
        on e.org_id = p_org_id and e.source = 'stripe' and e.type = p.type and e.reference_id = p.reference_id
     where e.stripe_payout_id is null
     order by e.reference_id, array_position(v_order, e.type)
       for no key update of e
  )
  update public.money_events as e
     set stripe_payout_id = p_payout_id
    from locked as l
   where e.id = l.id;
  update app.stripe_payments as p
     set lookup_at = null
   where p.org_id = p_org_id and p.payment_key = p_payout_id and p.lookup_at is not null;
  return found;
end;
$$;
comment on function app.book_payout_parts(uuid, text, jsonb) is
  'Notes which rows of the books a payout of Stripe''s paid out: p_parts, its balance transactions as {type, source, amount, '
  'payment_intent (of a charge)}; none for a payout of the org''s own, which pays out a sum, nothing in particular. Returns '
  'whether it was waited for. Source: https://docs.stripe.com/payouts/reconciliation';
revoke all on function app.book_payout_parts(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_payout_parts(uuid, text, jsonb) to coach_os_worker;
-- <<< functions_sql/money/book_payout_parts.sql

-- >>> functions_sql/money/book_stripe.sql
create or replace function app.book_stripe(
  p_org_id uuid, p_type public.money_event_type, p_reference_id text, p_at timestamptz, p_amount_cents bigint,
  p_currency text, p_client_id uuid default null, p_payment_key text default null, p_invoice_id text default null,
  p_is_estimate boolean default false
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tax_cat public.tax_category := case p_type
    when 'FEE' then 'GST_FREE' when 'PLATFORM_FEE' then 'GST' else 'NONE' end;
  v_intent_id text := case when p_payment_key like 'pi\_%' then p_payment_key end;
begin
  if p_amount_cents = 0 then
    -- Nothing happened, so nothing is booked; what was thought to have happened goes.
    delete from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.is_estimate and not p_is_estimate;
    return;
  end if;
  -- Most events say nothing new; an insert that then does nothing would still be checked and audited. Who calls has
  -- locked the object.
  if exists (
    select
      from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.event_date <= p_at
       and (e.client_id is not null or p_client_id is null)
       and (e.stripe_payment_intent_id is not null or v_intent_id is null)
       and (e.stripe_invoice_id is not null or p_invoice_id is null)
       and (p_is_estimate or not e.is_estimate)
  ) then
    return;
  end if;
  if p_type in ('INCOME', 'REFUND', 'ADJUSTMENT') then
    -- What goes back holds GST as the payment did, whatever the org is registered for by then.
    v_tax_cat := coalesce(
      (select e.tax_cat from public.money_events as e
        where e.org_id = p_org_id and e.source = 'stripe' and e.type = 'INCOME' and e.reference_id = p_payment_key),
      (select 'GST'::public.tax_category from public.booking_settings as s where s.org_id = p_org_id and s.gst_registered),
      'NONE'::public.tax_category
    );
  end if;
  insert into public.money_events as e (
    org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id,
    payment_status, stripe_payment_intent_id, stripe_invoice_id, is_estimate
  )
  values (
    p_org_id, p_at, p_type, p_amount_cents, p_currency, v_tax_cat,
    case when v_tax_cat <> 'GST' then 0
         when p_type = 'PLATFORM_FEE' then app.gst_cents(p_org_id, p_amount_cents)
         else app.gst_part_cents(p_amount_cents) end,
    'stripe', p_reference_id, p_client_id, 'succeeded', v_intent_id, p_invoice_id, p_is_estimate
  )
  -- Whichever event came first, the row ends the same: at the earliest instant, with all that any of them knew, and
  -- with what a fee really was.
  on conflict on constraint money_events_one_per_object do update
     set event_date = least(e.event_date, excluded.event_date),
         client_id = coalesce(e.client_id, excluded.client_id),
         stripe_payment_intent_id = coalesce(e.stripe_payment_intent_id, excluded.stripe_payment_intent_id),
         stripe_invoice_id = coalesce(e.stripe_invoice_id, excluded.stripe_invoice_id),
         amount_cents = case when e.is_estimate and not p_is_estimate then excluded.amount_cents else e.amount_cents end,
         currency = case when e.is_estimate and not p_is_estimate then excluded.currency else e.currency end,
         tax_cents = case when e.is_estimate and not p_is_estimate then excluded.tax_cents else e.tax_cents end,
         is_estimate = e.is_estimate and p_is_estimate;
end;
$$;
comment on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) is
  'Books what happened to a Stripe object, once per org, type and reference; again, it fills in what was not known. '
  'Amounts in the smallest unit, positive for money in; zero books nothing. Taxes: INCOME holds GST when the '
  'org is registered, REFUND and ADJUSTMENT as the payment they belong to (p_payment_key) did; what the platform keeps '
  'holds it, what Stripe keeps is GST_FREE.';
revoke all on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/book_stripe.sql

-- >>> functions_sql/money/books_livemode.sql
create or replace function app.books_livemode(p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (select (e.payload ->> 'livemode')::boolean
       from app.webhook_events as e
      where e.org_id = p_org_id and e.status = 'applied'
      order by e.received_at desc limit 1),
    (select r.livemode from app.reconciliations as r where r.livemode is not null order by r.reconciled_to desc limit 1)
  );
end;
$$;
comment on function app.books_livemode(uuid) is
  'Whether the books of an org hold live payments or test ones, as its newest event says, else as any account was compared '
  'last; null: nothing says. A key of the other mode lists other payments, which are not these books''. Source: '
  'https://docs.stripe.com/keys#test-live-modes';
revoke all on function app.books_livemode(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/books_livemode.sql

-- >>> functions_sql/money/check_my_webhook_event.sql
create or replace function app.check_my_webhook_event(p_id uuid) returns void
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select
      from app.webhook_events as e
      join public.stripe_accounts as a on a.stripe_account_id = e.account_id
     where e.id = p_id and a.org_id = any (array(select app.my_owned_org_ids()))
  ) then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'Choose one of webhook_problems().';
  end if;
end;
$$;
comment on function app.check_my_webhook_event(uuid) is
  'That a kept event is of the account of an org that the caller owns. Raises PT404 webhook_event_not_found.';
revoke all on function app.check_my_webhook_event(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/check_my_webhook_event.sql

-- >>> functions_sql/money/claim_reconciliation.sql
create or replace function app.claim_reconciliation(
  p_now timestamptz, p_livemode boolean, p_account_id text default null
)
  returns table (
    account_id text, stripe_account_id text, org_id uuid, events_from timestamptz, objects_from timestamptz,
    problem text
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Of one that is asked for by name whoever has it at this moment is waited for.
  perform from app.reconciliations as r where r.account_id = p_account_id for update;
  return query
    with due as (
      select r.account_id
        from app.reconciliations as r
       where case when p_account_id is null then r.due_at <= p_now and coalesce(r.claimed_until <= p_now, true)
                  else r.account_id = p_account_id end
       order by r.due_at, r.account_id
       limit 1
         for update skip locked
    ), claimed as (
      update app.reconciliations as r
         set claimed_until = p_now + interval '1 hour'
        from due as d
       where r.account_id = d.account_id
      returning r.*
    )
    select c.account_id, a.stripe_account_id, a.org_id,
           -- As long as Stripe itself goes on delivering.
           greatest(c.since, coalesce(c.reconciled_to, c.since) - interval '3 days'),
           -- What was begun a month ago may have been paid, failed or been refunded since it was looked at last.
           greatest(c.since, coalesce(c.reconciled_to, c.since) - interval '30 days'),
           case when app.books_livemode(a.org_id) <> p_livemode then 'key_of_other_mode' end
      from claimed as c
      left join public.stripe_accounts as a on a.stripe_account_id = c.account_id;
end;
$$;
comment on function app.claim_reconciliation(timestamptz, boolean, text) is
  'Takes one account that is due to be compared with Stripe at p_now, for an hour, after which it is due again should '
  'nothing be heard; or p_account_id, whether due or not. No row: none is due. stripe_account_id and org_id null: the '
  'platform''s own. events_from and objects_from: since when what Stripe lists is to be looked at. problem: why it must '
  'not be (p_livemode: the mode of the key). app.reconciliation_done() or app.reconciliation_failed() ends it.';
revoke all on function app.claim_reconciliation(timestamptz, boolean, text) from public, anon, authenticated, service_role;
grant execute on function app.claim_reconciliation(timestamptz, boolean, text) to coach_os_worker;
-- <<< functions_sql/money/claim_reconciliation.sql

-- >>> functions_sql/money/client_of_stripe.sql
create or replace function app.client_of_stripe(p_org_id uuid, p_object jsonb) returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_named uuid := app.id_in_text(coalesce(p_object -> 'metadata' ->> 'client_id', p_object ->> 'client_reference_id'));
begin
  return (select c.id from public.clients as c where c.id = v_named and c.org_id = p_org_id);
end;
$$;
comment on function app.client_of_stripe(uuid, jsonb) is
  'The org''s client whom a Stripe object names: metadata.client_id, else a session''s client_reference_id. Null: nobody, '
  'or nobody of this org.';
revoke all on function app.client_of_stripe(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/client_of_stripe.sql

-- >>> functions_sql/money/client_to_serve.sql
create or replace function app.client_to_serve(p_user_id uuid, p_client_id uuid, p_portal_token uuid)
  returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  if p_portal_token is not null then
    return app.client_of_portal(p_portal_token);
  end if;
  -- A client of an org the user may not sell for looks like one that does not exist.
  select c.* into v_client
    from public.clients as c
    join public.org_members as m on m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where c.id = p_client_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found',
      hint = 'Choose a client of your own business.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_to_serve(uuid, uuid, uuid) is
  'The client for whom something is asked of Stripe: of their own portal link (p_portal_token), else p_client_id, for an '
  'owner or staff member of their org (p_user_id, verified by the caller). Raises PT404 token_not_found, client_not_found.';
revoke all on function app.client_to_serve(uuid, uuid, uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/client_to_serve.sql

-- >>> functions_sql/money/currency_exponent.sql
create or replace function app.currency_exponent(p_currency text) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_currency in (
      'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ) then 0
    when p_currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 3
    else 2
  end;
end;
$$;
comment on function app.currency_exponent(text) is
  'How many decimals an amount of this currency has: 1 of its units is 10 to that many of the smallest ones. As Stripe '
  'tells and takes amounts, so Ugandan shillings and Icelandic crowns have two, always 00. Source: '
  'https://docs.stripe.com/currencies#zero-decimal, https://docs.stripe.com/currencies#special-cases';
revoke all on function app.currency_exponent(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/currency_exponent.sql

-- >>> functions_sql/money/discard_my_webhook_event.sql
create or replace function app.discard_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_my_webhook_event(p_id);
  return app.discard_webhook_event(p_id, p_now);
end;
$$;
comment on function app.discard_my_webhook_event(uuid, timestamptz) is 'What public.discard_webhook_event() promises.';
revoke all on function app.discard_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.discard_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.discard_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.discard_my_webhook_event(p_id, now());
end;
comment on function public.discard_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): lets it lie: it is kept, and tried no more. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.discard_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.discard_webhook_event(uuid) to authenticated;
-- <<< functions_sql/money/discard_my_webhook_event.sql

-- >>> functions_sql/money/fees_to_fetch.sql
create or replace function app.fees_to_fetch(p_now timestamptz, p_limit integer)
  returns table (org_id uuid, stripe_account_id text, payment_key text, charge_id text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with due as (
      select p.org_id, p.payment_key, a.stripe_account_id
        from app.stripe_payments as p
        join public.stripe_accounts as a on a.org_id = p.org_id
       where p.lookup_at <= p_now
       order by p.lookup_at
       limit p_limit
         for update of p skip locked
    )
    update app.stripe_payments as p
       set lookups = p.lookups + 1, lookup_at = p_now + app.retry_delay(p.lookups + 1)
      from due as d
     where p.org_id = d.org_id and p.payment_key = d.payment_key
    returning p.org_id, d.stripe_account_id, p.payment_key, p.charge_id;
end;
$$;
comment on function app.fees_to_fetch(timestamptz, integer) is
  'Payments whose fee is an estimate, invoices (payment_key in_…) of which no event said how they were paid, and payouts '
  '(po_…) of which none says what they paid out, that Stripe is to be asked about at p_now on behalf of '
  'stripe_account_id; p_limit at most. Each is due again after app.retry_delay(), until app.book_balance_transaction(), '
  'app.book_invoice() or app.book_payout_parts() has its answer.';
revoke all on function app.fees_to_fetch(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.fees_to_fetch(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/money/fees_to_fetch.sql

-- >>> functions_sql/money/follow_account.sql
create or replace function app.follow_account() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.stripe_account_id = old.stripe_account_id then
    return null;
  end if;
  if tg_op <> 'INSERT' then
    delete from app.reconciliations as r where r.account_id = old.stripe_account_id;
  end if;
  if tg_op <> 'DELETE' then
    insert into app.reconciliations (account_id, since, due_at) values (new.stripe_account_id, now(), now())
    on conflict (account_id) do nothing;
  end if;
  return null;
end;
$$;
comment on function app.follow_account() is
  'Has a connected account''s money compared with Stripe from the day it was connected (app.reconciliations).';
revoke all on function app.follow_account() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_reconciled
  after insert or delete or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.follow_account();
-- <<< functions_sql/money/follow_account.sql

-- >>> functions_sql/money/gst_cents.sql
create or replace function app.gst_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not coalesce(
    (select s.gst_registered from public.booking_settings as s where s.org_id = p_org_id), false
  ) then
    return 0;
  end if;
  return app.gst_part_cents(p_amount_cents);
end;
$$;
comment on function app.gst_cents(uuid, bigint) is
  'The GST in an amount (smallest unit, either sign) that an org takes or pays now: app.gst_part_cents() of it; 0 for an '
  'org that is not registered.';
revoke all on function app.gst_cents(uuid, bigint) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/gst_cents.sql

-- >>> functions_sql/money/gst_part_cents.sql
create or replace function app.gst_part_cents(p_amount_cents bigint) returns bigint
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return round(p_amount_cents / 11.0);
end;
$$;
comment on function app.gst_part_cents(bigint) is
  'The GST in an amount (smallest unit, either sign) that holds GST: one eleventh, half a cent away from zero. Source: '
  'https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst';
revoke all on function app.gst_part_cents(bigint) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/gst_part_cents.sql

-- >>> functions_sql/money/guard_money_event.sql
-- Invoker on purpose: current_user is then who runs the statement. What app.book_stripe() does runs as that function's
-- owner, who owns the table; a caller cannot choose between them.
create or replace function app.guard_money_event() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  v_by_rule boolean := pg_catalog.pg_has_role(
    current_user, (select c.relowner from pg_catalog.pg_class as c where c.oid = 'public.money_events'::regclass), 'usage'
  );
  v_filled_in text[] := '{event_date,client_id,stripe_payment_intent_id,stripe_invoice_id,payout_id,stripe_payout_id}';
begin
  if tg_op = 'DELETE' and v_by_rule
     and (old.is_estimate or not exists (select from public.orgs as o where o.id = old.org_id)) then
    return old;  -- the estimate of what was nothing, or the whole org goes
  end if;
  if tg_op = 'UPDATE' then
    if new is not distinct from old then
      return new;
    end if;
    -- Which payout of the platform it is part of is written when that is made.
    if to_jsonb(new) - 'payout_id' = to_jsonb(old) - 'payout_id' then
      return new;
    end if;
    if old.is_estimate then
      v_filled_in := v_filled_in || '{amount_cents,currency,tax_cents,is_estimate}'::text[];
    end if;
    if v_by_rule and to_jsonb(new) - v_filled_in = to_jsonb(old) - v_filled_in
       and new.event_date <= old.event_date
       -- From null to a client when it becomes known; to null when the client is deleted.
       and (old.client_id is null or new.client_id is null or new.client_id = old.client_id)
       and coalesce(new.stripe_payment_intent_id = old.stripe_payment_intent_id, old.stripe_payment_intent_id is null)
       and coalesce(new.stripe_invoice_id = old.stripe_invoice_id, old.stripe_invoice_id is null)
       and coalesce(new.stripe_payout_id = old.stripe_payout_id, old.stripe_payout_id is null) then
      return new;
    end if;
  end if;
  raise exception using errcode = 'PT403', message = 'books_are_append_only',
    hint = 'Correct the books with a new row.';
end;
$$;
comment on function app.guard_money_event() is
  'The books are append-only, for everyone. Still written: which payout of the platform a row is part of; and by the '
  'rules of the database alone: a client, intent, invoice or payout of Stripe''s not known before, an earlier instant, '
  'the real amount in place of an estimate. A row goes only with its org. Raises PT403 books_are_append_only.';
revoke all on function app.guard_money_event() from public, anon, authenticated, service_role;

-- By its name the last of the table's: what no row may do, another trigger says.
create or replace trigger money_events_stay_booked
  before update or delete on public.money_events
  for each row execute function app.guard_money_event();
create or replace trigger money_events_no_truncate
  before truncate on public.money_events
  for each statement execute function app.guard_money_event();
-- <<< functions_sql/money/guard_money_event.sql

-- >>> functions_sql/money/id_in_metadata.sql
create or replace function app.id_in_metadata(p_object jsonb, p_key text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return app.id_in_text(p_object -> 'metadata' ->> p_key);
end;
$$;
comment on function app.id_in_metadata(jsonb, text) is
  'The id that a Stripe object''s metadata has under a key; null: none, or what is no id. Whose row it names is for the '
  'caller to check: anybody with the account may write metadata.';
revoke all on function app.id_in_metadata(jsonb, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/id_in_metadata.sql

-- >>> functions_sql/money/id_in_text.sql
create or replace function app.id_in_text(p_text text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end;
end;
$$;
comment on function app.id_in_text(text) is
  'The id that a text from outside is; null: none, or what is no id. Whose row it names is for the caller to check.';
revoke all on function app.id_in_text(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/id_in_text.sql

-- >>> functions_sql/money/is_booked_event.sql
create or replace function app.is_booked_event(p_type text) returns boolean
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return p_type in (
    'checkout.session.completed', 'checkout.session.async_payment_succeeded', 'payment_intent.succeeded',
    'charge.succeeded', 'charge.captured', 'charge.refunded', 'refund.created', 'refund.updated', 'refund.failed',
    'charge.refund.updated', 'invoice.paid', 'invoice.payment_succeeded', 'invoice.payment_failed',
    'invoice_payment.paid', 'payout.paid', 'payout.failed', 'account.updated',
    'account.application.deauthorized', 'application_fee.refunded'
  ) or p_type like 'charge.dispute.%' or p_type like 'customer.subscription.%';
end;
$$;
comment on function app.is_booked_event(text) is
  'Whether events of this type can change anything here: those that app.apply_stripe_event() has a function for, and that '
  'the webhook endpoint is to be sent. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.is_booked_event(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/is_booked_event.sql

-- >>> functions_sql/money/missing_stripe_events.sql
create or replace function app.missing_stripe_events(p_account_id text, p_events jsonb) returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select l.id
      from jsonb_to_recordset(p_events) as l (id text, type text)
     where app.is_booked_event(l.type)
       -- Of the platform's own events only these are about an org's money.
       and (p_account_id is not null or l.type like 'application\_fee.%')
       and not exists (select from app.webhook_events as e where e.provider = 'stripe' and e.event_id = l.id);
end;
$$;
comment on function app.missing_stripe_events(text, jsonb) is
  'Of events that Stripe lists (p_events: [{id, type}]) for an account (null: the platform''s own), those that were never '
  'delivered and would change something: app.receive_stripe_event() takes them.';
revoke all on function app.missing_stripe_events(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.missing_stripe_events(text, jsonb) to coach_os_worker;
-- <<< functions_sql/money/missing_stripe_events.sql

-- >>> functions_sql/money/note_payment.sql
create or replace function app.note_payment(
  p_org_id uuid, p_payment_key text, p_paid_at timestamptz default null, p_amount_cents bigint default null,
  p_currency text default null, p_client_id uuid default null, p_charge_id text default null,
  p_invoice_id text default null, p_checkout_session_id text default null, p_subscription_id text default null,
  p_application_fee_cents bigint default null
) returns app.stripe_payments
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_payment app.stripe_payments;
begin
  if p_paid_at is not null and (p_amount_cents is null or p_currency is null) then
    raise exception using errcode = 'PT422', message = 'payment_incomplete',
      hint = 'A payment that is paid has an amount and a currency.';
  end if;
  perform app.lock_stripe_object(p_org_id, p_payment_key);
  insert into app.stripe_payments as p (
    org_id, payment_key, paid_at, amount_cents, currency, client_id, charge_id, invoice_id, checkout_session_id,
    subscription_id, application_fee_cents, lookup_at
  )
  values (
    p_org_id, p_payment_key, p_paid_at, p_amount_cents, lower(p_currency),
    coalesce(p_client_id, (
      select s.client_id from app.stripe_subscriptions as s
       where s.org_id = p_org_id and s.subscription_id = p_subscription_id
    )),
    p_charge_id, p_invoice_id, p_checkout_session_id, p_subscription_id, p_application_fee_cents,
    -- Only what was charged has a balance transaction to ask for.
    case when p_amount_cents > 0 and p_payment_key ~ '^(pi|ch|py)_' then p_paid_at end
  )
  on conflict (org_id, payment_key) do update
     set paid_at = least(p.paid_at, excluded.paid_at),
         amount_cents = coalesce(p.amount_cents, excluded.amount_cents),
         currency = coalesce(p.currency, excluded.currency),
         client_id = coalesce(p.client_id, excluded.client_id),
         charge_id = coalesce(p.charge_id, excluded.charge_id),
         invoice_id = coalesce(p.invoice_id, excluded.invoice_id),
         checkout_session_id = coalesce(p.checkout_session_id, excluded.checkout_session_id),
         subscription_id = coalesce(p.subscription_id, excluded.subscription_id),
         application_fee_cents = greatest(p.application_fee_cents, excluded.application_fee_cents),
         lookup_at = case when p.paid_at is null then excluded.lookup_at else p.lookup_at end
  returning p.* into v_payment;
  perform app.book_payment(v_payment);
  perform app.place_fee_refunds(v_payment);
  if v_payment.client_id is not null or v_payment.invoice_id is not null then
    -- A refund or dispute that came before who paid, or for what, was known.
    update public.money_events as e
       set client_id = coalesce(e.client_id, v_payment.client_id),
           stripe_invoice_id = coalesce(e.stripe_invoice_id, v_payment.invoice_id)
      from app.stripe_facts as f
     where f.org_id = p_org_id and f.payment_key = p_payment_key
       and e.org_id = p_org_id and e.source = 'stripe' and e.type in ('REFUND', 'ADJUSTMENT', 'FEE')
       and e.reference_id in (f.object_id, f.object_id || ':reversal')
       and (e.client_id is null and v_payment.client_id is not null
            or e.stripe_invoice_id is null and v_payment.invoice_id is not null);
  end if;
  v_payment.taken_back := app.settle_stripe_pack(p_org_id, p_payment_key);
  return v_payment;
end;
$$;
comment on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) is
  'Adds what an event knows to what is known of a payment, and books it once it is paid (p_paid_at: when the event was '
  'made). What is known is never overwritten, the instant is the earliest: the same for every order of the events. Raises '
  'PT422 payment_incomplete.';
revoke all on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_payment.sql

-- >>> functions_sql/money/note_subscription.sql
create or replace function app.note_subscription(
  p_org_id uuid, p_subscription_id text, p_at timestamptz, p_client_id uuid default null,
  p_customer_id text default null, p_object_status text default null, p_inferred_status text default null,
  p_started_at timestamptz default null, p_price_cents bigint default null, p_offer text default null
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_offer_id uuid;
  v_client_id uuid;
  v_payment_key text;
begin
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  select o.id into v_offer_id from public.offers as o where o.id = app.id_in_text(p_offer) and o.org_id = p_org_id;
  insert into app.stripe_subscriptions as s (
    org_id, subscription_id, client_id, offer_id, customer_id, price_cents, started_at, first_seen_at, object_status,
    object_at, inferred_status, inferred_at
  )
  values (
    p_org_id, p_subscription_id,
    -- Subscriptions that were there before their events were kept.
    coalesce(p_client_id, (
      select r.client_id from public.subscriptions as r
       where r.org_id = p_org_id and r.stripe_subscription_id = p_subscription_id
    )),
    v_offer_id, p_customer_id, p_price_cents, p_started_at, p_at, p_object_status,
    case when p_object_status is not null then p_at end, p_inferred_status,
    case when p_inferred_status is not null then p_at end
  )
  on conflict (org_id, subscription_id) do update
     set client_id = coalesce(s.client_id, excluded.client_id),
         offer_id = coalesce(s.offer_id, excluded.offer_id),
         customer_id = coalesce(s.customer_id, excluded.customer_id),
         started_at = least(s.started_at, excluded.started_at),
         first_seen_at = least(s.first_seen_at, excluded.first_seen_at);
  -- The newest counts; of two of one second the one that cannot be followed by the other.
  update app.stripe_subscriptions as s
     set object_status = p_object_status, object_at = p_at, price_cents = coalesce(p_price_cents, s.price_cents)
   where s.org_id = p_org_id and s.subscription_id = p_subscription_id and p_object_status is not null
     and (p_at, array_position('{none,past_due,active,canceled}'::text[], p_object_status))
         > (coalesce(s.object_at, '-infinity'),
            coalesce(array_position('{none,past_due,active,canceled}'::text[], s.object_status), 0));
  update app.stripe_subscriptions as s
     set inferred_status = p_inferred_status, inferred_at = p_at
   where s.org_id = p_org_id and s.subscription_id = p_subscription_id and p_inferred_status is not null
     and (p_at, array_position('{past_due,active}'::text[], p_inferred_status))
         > (coalesce(s.inferred_at, '-infinity'), coalesce(array_position('{past_due,active}'::text[], s.inferred_status), 0));

  select s.client_id into v_client_id
    from app.stripe_subscriptions as s where s.org_id = p_org_id and s.subscription_id = p_subscription_id;
  if v_client_id is null then
    return;  -- whose it is, another event tells
  end if;
  perform app.show_subscription(p_org_id, v_client_id);
  -- Its invoices may have been paid before it was known whose they are.
  for v_payment_key in
    select p.payment_key from app.stripe_payments as p
     where p.org_id = p_org_id and p.subscription_id = p_subscription_id and p.client_id is null
     order by p.payment_key
  loop
    perform app.note_payment(p_org_id, v_payment_key, p_client_id => v_client_id);
  end loop;
end;
$$;
comment on function app.note_subscription(
  uuid, text, timestamptz, uuid, text, text, text, timestamptz, bigint, text
) is
  'Adds what an event of the instant p_at knows of a subscription, and shows the client''s: p_object_status is what the '
  'subscription says itself, p_inferred_status what a checkout or invoice makes of it. The same for every order.';
revoke all on function app.note_subscription(
  uuid, text, timestamptz, uuid, text, text, text, timestamptz, bigint, text
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_subscription.sql

-- >>> functions_sql/money/place_fee_refunds.sql
create or replace function app.place_fee_refunds(p_payment app.stripe_payments) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_payment.charge_id is null then
    return;
  end if;
  perform app.lock_stripe_object(p_payment.org_id, 'fee of ' || p_payment.charge_id);
  perform app.book_stripe(
    f.org_id, 'PLATFORM_FEE', f.object_id, f.happened_at, f.amount_cents, f.currency, p_payment.client_id,
    p_payment.payment_key, p_payment.invoice_id
  )
    from app.stripe_facts as f
   where f.org_id = p_payment.org_id and f.payment_key = p_payment.charge_id and f.fact = 'fee_refunded';
end;
$$;
comment on function app.place_fee_refunds(app.stripe_payments) is
  'Says of what the platform gave back which payment and whose it was: the refund of a fee names the charge alone, and may '
  'be told before it.';
revoke all on function app.place_fee_refunds(app.stripe_payments) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/place_fee_refunds.sql

-- >>> functions_sql/money/receive_stripe_event.sql
create or replace function app.receive_stripe_event(
  p_event jsonb, p_livemode boolean, p_now timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event_id text := p_event ->> 'id';
  v_livemode_matches boolean := p_event -> 'livemode' is not distinct from to_jsonb(p_livemode);
  -- What the platform keeps of an account's payments is told as the platform's own, and names the account.
  v_account_id text := coalesce(p_event ->> 'account', case when p_event ->> 'type' like 'application\_fee.%'
                                                           then app.stripe_id(p_event #> '{data,object,account}') end);
  v_row app.webhook_events;
begin
  if jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_event_id) not between 1 and 255
     or jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(p_event ->> 'type') not between 1 and 255
     or jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'event_malformed',
      hint = 'A Stripe event has an id, a type and data.object.';
  end if;
  -- A second delivery waits on the unique key for the first; it then finds the row and, unless the first one
  -- failed or found no org, has nothing to do. The row and what it causes commit together.
  insert into app.webhook_events as e (
    provider, event_id, event_type, account_id, payload, event_created_at, status, reason, received_at, processed_at
  )
  values (
    'stripe', v_event_id, p_event ->> 'type', v_account_id, p_event,
    case when p_event ->> 'created' ~ '^\d{1,10}$' then to_timestamp((p_event ->> 'created')::bigint) end,
    'ignored', case when not v_livemode_matches then 'livemode_mismatch' end, p_now, p_now
  )
  on conflict (provider, event_id) do nothing
  returning e.* into v_row;
  if not found then
    select e.* into v_row
      from app.webhook_events as e
     where e.provider = 'stripe' and e.event_id = v_event_id
       for update;
    if v_row.status not in ('failed', 'unmatched') then
      return 'duplicate';
    end if;
    -- Signed anew, so what it says now is Stripe's word, too.
    update app.webhook_events as e
       set payload = p_event, event_type = p_event ->> 'type', account_id = v_account_id
     where e.id = v_row.id
    returning e.* into v_row;
  end if;
  if not v_livemode_matches then
    update app.webhook_events as e
       set status = 'ignored', reason = 'livemode_mismatch', next_attempt_at = null
     where e.id = v_row.id and e.status <> 'ignored';
    return 'ignored';
  end if;
  return app.apply_webhook_event(v_row, p_now);
end;
$$;
comment on function app.receive_stripe_event(jsonb, boolean, timestamptz) is
  'Stores a verified Stripe event and applies it, in one transaction, once per event id. Returns applied, '
  'duplicate, ignored, unmatched (no org owns the account) or failed (kept, with a reason, and tried again by '
  'app.retry_webhook_events()). p_livemode: what this endpoint is for; an event of the other mode books nothing. '
  'For the webhook, and for app.missing_stripe_events(). Raises PT400 event_malformed. Source: '
  'https://docs.stripe.com/webhooks';
revoke all on function app.receive_stripe_event(jsonb, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_stripe_event(jsonb, boolean, timestamptz) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/money/receive_stripe_event.sql

-- >>> functions_sql/money/reconciled_accounts.sql
create or replace function app.reconciled_accounts() returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query select r.account_id from app.reconciliations as r order by r.account_id = 'platform', r.account_id;
end;
$$;
comment on function app.reconciled_accounts() is
  'Every account whose money is compared with Stripe, for app.claim_reconciliation(); the platform''s own last.';
revoke all on function app.reconciled_accounts() from public, anon, authenticated, service_role;
grant execute on function app.reconciled_accounts() to coach_os_worker;
-- <<< functions_sql/money/reconciled_accounts.sql

-- >>> functions_sql/money/reconciliation_done.sql
create or replace function app.reconciliation_done(
  p_account_id text, p_livemode boolean, p_mended integer, p_advance boolean, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
begin
  select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_account_id;
  update app.reconciliations as r
     set reconciled_to = case when p_advance then greatest(r.reconciled_to, p_now) else r.reconciled_to end,
         due_at = case when p_advance then greatest(r.due_at, p_now + interval '1 day') else r.due_at end,
         livemode = p_livemode, claimed_until = null, failures = 0
   where r.account_id = p_account_id;
  if p_mended > 0 then
    -- What was missing then may have been part of a payout that was looked into.
    update app.stripe_payments as p
       set lookup_at = p_now, lookups = 0
     where p.org_id = v_org_id and p.payment_key like 'po\_%' and p.lookup_at is null
       and exists (
         select from app.stripe_facts as f
          where f.org_id = p.org_id and f.object_id = p.payment_key and f.fact = 'payout_paid'
            and f.happened_at > p_now - interval '35 days'
       );
  end if;
  perform app.record_findings('money', app.account_finding_kinds(), v_org_id, array[p_account_id], '[]', p_now);
end;
$$;
comment on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz) is
  'An account was compared with all that Stripe listed at p_now, when the run began; p_mended events were taken in. Due '
  'again a day later; p_advance false: this was a run of its own, about another time.';
revoke all on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz) to coach_os_worker;
-- <<< functions_sql/money/reconciliation_done.sql

-- >>> functions_sql/money/reconciliation_failed.sql
create or replace function app.reconciliation_failed(p_account_id text, p_kind text, p_detail jsonb, p_now timestamptz)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update app.reconciliations as r
     set failures = r.failures + 1, claimed_until = null,
         -- Stripe may be down for a moment; a right that was taken away does not come back by asking.
         due_at = p_now + case p_kind when 'stripe_unavailable'
                            then coalesce(app.retry_delay(r.failures + 1), interval '6 hours') else interval '1 day' end
   where r.account_id = p_account_id;
  perform app.record_findings(
    'money', app.account_finding_kinds(),
    (select a.org_id from public.stripe_accounts as a where a.stripe_account_id = p_account_id), array[p_account_id],
    jsonb_build_array(jsonb_build_object('kind', p_kind, 'subject', p_account_id, 'detail', p_detail)), p_now
  );
end;
$$;
comment on function app.reconciliation_failed(text, text, jsonb, timestamptz) is
  'An account could not be compared with Stripe: account_access_lost, key_of_other_mode (due again in a day) or '
  'stripe_unavailable (after app.retry_delay()). A finding until it could be. What was to be looked at stays to be.';
revoke all on function app.reconciliation_failed(text, text, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.reconciliation_failed(text, text, jsonb, timestamptz) to coach_os_worker;
-- <<< functions_sql/money/reconciliation_failed.sql

-- >>> functions_sql/money/reconciliation_kinds.sql
create or replace function app.reconciliation_kinds() returns text[]
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return '{not_in_books,differs_from_stripe,unknown_to_stripe}';
end;
$$;
comment on function app.reconciliation_kinds() is
  'The kinds of findings, one an object, that comparing the books with Stripe can make: app.stripe_discrepancies().';
revoke all on function app.reconciliation_kinds() from public, anon, authenticated, service_role;
-- <<< functions_sql/money/reconciliation_kinds.sql

-- >>> functions_sql/money/record_stripe_findings.sql
create or replace function app.record_stripe_findings(p_org_id uuid, p_objects jsonb, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org record;
begin
  for v_org in
    select o.org_id, array_agg(o.id) as subjects
      from (
        select coalesce(p_org_id, a.org_id) as org_id, l.value ->> 'id' as id
          from jsonb_array_elements(p_objects) as l
          left join public.stripe_accounts as a on p_org_id is null and a.stripe_account_id = l.value ->> 'account'
      ) as o
     where o.org_id is not null
     group by o.org_id
     order by o.org_id
  loop
    perform app.record_findings(
      'money', app.reconciliation_kinds(), v_org.org_id, v_org.subjects,
      (select coalesce(jsonb_agg(jsonb_build_object('kind', d.kind, 'subject', d.subject, 'detail', d.detail)), '[]')
         from app.stripe_discrepancies(p_org_id, p_objects) as d
        where d.org_id = v_org.org_id),
      p_now
    );
  end loop;
end;
$$;
comment on function app.record_stripe_findings(uuid, jsonb, timestamptz) is
  'Keeps what app.stripe_discrepancies() says of objects as Stripe shows them at p_now, each under the id by which it was '
  'asked for; findings about those that are right now are resolved.';
revoke all on function app.record_stripe_findings(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.record_stripe_findings(uuid, jsonb, timestamptz) to coach_os_worker;
-- <<< functions_sql/money/record_stripe_findings.sql

-- >>> functions_sql/money/release_checkout.sql
create or replace function app.release_checkout() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if old.status = 'open' then
    perform app.give_back_promo_use(old.promo_code_id);
  end if;
  return null;
end;
$$;
comment on function app.release_checkout() is
  'Gives back the promo code''s use that an open checkout held when it goes with its offer or its client: nobody expires it '
  'any more.';
revoke all on function app.release_checkout() from public, anon, authenticated, service_role;

create or replace trigger checkouts_release after delete on app.checkouts
  for each row execute function app.release_checkout();
-- <<< functions_sql/money/release_checkout.sql

-- >>> functions_sql/money/replay_account_events.sql
create or replace function app.replay_account_events() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if new.stripe_account_id = old.stripe_account_id then
      return new;
    end if;
    -- What was said of another account says nothing of this one.
    new.charges_enabled := false;
    new.payouts_enabled := false;
    new.details_submitted := false;
  end if;
  new.stripe_updated_at := null;
  -- Deliveries for an account that nobody owns share this lock: app.apply_webhook_event().
  perform pg_advisory_xact_lock(hashtextextended('stripe account ' || new.stripe_account_id, 0));
  update app.webhook_events as e
     set next_attempt_at = now()
   where e.account_id = new.stripe_account_id and e.status in ('failed', 'unmatched');
  return new;
end;
$$;
comment on function app.replay_account_events() is
  'What Stripe said of an account before an org was connected to it is applied with the worker''s next '
  'tick; until then one that takes another''s place may do nothing.';
revoke all on function app.replay_account_events() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_replay_events
  before insert or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.replay_account_events();
-- <<< functions_sql/money/replay_account_events.sql

-- >>> functions_sql/money/replay_my_webhook_event.sql
create or replace function app.replay_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_my_webhook_event(p_id);
  return app.replay_webhook_event(p_id, p_now);
end;
$$;
comment on function app.replay_my_webhook_event(uuid, timestamptz) is 'What public.replay_webhook_event() promises.';
revoke all on function app.replay_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.replay_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.replay_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.replay_my_webhook_event(p_id, now());
end;
comment on function public.replay_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): applies it now. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.replay_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.replay_webhook_event(uuid) to authenticated;
-- <<< functions_sql/money/replay_my_webhook_event.sql

-- >>> functions_sql/money/sessions_of_offer.sql
create or replace function app.sessions_of_offer(p_offer public.offers) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return coalesce(p_offer.sessions_included, 1) + coalesce(p_offer.bonus_sessions, 0);
end;
$$;
comment on function app.sessions_of_offer(public.offers) is
  'How many sessions somebody who pays for an offer once has: those included, one where none is said, and the bonus.';
revoke all on function app.sessions_of_offer(public.offers) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/sessions_of_offer.sql

-- >>> functions_sql/money/stripe_discrepancies.sql
create or replace function app.stripe_discrepancies(p_org_id uuid, p_objects jsonb)
  returns table (org_id uuid, subject text, kind text, detail jsonb)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with objects as (
      select coalesce(p_org_id, a.org_id) as org_id, o.value as object, o.value ->> 'object' = 'missing' as is_missing
        from jsonb_array_elements(p_objects) as o
        left join public.stripe_accounts as a on p_org_id is null and a.stripe_account_id = o.value ->> 'account'
       where p_org_id is not null or a.org_id is not null
    ), lines as (
      select o.org_id, o.object, o.is_missing, l.type, l.reference_id, l.amount_cents, l.currency
        from objects as o
       cross join lateral app.stripe_lines(o.object) as l
      union all
      select o.org_id, o.object, true, e.type, o.object ->> 'id', 0, e.currency
        from objects as o
        join public.money_events as e
          on e.org_id = o.org_id and e.source = 'stripe'
         and e.reference_id in (o.object ->> 'id', (o.object ->> 'id') || ':reversal')
       where o.is_missing
       group by o.org_id, o.object, e.type, e.currency
    ), compared as (
      select l.*, b.amount_cents as booked_cents, b.currencies, b.rows
        from lines as l
       cross join lateral (
         select coalesce(sum(e.amount_cents), 0)::bigint as amount_cents, count(*) as rows,
                coalesce(array_agg(distinct e.currency), '{}') as currencies,
                coalesce(bool_or(e.is_estimate), false) as is_estimate
           from public.money_events as e
          where e.org_id = l.org_id and e.source = 'stripe' and e.type = l.type
            and e.reference_id in (l.reference_id, l.reference_id || ':reversal')
            -- Fees of a payment and of a dispute may be in two currencies.
            and (l.type <> 'FEE' or e.currency = l.currency)
       ) as b
       where l.is_missing
          -- An estimate says itself that it is one.
          or not b.is_estimate and (b.amount_cents <> l.amount_cents
                                    or b.currencies <> array[l.currency] and b.amount_cents <> 0)
    )
    select c.org_id, c.reference_id,
           case when bool_or(c.is_missing) then 'unknown_to_stripe'
                when bool_and(c.rows = 0) then 'not_in_books'
                else 'differs_from_stripe' end,
           jsonb_build_object('lines', jsonb_agg(jsonb_build_object(
             'type', c.type, 'stripe_cents', c.amount_cents, 'booked_cents', c.booked_cents, 'currency', c.currency,
             'booked_currencies', c.currencies
           ) order by c.type, c.currency))
             || jsonb_strip_nulls(jsonb_build_object('charge', (array_agg(c.object ->> 'charge'))[1]))
      from compared as c
     group by c.org_id, c.reference_id
     order by c.org_id, c.reference_id;
end;
$$;
comment on function app.stripe_discrepancies(uuid, jsonb) is
  'Where the books of an org (null: of whose account each object names) are not what app.stripe_lines() makes of objects '
  'that Stripe shows; {object: missing, id} is one that Stripe does not have. kind: not_in_books, differs_from_stripe '
  '(amount or currency), unknown_to_stripe. Estimates of fees are not compared.';
revoke all on function app.stripe_discrepancies(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.stripe_discrepancies(uuid, jsonb) to coach_os_worker;
-- <<< functions_sql/money/stripe_discrepancies.sql

-- >>> functions_sql/money/stripe_lines.sql
create or replace function app.stripe_lines(p_object jsonb)
  returns table (type public.money_event_type, reference_id text, amount_cents bigint, currency text)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_kind text := p_object ->> 'object';
  v_status text := p_object ->> 'status';
  v_amount bigint := (p_object ->> 'amount')::bigint;
  v_parts jsonb := case jsonb_typeof(p_object -> 'balance_transactions') when 'array'
                   then p_object -> 'balance_transactions' else '[]' end;
begin
  reference_id := p_object ->> 'id';
  currency := lower(p_object ->> 'currency');
  if v_kind in ('charge', 'payment_intent') then
    if v_kind = 'charge' then
      -- One that failed says nothing of its intent, which another may have paid.
      if v_status is distinct from 'succeeded' or p_object -> 'captured' = 'false' then
        return;
      end if;
      reference_id := coalesce(app.stripe_id(p_object -> 'payment_intent'), reference_id);
      v_amount := coalesce((p_object ->> 'amount_captured')::bigint, v_amount);
    else
      v_amount := case v_status when 'succeeded' then (p_object ->> 'amount_received')::bigint else 0 end;
    end if;
    type := 'INCOME';
    amount_cents := v_amount;
    return next;
    type := 'PLATFORM_FEE';
    amount_cents := case when v_amount > 0 then -coalesce((p_object ->> 'application_fee_amount')::bigint, 0) else 0 end;
    return next;
  elsif v_kind = 'refund' then
    type := 'REFUND';
    amount_cents := case v_status when 'succeeded' then -v_amount else 0 end;
    return next;
  elsif v_kind = 'payout' then
    type := 'PAYOUT';
    amount_cents := case v_status when 'paid' then -v_amount else 0 end;
    return next;
  elsif v_kind = 'fee_refund' then
    type := 'PLATFORM_FEE';
    amount_cents := v_amount;
    return next;
  elsif v_kind = 'invoice' then
    type := 'INCOME';
    amount_cents := case v_status when 'paid' then (p_object ->> 'amount_paid')::bigint else 0 end;
    return next;
  elsif v_kind = 'checkout.session' then
    type := 'INCOME';
    amount_cents := case p_object ->> 'payment_status' when 'paid' then (p_object ->> 'amount_total')::bigint else 0 end;
    return next;
  elsif v_kind = 'dispute' then
    -- Taken when there is a movement out, given back when there is one in.
    type := 'ADJUSTMENT';
    select v_amount * (count(*) filter (where (t.value ->> 'amount')::bigint > 0)
                       - count(*) filter (where (t.value ->> 'amount')::bigint < 0))
      into amount_cents
      from jsonb_array_elements(v_parts) as t;
    return next;
    type := 'FEE';
    for amount_cents, currency in
      select -sum((t.value ->> 'fee')::bigint), lower(t.value ->> 'currency')
        from jsonb_array_elements(v_parts) as t group by lower(t.value ->> 'currency')
    loop
      return next;
    end loop;
  end if;
end;
$$;
comment on function app.stripe_lines(jsonb) is
  'What the books should hold of an object as Stripe shows it: what its events, all of them, come to (a reversal included). '
  'Amounts as in money_events. Sources: https://docs.stripe.com/api/charges/object, /refunds/object, /payouts/object, '
  '/disputes/object, /fee_refunds/object';
revoke all on function app.stripe_lines(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/stripe_lines.sql

-- >>> functions_sql/money/stripe_subjects_to_check.sql
create or replace function app.stripe_subjects_to_check(
  p_org_id uuid, p_from timestamptz, p_to timestamptz, p_seen text[]
)
  returns table (subject text, account_id text, charge_id text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if p_org_id is null then
    return query
      select f.object_id, a.stripe_account_id, f.payment_key
        from app.stripe_facts as f
        join public.stripe_accounts as a on a.org_id = f.org_id
       where f.fact = 'fee_refunded' and f.happened_at >= p_from and f.happened_at < p_to
         and not exists (select from unnest(p_seen) as s (id) where s.id = f.object_id)
      union
      select h.subject, a.stripe_account_id, h.detail ->> 'charge'
        from app.health_findings as h
        join public.stripe_accounts as a on a.org_id = h.org_id
       where h.area = 'money' and h.kind = any (app.reconciliation_kinds()) and h.resolved_at is null
         and h.subject like 'fr\_%';
  else
    return query
      select split_part(e.reference_id, ':', 1), null::text, null::text
        from public.money_events as e
       where e.org_id = p_org_id and e.source = 'stripe' and e.type in ('INCOME', 'REFUND', 'ADJUSTMENT', 'PAYOUT')
         and e.event_date >= p_from and e.event_date < p_to
         and not exists (select from unnest(p_seen) as s (id) where s.id = split_part(e.reference_id, ':', 1))
      union
      select h.subject, null, null
        from app.health_findings as h
       where h.area = 'money' and h.kind = any (app.reconciliation_kinds()) and h.resolved_at is null
         and h.org_id = p_org_id and h.subject not like 'fr\_%';
  end if;
end;
$$;
comment on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[]) is
  'What Stripe is to be asked about one by one: what the books of an org hold from p_from to p_to that was not among what '
  'Stripe lists (p_seen), and every finding that is open. p_org_id null: refunds of the platform''s share, of every org, '
  'with account and charge.';
revoke all on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[])
  from public, anon, authenticated, service_role;
grant execute on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[]) to coach_os_worker;
-- <<< functions_sql/money/stripe_subjects_to_check.sql

-- >>> functions_sql/orgs/audit_exceptions.sql
-- plpgsql, here and in app.actor_role(): a SQL function is planned anew by every statement that calls it.
create or replace function app.audit_exceptions(p_table name, out secret text[], out left_out text[])
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  -- Whoever has one of these is let in by it, or paid by it.
  secret := case p_table
    when 'clients' then '{onboarding_token,portal_token}'
    when 'client_invites' then '{invite_code}'
    when 'client_waivers' then '{token}'
    when 'org_payout_settings' then '{bank_account_number,bank_bsb}'
    when 'subscriptions' then '{manage_url}'
    else '{}'
  end;
  left_out := case p_table
    when 'bookings' then '{updated_at,text_version,text_version_at}'
    when 'client_purchases' then '{sessions_remaining}'  -- generated
    when 'sms_schedules' then '{updated_at,timing_since}'
    when 'clients' then '{updated_at,phone_e164}'  -- read from phone
    when 'automations' then '{updated_at,next_due_at}'  -- the clock's
    when 'referral_links' then '{updated_at,clicks,signups}'  -- counters that visitors move
    else '{updated_at}'
  end;
end;
$$;
comment on function app.audit_exceptions(name) is
  'The columns that public.audit_events treats otherwise. secret: that they changed, never what they hold. left_out: '
  'not at all, because they only keep the books on others; an update of nothing else is none.';
revoke all on function app.audit_exceptions(name) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/audit_exceptions.sql

-- >>> functions_sql/orgs/check_owner.sql
create or replace function app.check_owner(p_user_id uuid, p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return true;
end;
$$;
comment on function app.check_owner(uuid, uuid) is
  'True when p_user_id (verified by the caller) is an owner of the org. Raises PT404 org_not_found.';
revoke all on function app.check_owner(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.check_owner(uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/orgs/check_owner.sql

-- >>> functions_sql/orgs/check_same_org.sql
create or replace function app.check_same_org() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row jsonb := to_jsonb(new);
  v_column text;
  v_table text;
  v_id uuid;
  v_org_id uuid;
begin
  -- Arguments: pairs of a column and the table it refers to. Composite keys would say the same, but break the embeds
  -- the frontend asks PostgREST for. That an org_id never changes (app.keep_org) makes this hold for good.
  for i in 0 .. tg_nargs - 1 by 2 loop
    v_column := tg_argv[i];
    v_table := tg_argv[i + 1];
    v_id := (v_row ->> v_column)::uuid;
    continue when v_id is null;
    -- What every booking, ledger entry and run of an automation refers to is written out: its plan is kept, where the
    -- other one is made anew for each row, at ten times the cost.
    case v_table
      when 'clients' then
        select r.org_id into v_org_id from public.clients as r where r.id = v_id;
      when 'client_purchases' then
        select r.org_id into v_org_id from public.client_purchases as r where r.id = v_id;
      when 'bookings' then
        select r.org_id into v_org_id from public.bookings as r where r.id = v_id;
      when 'automations' then
        select r.org_id into v_org_id from public.automations as r where r.id = v_id;
      when 'message_threads' then
        select r.org_id into v_org_id from public.message_threads as r where r.id = v_id;
      else
        execute format('select r.org_id from public.%I as r where r.id = $1', v_table) into v_org_id using v_id;
    end case;
    -- A row of another org looks like one that does not exist.
    if v_org_id is distinct from (v_row ->> 'org_id')::uuid then
      -- To whom row security will refuse this org, it refuses here: two answers would say whose row the column names.
      if current_setting('role') = 'authenticated' and app.acts_for_org((v_row ->> 'org_id')::uuid) is not true then
        raise exception using errcode = '42501',
          message = format('new row violates row-level security policy for table "%s"', tg_table_name);
      end if;
      raise exception using errcode = 'PT404', message = v_column || '_not_found',
        hint = format('%s names no row of the same business.', v_column);
    end if;
  end loop;
  return new;
end;
$$;
comment on function app.check_same_org() is
  'Rows that refer to each other belong to the same org. Raises PT404 <column>_not_found; 42501, as row security does, '
  'to a signed-in user who is not of the org''s staff.';
revoke all on function app.check_same_org() from public, anon, authenticated, service_role;

create or replace trigger clients_same_org before insert or update of referral_id on public.clients
  for each row execute function app.check_same_org('referral_id', 'referrals');
create or replace trigger client_invites_same_org before insert or update of client_id on public.client_invites
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_communications_same_org before insert or update of client_id on public.client_communications
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_measurements_same_org before insert or update of client_id on public.client_measurements
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_waivers_same_org before insert or update of client_id on public.client_waivers
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger inquiries_same_org before insert or update of converted_client_id on public.inquiries
  for each row execute function app.check_same_org('converted_client_id', 'clients');
create or replace trigger referrals_same_org before insert or update of referral_link_id, referrer_client_id, referred_client_id, inquiry_id on public.referrals
  for each row execute function app.check_same_org('referral_link_id', 'referral_links', 'referrer_client_id', 'clients', 'referred_client_id', 'clients', 'inquiry_id', 'inquiries');
create or replace trigger activity_events_same_org before insert or update of client_id on public.activity_events
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_habits_same_org before insert or update of client_id, habit_id on public.client_habits
  for each row execute function app.check_same_org('client_id', 'clients', 'habit_id', 'habits');
create or replace trigger checkin_photos_same_org before insert or update of client_id, activity_event_id on public.checkin_photos
  for each row execute function app.check_same_org('client_id', 'clients', 'activity_event_id', 'activity_events');
create or replace trigger message_threads_same_org before insert or update of client_id on public.message_threads
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger messages_same_org before insert or update of thread_id on public.messages
  for each row execute function app.check_same_org('thread_id', 'message_threads');
create or replace trigger push_tokens_same_org before insert or update of client_id on public.push_tokens
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_purchases_same_org before insert or update of client_id, offer_id, promo_code_id on public.client_purchases
  for each row execute function app.check_same_org('client_id', 'clients', 'offer_id', 'offers', 'promo_code_id', 'promo_codes');
create or replace trigger bookings_same_org before insert or update of client_id, offer_id, session_type_id, purchase_id on public.bookings
  for each row execute function app.check_same_org('client_id', 'clients', 'offer_id', 'offers', 'session_type_id', 'session_types', 'purchase_id', 'client_purchases');
create or replace trigger subscriptions_same_org before insert or update of client_id, offer_id on public.subscriptions
  for each row execute function app.check_same_org('client_id', 'clients', 'offer_id', 'offers');
create or replace trigger money_events_same_org before insert or update of client_id, payout_id on public.money_events
  for each row execute function app.check_same_org('client_id', 'clients', 'payout_id', 'org_payouts');
create or replace trigger client_risk_same_org before insert or update of client_id on public.client_risk
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger automation_runs_same_org before insert or update of automation_id, client_id on public.automation_runs
  for each row execute function app.check_same_org('automation_id', 'automations', 'client_id', 'clients');
create or replace trigger sms_messages_same_org before insert or update of client_id, template_id on public.sms_messages
  for each row execute function app.check_same_org('client_id', 'clients', 'template_id', 'sms_templates');
create or replace trigger sms_events_same_org before insert or update of message_id on public.sms_events
  for each row execute function app.check_same_org('message_id', 'sms_messages');
create or replace trigger sms_suppression_same_org before insert or update of client_id on public.sms_suppression
  for each row execute function app.check_same_org('client_id', 'clients');
-- <<< functions_sql/orgs/check_same_org.sql

-- >>> functions_sql/orgs/create_org.sql
create or replace function app.create_org(p_name text, p_timezone text) returns public.orgs
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
  v_org public.orgs;
begin
  if v_user_id is null then
    raise exception using errcode = 'PT401', message = 'sign_in_required',
      hint = 'Sign in first; an org belongs to the user who creates it.';
  end if;
  if coalesce(btrim(p_name), '') = '' or length(p_name) > 200 then
    raise exception using errcode = 'PT400', message = 'org_name_invalid',
      hint = 'Give the business a name of 1 to 200 characters.';
  end if;
  -- Two tabs that both sign up wait here for each other; the second then finds the first one's org.
  perform pg_advisory_xact_lock(hashtextextended('app.create_org:' || v_user_id, 0));
  select o.* into v_org
    from public.orgs as o
    join public.org_members as m on m.org_id = o.id
   where m.user_id = v_user_id
   order by m.created_at
   limit 1;
  if found then
    return v_org;
  end if;
  insert into public.orgs (name, timezone) values (btrim(p_name), p_timezone) returning * into v_org;
  -- For an admin of the platform, whose orgs are otherwise somebody else's (app.furnish_org); for others done already.
  insert into public.org_members (org_id, user_id, role) values (v_org.id, v_user_id, 'owner');
  return v_org;
end;
$$;
comment on function app.create_org(text, text) is 'What public.create_org() promises.';
revoke all on function app.create_org(text, text) from public, anon, authenticated, service_role;
grant execute on function app.create_org(text, text) to authenticated;

create or replace function public.create_org(p_name text, p_timezone text default 'Australia/Brisbane')
  returns public.orgs
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.create_org(p_name, p_timezone);  -- whole, so that a new column of the table changes nothing here
end;
comment on function public.create_org(text, text) is
  'Creates the signed-in user''s org with owner membership, branding, settings rows, session types and text '
  'schedules, all or nothing. Called again it returns the org the user already belongs to, unchanged. '
  'p_timezone: IANA name. Errors: PT401 sign_in_required, PT400 org_name_invalid, PT400 timezone_unknown.';
revoke all on function public.create_org(text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_org(text, text) to authenticated;
-- <<< functions_sql/orgs/create_org.sql

-- >>> functions_sql/orgs/furnish_org.sql
create or replace function app.furnish_org() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Who creates an org owns it; an admin of the platform creates one for somebody else.
  if new.created_by is not null
     and not exists (select from public.platform_admins as a where a.user_id = new.created_by and a.role = 'admin') then
    insert into public.org_members (org_id, user_id, role) values (new.id, new.created_by, 'owner');
  end if;
  insert into public.branding (org_id, display_name) values (new.id, new.name);
  insert into public.booking_settings (org_id, timezone) values (new.id, new.timezone);
  insert into public.sms_settings (org_id, timezone) values (new.id, new.timezone);
  perform app.add_default_session_types(new.id);
  insert into public.sms_schedules (org_id, type, label, mins_offset, body)
  values (new.id, 'pre_session', 'Reminder the day before', 1440, (app.sms_kind('reminder')).words),
         (new.id, 'post_session', 'Follow-up', 60, (app.sms_kind('follow_up')).words);
  return null;
end;
$$;
comment on function app.furnish_org() is
  'Every org has its owner, branding, settings rows, session types and text schedules from birth.';
revoke all on function app.furnish_org() from public, anon, authenticated, service_role;

create or replace trigger orgs_furnish
  after insert on public.orgs
  for each row execute function app.furnish_org();
-- <<< functions_sql/orgs/furnish_org.sql

-- >>> functions_sql/orgs/open_findings.sql
create or replace function app.open_findings(p_area text default null)
  returns table (
    area text, kind text, org_id uuid, subject text, detail jsonb, first_seen_at timestamptz, last_seen_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select h.area, h.kind, h.org_id, h.subject, h.detail, h.first_seen_at, h.last_seen_at
      from app.health_findings as h
     where h.resolved_at is null and (p_area is null or h.area = p_area)
     order by h.area, h.first_seen_at, h.kind, h.subject;
end;
$$;
comment on function app.open_findings(text) is
  'What checks found wrong and still holds, in an area (null: everywhere), oldest first.';
revoke all on function app.open_findings(text) from public, anon, authenticated, service_role;
grant execute on function app.open_findings(text) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/orgs/open_findings.sql

-- >>> functions_sql/orgs/record_findings.sql
create or replace function app.record_findings(
  p_area text, p_kinds text[], p_org_id uuid, p_subjects text[], p_found jsonb, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.health_findings as h (area, kind, org_id, subject, detail, first_seen_at, last_seen_at)
  select p_area, f.kind, p_org_id, f.subject, coalesce(f.detail, '{}'), p_now, p_now
    from jsonb_to_recordset(p_found) as f (kind text, subject text, detail jsonb)
   -- Two runs at once take them in one order.
   order by f.kind, f.subject
  on conflict (area, kind, org_id, subject) where resolved_at is null do update
     set detail = excluded.detail, last_seen_at = greatest(h.last_seen_at, excluded.last_seen_at);
  update app.health_findings as h
     set resolved_at = greatest(p_now, h.last_seen_at)
    from (
      select o.id
        from app.health_findings as o
       where o.area = p_area and o.kind = any (p_kinds) and o.org_id is not distinct from p_org_id
         and o.resolved_at is null and (p_subjects is null or o.subject = any (p_subjects))
         and not exists (
           select from jsonb_to_recordset(p_found) as f (kind text, subject text)
            where f.kind = o.kind and f.subject = o.subject
         )
       order by o.kind, o.subject
         for update
    ) as gone
   where h.id = gone.id;
end;
$$;
comment on function app.record_findings(text, text[], uuid, text[], jsonb, timestamptz) is
  'Keeps what a check found at p_now (p_found: [{kind, subject, detail}]), of an org or (null) of the platform: a new one '
  'is a row of app.health_findings, one that was open is seen again. What the check looked for (p_kinds, of p_subjects; '
  'null: of all) and did not find is resolved. One that comes back after that is a new row.';
revoke all on function app.record_findings(text, text[], uuid, text[], jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/record_findings.sql

-- >>> functions_sql/orgs/reread_phones.sql
create or replace function app.reread_phones() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.clients as c
     set phone = c.phone
   where c.org_id = new.id and c.phone is not null
     and c.phone_e164 is distinct from app.normal_phone(c.phone, new.country_code);
  return null;
end;
$$;
comment on function app.reread_phones() is
  'An org in another country: its clients'' numbers are read anew; those typed with their country stay the same.';
revoke all on function app.reread_phones() from public, anon, authenticated, service_role;

create or replace trigger orgs_reread_phones after update of country_code on public.orgs
  for each row when (old.country_code <> new.country_code) execute function app.reread_phones();
-- <<< functions_sql/orgs/reread_phones.sql

-- >>> functions_sql/orgs/touch_updated_at.sql
create or replace function app.touch_updated_at() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end;
$$;
comment on function app.touch_updated_at() is 'Keeps updated_at the time of the last change, whatever the caller sends.';
revoke all on function app.touch_updated_at() from public, anon, authenticated, service_role;

create or replace trigger branding_touch before update on public.branding
  for each row execute function app.touch_updated_at();
create or replace trigger org_payout_settings_touch before update on public.org_payout_settings
  for each row execute function app.touch_updated_at();
create or replace trigger referral_links_touch before update on public.referral_links
  for each row execute function app.touch_updated_at();
create or replace trigger push_tokens_touch before update on public.push_tokens
  for each row execute function app.touch_updated_at();
create or replace trigger offers_touch before update on public.offers
  for each row execute function app.touch_updated_at();
create or replace trigger promo_codes_touch before update on public.promo_codes
  for each row execute function app.touch_updated_at();
create or replace trigger session_types_touch before update on public.session_types
  for each row execute function app.touch_updated_at();
create or replace trigger booking_settings_touch before update on public.booking_settings
  for each row execute function app.touch_updated_at();
create or replace trigger bookings_touch before update on public.bookings
  for each row execute function app.touch_updated_at();
create or replace trigger availability_touch before update on public.availability
  for each row execute function app.touch_updated_at();
create or replace trigger stripe_accounts_touch before update on public.stripe_accounts
  for each row execute function app.touch_updated_at();
create or replace trigger subscriptions_touch before update on public.subscriptions
  for each row execute function app.touch_updated_at();
create or replace trigger sms_settings_touch before update on public.sms_settings
  for each row execute function app.touch_updated_at();
create or replace trigger sms_schedules_touch before update on public.sms_schedules
  for each row execute function app.touch_updated_at();
create or replace trigger sms_templates_touch before update on public.sms_templates
  for each row execute function app.touch_updated_at();
create or replace trigger sms_messages_touch before update on public.sms_messages
  for each row execute function app.touch_updated_at();
create or replace trigger automations_touch
  before update of org_id, name, enabled, trigger, conditions, actions, guardrails on public.automations
  for each row execute function app.touch_updated_at();
-- <<< functions_sql/orgs/touch_updated_at.sql

-- >>> functions_sql/sms/booking_text.sql
create or replace function app.booking_text(p_booking public.bookings, p_kind text, p_words text, p_now timestamptz)
  returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_org public.orgs;
  v_to_coach boolean := (app.sms_kind(p_kind)).to_coach;
  v_remaining integer;
  v_booked bigint;
  v_values jsonb;
begin
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  select o.* into v_org from public.orgs as o where o.id = p_booking.org_id;
  v_values := jsonb_build_object(
    'client_name', case when v_to_coach then btrim(v_client.full_name)
                        else split_part(btrim(v_client.full_name), ' ', 1) end,
    'coach_name', app.coach_name(v_org.id),
    'session_datetime', app.session_time(p_booking.start_time, v_org.timezone),
    'location', coalesce(nullif(btrim(p_booking.location_details), ''), replace(p_booking.location_type, '_', ' '))
  );
  if strpos(p_words, 'session') > 0 and p_words ~ 'sessions_|session_summary' then
    select p.sessions_remaining into v_remaining
      from public.client_purchases as p
     where p.id = p_booking.purchase_id and p.client_id = v_client.id and p.org_id = v_org.id;
    select count(*) into v_booked
      from public.bookings as b
     where b.client_id = v_client.id and b.start_time > p_now and b.status in ('pending', 'confirmed');
    v_values := v_values || jsonb_build_object(
      'sessions_remaining', v_remaining, 'sessions_booked', v_booked,
      'session_summary',
        format('Sessions left: %s%s.', v_remaining, case when v_booked > 0 then format(', booked: %s', v_booked) end)
    );
  end if;
  if v_remaining is null then
    v_values := v_values - 'session_summary';
  end if;
  -- What stays empty leaves no gap.
  return btrim(regexp_replace(app.render_sms_template(p_words, v_values), ' {2,}', ' ', 'g'));
end;
$$;
comment on function app.booking_text(public.bookings, text, text, timestamptz) is
  'The words of a text about a booking, filled in from the database: times in the org''s zone, the client''s first name '
  '(in a text to the coach the whole one), sessions_remaining of the booking''s pack, sessions_booked that the client '
  'has from p_now on, session_summary of both (nothing without a pack).';
revoke all on function app.booking_text(public.bookings, text, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/booking_text.sql

-- >>> functions_sql/sms/booking_text_problem.sql
create or replace function app.booking_text_problem(p_message public.sms_messages, p_booking public.bookings) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_booking.id is null then 'booking_no_longer_stands'
    -- That it is off stays true for a client who had it, whatever becomes of it with another one.
    when p_message.template_key = 'booking_cancelled' and p_message.client_id <> p_booking.client_id then null
    when p_message.booking_version <> p_booking.text_version then
      case
        when p_booking.status = 'cancelled' then 'booking_cancelled'
        when p_message.client_id <> p_booking.client_id then 'booking_reassigned'
        when p_message.template_key in ('booking_cancelled', 'client_cancelled') then 'booking_reinstated'
        else 'booking_moved'
      end
    when p_message.template_key in ('booking_confirmation', 'booking_moved', 'reminder', 'unconfirmed_warning') then
      case
        when p_booking.status = 'cancelled' then 'booking_cancelled'
        when p_booking.status <> 'confirmed' then 'booking_no_longer_stands'
        when p_message.template_key = 'unconfirmed_warning' and p_booking.client_confirmed then 'already_confirmed'
      end
    when p_message.template_key = 'follow_up' and p_booking.status <> 'completed' then 'booking_no_longer_stands'
    when p_message.template_key = 'client_booked' and p_booking.status not in ('pending', 'confirmed')
      then 'booking_no_longer_stands'
    when p_message.template_key in ('booking_cancelled', 'client_cancelled') and p_booking.status <> 'cancelled'
      then 'booking_reinstated'
  end;
end;
$$;
comment on function app.booking_text_problem(public.sms_messages, public.bookings) is
  'Why what a text says about its booking no longer holds (docs/errors.md); null: it holds. p_booking is null where it '
  'has been deleted. A text without a booking_version, or of a kind that is not ours, is held to less.';
revoke all on function app.booking_text_problem(public.sms_messages, public.bookings)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/booking_text_problem.sql

-- >>> functions_sql/sms/bookings_awaiting_reply.sql
create or replace function app.bookings_awaiting_reply(p_org_id uuid, p_phone text, p_now timestamptz)
  returns setof public.bookings
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select b.*
    from public.clients as c
    join public.bookings as b on b.client_id = c.id and b.org_id = p_org_id
   where c.org_id = p_org_id and c.phone_e164 = p_phone
     and b.status = 'confirmed' and b.client_confirmed is not true and b.confirmation_sent_at is not null
     and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id;
end;
$$;
comment on function app.bookings_awaiting_reply(uuid, text, timestamptz) is
  'The bookings that a "Y" from this number (E.164) can confirm, the nearest first: asked about, and begun at most two '
  'hours ago. Several clients may share a number (a parent''s): the nearest open question of any is meant.';
revoke all on function app.bookings_awaiting_reply(uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/bookings_awaiting_reply.sql

-- >>> functions_sql/sms/check_sms_words.sql
create or replace function app.check_sms_words() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_known text[];
begin
  if tg_table_name = 'sms_schedules' then
    v_known := (app.sms_kind(case new.type when 'pre_session' then 'reminder' else 'follow_up' end)).placeholders;
    if tg_op = 'INSERT' or (new.type, new.mins_offset) is distinct from (old.type, old.mins_offset)
       or (new.enabled and not old.enabled) then
      new.timing_since := now();
    else
      new.timing_since := old.timing_since;
    end if;
    -- The settings page writes every column with each save; words that have long been there do not stop it.
    if tg_op = 'UPDATE' and (new.type, new.body) is not distinct from (old.type, old.body) then
      return new;
    end if;
  elsif tg_op = 'UPDATE' and (new.template_key, new.body, new.variables_schema)
        is not distinct from (old.template_key, old.body, old.variables_schema) then
    return new;
  else
    -- Of another key only the caller knows what it will fill in, and says so here.
    v_known := coalesce(
      (app.sms_kind(new.template_key)).placeholders,
      '{client_name,coach_name}'::text[] || array(
        select coalesce(v ->> 'name', v #>> '{}')
          from jsonb_array_elements(case jsonb_typeof(new.variables_schema) when 'array' then new.variables_schema
                                                                              else '[]' end) as v
      )
    );
  end if;
  if app.unknown_placeholders(new.body, v_known) is not null then
    raise exception using errcode = 'PT400', message = 'placeholder_unknown',
      hint = format('Known here: %s.', (select string_agg(format('{{%s}}', k), ', ') from unnest(v_known) as k));
  end if;
  return new;
end;
$$;
comment on function app.check_sms_words() is
  'Words are saved only with placeholders that can be filled: those of the kind (app.sms_kind), of a template under '
  'another key client_name, coach_name and those its variables_schema names (["name"] or [{"name": "name"}]). PT400 '
  'placeholder_unknown. Keeps sms_schedules.timing_since besides.';
revoke all on function app.check_sms_words() from public, anon, authenticated, service_role;

create or replace trigger sms_schedules_check_words
  before insert or update of type, mins_offset, body, enabled, timing_since on public.sms_schedules
  for each row execute function app.check_sms_words();
create or replace trigger sms_templates_check_words
  before insert or update of template_key, body, variables_schema on public.sms_templates
  for each row execute function app.check_sms_words();
-- <<< functions_sql/sms/check_sms_words.sql

-- >>> functions_sql/sms/claim_sms.sql
create or replace function app.claim_sms(p_now timestamptz default now(), p_limit integer default 50)
  returns table (message_id uuid, to_phone text, from_phone text, body text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_due uuid[];
  v_orgs uuid[];
  v_busy uuid[] := '{}';
  v_org uuid;
  v_first boolean := true;
  v_sending integer;
begin
  -- An empty answer means that nothing is due: what only waits or is cancelled does not end the search.
  loop
    select array_agg(d.id), array_agg(distinct d.org_id) into v_due, v_orgs
      from (
        select m.id, m.org_id
          from public.sms_messages as m
         where m.status in ('pending', 'queued') and m.scheduled_for <= p_now and m.org_id <> all (v_busy)
         order by m.scheduled_for, m.created_at, m.id
         limit p_limit
           for update skip locked
      ) as d;
    exit when v_due is null;
    -- Senders count an org's texts in turns; each sees what the one before has claimed. Waited for in one order, and only
    -- by who holds no other turn, so that nobody waits in a circle.
    foreach v_org in array array(select o from unnest(v_orgs) as o order by hashtext(o::text)) loop
      if v_first then
        perform pg_advisory_xact_lock(7061204, hashtext(v_org::text));
      elsif not pg_try_advisory_xact_lock(7061204, hashtext(v_org::text)) then
        v_busy := v_busy || v_org;
      end if;
    end loop;
    v_first := false;
    return query
    with examined as (
      select m.id, m.org_id, m.client_id, m.scheduled_for, m.created_at, m.expires_at, t.twilio_phone_number, o.timezone,
             t.quiet_hours_start, t.quiet_hours_end, t.max_sms_per_client_per_day as per_day,
             t.max_sms_per_hour as per_hour,
             m.template_key = any (t.urgent_kinds) or (m.metadata -> 'quiet_hours_override') = 'true' as urgent,
             case
               when t.enabled is not true then 'sms_disabled'
               when t.twilio_phone_number is null then 'sms_sender_missing'
               when app.is_phone_suppressed(m.org_id, m.to_phone) then 'number_suppressed'
               else coalesce(
                 case when m.related_entity_type = 'booking' then app.booking_text_problem(m, b) end,
                 app.switch_problem(m.template_key, t, c),
                 case when m.schedule_id is not null and s.enabled is not true then 'schedule_off' end,
                 case when m.expires_at <= p_now then 'too_late' end
               )
             end as problem
        from public.sms_messages as m
        join public.orgs as o on o.id = m.org_id
        left join public.sms_settings as t on t.org_id = m.org_id
        left join public.bookings as b on b.id = m.related_entity_id and m.related_entity_type = 'booking'
        left join public.clients as c on c.id = m.client_id
        left join public.sms_schedules as s on s.id = m.schedule_id
       where m.id = any (v_due) and m.org_id <> all (v_busy)
    ),
    awake as (
      select e.*,
             case when e.urgent then p_now
                  else app.next_send_time(p_now, e.timezone, e.quiet_hours_start, e.quiet_hours_end) end as quiet_until
        from examined as e
    ),
    -- So many of a client's day, so many of an org's hour, with those of this batch that go before it.
    days as materialized (
      select d.client_id, app.client_texts_since(d.client_id, d.since) as sent
        from (
          select distinct a.client_id, app.day_start((p_now at time zone a.timezone)::date, a.timezone) as since
            from awake as a
           where a.problem is null and a.quiet_until <= p_now and a.client_id is not null and a.per_day is not null
        ) as d
    ),
    of_clients as (
      select a.id,
             d.sent + row_number() over (partition by a.client_id order by a.scheduled_for, a.created_at, a.id) as n
        from awake as a
        join days as d on d.client_id = a.client_id
       where a.problem is null and a.quiet_until <= p_now
    ),
    hours as materialized (
      select h.org_id, app.org_texts_since(h.org_id, p_now - interval '1 hour') as sent
        from (
          select distinct a.org_id
            from awake as a where a.problem is null and a.quiet_until <= p_now and a.per_hour is not null
        ) as h
    ),
    of_orgs as (
      select a.id,
             h.sent + row_number() over (partition by a.org_id order by a.scheduled_for, a.created_at, a.id) as n
        from awake as a
        join hours as h on h.org_id = a.org_id
        left join of_clients as c on c.id = a.id
       where a.problem is null and a.quiet_until <= p_now and (c.n <= a.per_day) is not false
    ),
    waiting as (
      select a.*,
             case
               when a.problem is not null then null
               when a.quiet_until > p_now then 'quiet_hours'
               when c.n > a.per_day then 'client_daily_limit'
               when o.n > a.per_hour then 'org_hourly_limit'
             end as wait_for,
             case
               when a.quiet_until > p_now then a.quiet_until
               when c.n > a.per_day then app.day_start((p_now at time zone a.timezone)::date + 1, a.timezone)
               when o.n > a.per_hour then app.next_turn(a.org_id, p_now, (o.n - a.per_hour)::integer)
             end as wait_until,
             case when c.n > a.per_day then a.per_day else a.per_hour end = 0 as never
        from awake as a
        left join of_clients as c on c.id = a.id
        left join of_orgs as o on o.id = a.id
    ),
    decided as (
      select w.id, w.twilio_phone_number, u.until,
             case
               when w.problem is not null then w.problem
               when w.wait_for <> 'quiet_hours' and w.never then w.wait_for
               when u.until >= w.expires_at then w.wait_for || '_too_late'
             end as refusal,
             w.wait_for
        from waiting as w
       cross join lateral (
         select case when w.urgent then w.wait_until
                     else app.next_send_time(w.wait_until, w.timezone, w.quiet_hours_start, w.quiet_hours_end)
                end as until
       ) as u
    ),
    claimed as (
      update public.sms_messages as m
         set status = case
               when d.refusal is not null then 'cancelled'
               when d.wait_for is not null then 'queued'
               else 'sending'
             end,
             error_code = coalesce(d.refusal, d.wait_for),
             scheduled_for = case when d.refusal is null then coalesce(d.until, m.scheduled_for) else m.scheduled_for end,
             -- Given up because of its booking or schedule, not because of whom it is for: it may come to hold again.
             idempotency_key = case when d.refusal ~ '^(booking|schedule)_' then null else m.idempotency_key end,
             from_phone = case when coalesce(d.refusal, d.wait_for) is null then d.twilio_phone_number
                               else m.from_phone end,
             locked_until = case when coalesce(d.refusal, d.wait_for) is null then p_now + interval '5 minutes' end,
             claimed_at = case when coalesce(d.refusal, d.wait_for) is null then p_now else m.claimed_at end
        from decided as d
       where m.id = d.id
      returning m.id, m.to_phone, m.from_phone, m.body, m.status
    )
    select c.id, c.to_phone, c.from_phone, c.body from claimed as c where c.status = 'sending';
    get diagnostics v_sending = row_count;
    exit when v_sending > 0;
  end loop;
end;
$$;
comment on function app.claim_sms(timestamptz, integer) is
  'Hands out up to p_limit texts due at p_now, each to one caller, after looking again whether it may be sent: what '
  'holds no more, may not be sent or would come too late is cancelled with the reason; what falls into quiet hours, or '
  'is more than a client''s day or the org''s hour allows, waits for their end (docs/errors.md; app.explain_sms). The '
  'day is the org''s. Any number of callers may run it at once.';
revoke all on function app.claim_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.claim_sms(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/claim_sms.sql

-- >>> functions_sql/sms/classify_reply.sql
create or replace function app.classify_reply(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_text text := app.clean_reply(p_body);
  -- At most one please or thanks on either side.
  v_bare text := regexp_replace(
    regexp_replace(v_text, '^(please|thanks|thank you)[ ,.!]+', ''), '[ ,.!]+(please|thanks|thank you)$', '');
begin
  return case
    -- https://help.twilio.com/articles/223134027 (opt-out keywords)
    when v_text in ('stop', 'stopall', 'stop all', 'unsubscribe', 'cancel', 'end', 'quit', 'revoke', 'optout',
                    'opt out', 'opt-out') then 'stop'
    when v_text in ('start', 'unstop') then 'start'
    when v_text in ('help', 'info') then 'help'
    -- nfkc makes "?" of most question marks that would be trimmed, but ";" of the Greek one.
    when normalize(p_body, nfkc) ~ '\?' or p_body ~ '\u037E' then 'other'
    when v_bare in ('y', 'yes', 'yep', 'yup', 'yeah', 'confirm', 'confirmed', 'i confirm', 'yes confirmed')
      then 'confirm'
    when v_bare in ('n', 'no', 'nope') then 'decline'
    else 'other'
  end;
end;
$$;
comment on function app.classify_reply(text) is
  'What a client''s text means, by the whole of it: stop, start, help, confirm, decline, or other. A wrong confirm is '
  'worse than a missed one, so whatever is not foreseen, questions and conditions too, is other.';
revoke all on function app.classify_reply(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/classify_reply.sql

-- >>> functions_sql/sms/clean_reply.sql
create or replace function app.clean_reply(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return lower(regexp_replace(
    regexp_replace(
      regexp_replace(
        regexp_replace(normalize(coalesce(p_body, ''), nfkc),
          -- What a phone adds unseen: control characters, zero-width and bidi marks, fillers, variation selectors, tags.
          '[\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F'
          '\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E01EF]', '', 'g'),
        -- Any dash as the one on a keyboard.
        '[\u2010-\u2015\u2212]', '-', 'g'),
      -- What a hand adds around it: space, quotes, punctuation. Question marks are no such thing, but ASCII's is, and
      -- app.classify_reply() looks for that one first.
      '^[\s!-/:-@\[-`{-~\u0085\u00A1\u00AB\u00B4\u00B7\u00BB\u2016-\u2027\u2030-\u203A\u3001-\u3003\u3008-\u3011]+'
      '|[\s!-/:-@\[-`{-~\u0085\u00A1\u00AB\u00B4\u00B7\u00BB\u2016-\u2027\u2030-\u203A\u3001-\u3003\u3008-\u3011]+$',
      '', 'g'),
    '\s+', ' ', 'g'));
end;
$$;
comment on function app.clean_reply(text) is
  'A client''s whole text as keywords are looked for in it: NFKC, without invisible characters and without space, quotes '
  'and punctuation around it, in lower case.';
revoke all on function app.clean_reply(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/clean_reply.sql

-- >>> functions_sql/sms/client_texts_since.sql
create or replace function app.client_texts_since(p_client_id uuid, p_since timestamptz) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return (
    select count(*)
      from public.sms_messages as m
     where m.client_id = p_client_id and m.claimed_at >= p_since
       and (m.status in ('sending', 'sent', 'delivered', 'unknown') or m.provider_message_id is not null)
  );
end;
$$;
comment on function app.client_texts_since(uuid, timestamptz) is
  'How many texts to a client have been handed to Twilio since then, or may have been; one that it refused does not count.';
revoke all on function app.client_texts_since(uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/client_texts_since.sql

-- >>> functions_sql/sms/coach_name.sql
create or replace function app.coach_name(p_org_id uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (select nullif(btrim(b.display_name), '') from public.branding as b where b.org_id = p_org_id),
    (select o.name from public.orgs as o where o.id = p_org_id)
  );
end;
$$;
comment on function app.coach_name(uuid) is
  'How an org signs its texts: the name of its branding, else its own.';
revoke all on function app.coach_name(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/coach_name.sql

-- >>> functions_sql/sms/confirm_by_reply.sql
create or replace function app.confirm_by_reply(p_org public.orgs, p_phone text, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_next public.bookings;
begin
  loop
    select b.* into v_booking from app.bookings_awaiting_reply(p_org.id, p_phone, p_now) as b limit 1;
    if not found then
      return 'Thanks! There is no session waiting for your confirmation.';
    end if;
    -- Cancelled or moved since it was read: the next one is looked for.
    update public.bookings as b
       set client_confirmed = true
     where b.id = v_booking.id and b.status = 'confirmed' and b.client_confirmed is not true
       and b.start_time = v_booking.start_time;
    exit when found;
  end loop;
  select b.* into v_next from app.bookings_awaiting_reply(p_org.id, p_phone, p_now) as b limit 1;
  return format('Thanks! Your session on %s is confirmed.', app.session_time(v_booking.start_time, p_org.timezone))
    || case when v_next.id is null then ''
            else format(' Reply Y again to confirm %s.', app.session_time(v_next.start_time, p_org.timezone))
       end;
end;
$$;
comment on function app.confirm_by_reply(public.orgs, text, timestamptz) is
  'Confirms the nearest booking that a "Y" from this number answers, one per "Y"; returns the answer, which names the '
  'one confirmed and the one that another "Y" would confirm.';
revoke all on function app.confirm_by_reply(public.orgs, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/confirm_by_reply.sql

-- >>> functions_sql/sms/cut_sms.sql
create or replace function app.cut_sms(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_cut text := p_body;
  v_room integer := 1600;
  v_over integer;
begin
  if octet_length(p_body) <= v_room then
    return p_body;
  end if;
  loop
    v_over := length(v_cut) + regexp_count(v_cut, '[\U00010000-\U0010FFFF]') - v_room;
    exit when v_over <= 0 or v_over is null;
    -- Room for the dots, and a character is two units at most.
    v_over := v_over + v_room - 1597;
    v_room := 1597;
    v_cut := left(v_cut, -((v_over + 1) / 2));
  end loop;
  return case when v_cut = p_body then v_cut else regexp_replace(v_cut, '\s+\S{0,40}$', '') || '...' end;
end;
$$;
comment on function app.cut_sms(text) is
  'A text no longer than Twilio takes: what has more than 1600 UTF-16 units is cut, after a whole word where there is one '
  'within the last 40 characters, and ends in "...". '
  'Source: https://www.twilio.com/docs/messaging/api/message-resource (body)';
revoke all on function app.cut_sms(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/cut_sms.sql

-- >>> functions_sql/sms/decide_booking_texts.sql
create or replace function app.decide_booking_texts(
  p_old public.bookings, p_new public.bookings, p_by_client boolean, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_made boolean := p_old.id is null;
  v_changed boolean := p_old.id is not null and p_new.text_version <> p_old.text_version;
  v_was_ahead boolean := p_old.start_time > p_now;
  v_off public.bookings := p_old;
  v_follow_ups uuid[];
begin
  if v_changed then
    -- A decision that was not carried out is given up with its key: should the same come to hold again, it is made anew.
    with void as (
      update public.sms_messages as m
         set status = 'cancelled', error_code = app.booking_text_problem(m, p_new), idempotency_key = null
       where m.related_entity_id = p_new.id and m.related_entity_type = 'booking' and m.status in ('pending', 'queued')
         and app.booking_text_problem(m, p_new) is not null
      returning m.template_key, m.schedule_id
    )
    select array_agg(v.schedule_id) filter (where v.template_key = 'follow_up') into v_follow_ups from void as v;
  elsif p_old.status = 'completed' and p_new.status = 'completed' and p_new.end_time <> p_old.end_time then
    with void as (
      update public.sms_messages as m
         set status = 'cancelled', error_code = 'booking_moved', idempotency_key = null
       where m.related_entity_id = p_new.id and m.related_entity_type = 'booking' and m.status in ('pending', 'queued')
         and m.template_key = 'follow_up'
      returning m.schedule_id
    )
    select array_agg(v.schedule_id) into v_follow_ups from void as v;
  elsif not v_made and (p_new.location_type, p_new.location_details)
        is distinct from (p_old.location_type, p_old.location_details) then
    perform app.reword_waiting_texts(p_new, p_now);
  end if;

  if p_new.status = 'confirmed' and p_new.start_time > p_now
     and (v_made or v_changed or p_old.status <> 'confirmed') then
    perform app.queue_booking_sms(
      p_new,
      case when v_changed and p_old.status = 'confirmed' and p_new.client_id = p_old.client_id
           then 'booking_moved' else 'booking_confirmation' end,
      'confirmation', p_now, p_now
    );
    if v_made and p_by_client then
      perform app.queue_booking_sms(p_new, 'client_booked', 'client_booked', p_now, p_now);
    end if;
  end if;
  if v_was_ahead and (p_new.status = 'cancelled' or p_new.client_id <> p_old.client_id) then
    -- Who had it is told of what they had.
    v_off.text_version := p_new.text_version;
    if p_old.status = 'confirmed' then
      perform app.queue_booking_sms(v_off, 'booking_cancelled', 'cancellation', p_now, p_now);
    end if;
    if p_old.status in ('pending', 'confirmed') and p_new.status = 'cancelled' and p_by_client then
      perform app.queue_booking_sms(v_off, 'client_cancelled', 'client_cancelled', p_now, p_now);
    end if;
  end if;
  if not v_made and p_new.status = 'completed' then
    perform app.queue_follow_up(p_new, s, p_now)
      from public.sms_schedules as s
     where s.org_id = p_new.org_id and s.type = 'post_session' and s.enabled
       and (p_old.status <> 'completed' or s.id = any (v_follow_ups));
  end if;
end;
$$;
comment on function app.decide_booking_texts(public.bookings, public.bookings, boolean, timestamptz) is
  'What a change of a booking means for the outbox: what waits there and holds no more is cancelled, what now holds is '
  'queued, each once for this version of the booking (bookings.text_version). p_old: null for a new one. p_by_client: '
  'the client''s own doing, of which the coach is told.';
revoke all on function app.decide_booking_texts(public.bookings, public.bookings, boolean, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/decide_booking_texts.sql

-- >>> functions_sql/sms/due_reminders.sql
create or replace function app.due_reminders(p_from timestamptz, p_now timestamptz)
  returns table (due_at timestamptz, booking public.bookings, schedule public.sms_schedules)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_mins integer := -1;
  v_ahead interval;
begin
  -- One offset after the other, from the index of those in use; at each, the bookings that start that far ahead. What is
  -- decided already, as most of the last minutes' is, is left out before anything is worked out.
  loop
    select s.mins_offset into v_mins
      from public.sms_schedules as s
     where s.type = 'pre_session' and s.enabled and s.mins_offset > v_mins
     order by s.mins_offset
     limit 1;
    exit when not found;
    v_ahead := make_interval(mins => v_mins);
    return query
    with undecided as materialized (
      select b, s
        from public.bookings as b
        join public.sms_schedules as s
          on s.org_id = b.org_id and s.type = 'pre_session' and s.enabled and s.mins_offset = v_mins
       where b.status = 'confirmed' and b.start_time > p_from + v_ahead and b.start_time <= p_now + v_ahead
         and b.start_time > p_now
         -- A booking or a schedule that was not there at its moment has missed it.
         and b.start_time - v_ahead > b.text_version_at and b.start_time - v_ahead > s.timing_since
         and not exists (
           select from public.sms_messages as m
            where m.idempotency_key = format('reminder:%s:%s:%s', s.id, b.id, b.text_version)
         )
    )
    select (u.b).start_time - v_ahead, u.b, u.s
      from undecided as u
      join public.clients as c on c.id = (u.b).client_id and c.phone ~ '\S'
      join public.sms_settings as t on t.org_id = (u.b).org_id and t.enabled and t.twilio_phone_number is not null
     where app.switch_problem('reminder', t, c) is null
       and p_now < app.reminder_use_ends((u.b).start_time - v_ahead, (u.b).start_time, t.timezone, t)
       -- After a stop, of several only the one whose moment came last.
       and not exists (
         select from public.sms_schedules as n
          where n.org_id = (u.b).org_id and n.type = 'pre_session' and n.enabled and n.mins_offset < v_mins
            and (u.b).start_time - make_interval(mins => n.mins_offset) <= p_now
            and (u.b).start_time - make_interval(mins => n.mins_offset)
                > greatest((u.b).text_version_at, n.timing_since)
       );
  end loop;
  -- The unconfirmed warning: 26 hours ahead, to who was asked a while ago and has not answered.
  v_ahead := interval '26 hours';
  return query
  with undecided as materialized (
    select b
      from public.bookings as b
     where b.status = 'confirmed' and b.start_time > p_from + v_ahead and b.start_time <= p_now + v_ahead
       and b.start_time > p_now and b.start_time - v_ahead > b.text_version_at
       and b.client_confirmed is not true and b.confirmation_sent_at <= p_now - interval '2 hours'
       and not exists (
         select from public.sms_messages as m
          where m.idempotency_key = format('unconfirmed:%s:%s', b.id, b.text_version)
       )
  )
  select (u.b).start_time - v_ahead, u.b, null::public.sms_schedules
    from undecided as u
    join public.clients as c on c.id = (u.b).client_id and c.phone ~ '\S'
    join public.sms_settings as t on t.org_id = (u.b).org_id and t.enabled and t.twilio_phone_number is not null
   where app.switch_problem('unconfirmed_warning', t, c) is null
     and p_now < app.reminder_use_ends((u.b).start_time - v_ahead, (u.b).start_time, t.timezone, t);
end;
$$;
comment on function app.due_reminders(timestamptz, timestamptz) is
  'The reminders, and warnings of sessions that nobody has confirmed (schedule is null), whose moment is after p_from and '
  'by p_now, that are still of use at p_now and not decided on yet.';
revoke all on function app.due_reminders(timestamptz, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/due_reminders.sql

-- >>> functions_sql/sms/explain_sms.sql
create or replace function app.explain_sms(p_message_id uuid, p_now timestamptz) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
  v_settings public.sms_settings;
  v_timezone text;
  v_when text;
begin
  select m.* into v_message from public.sms_messages as m where m.id = p_message_id;
  if not found or not app.acts_for_org(v_message.org_id) then
    raise exception using errcode = 'PT404', message = 'message_not_found', hint = 'Choose one of your texts.';
  end if;
  select s.* into v_settings from public.sms_settings as s where s.org_id = v_message.org_id;
  select o.timezone into v_timezone from public.orgs as o where o.id = v_message.org_id;
  v_when := app.session_time(v_message.scheduled_for, v_timezone);
  if v_message.status in ('pending', 'queued') then
    return case
      when v_message.scheduled_for <= p_now then 'It is due and is sent as soon as its turn comes.'
      when v_message.error_code = 'quiet_hours' then
        format('It waits for the end of your quiet hours and is sent on %s.', v_when)
      when v_message.error_code = 'client_daily_limit' then
        format('It waits until %s: your settings allow a client %s texts a day.', v_when,
               v_settings.max_sms_per_client_per_day)
      when v_message.error_code = 'org_hourly_limit' then
        format('It waits until %s: your settings allow %s texts an hour.', v_when, v_settings.max_sms_per_hour)
      when v_message.error_code is not null then
        format('It could not be handed over yet (%s) and is tried again on %s.', v_message.error_code, v_when)
      else format('It is due on %s.', v_when)
    end;
  end if;
  return case v_message.status
    when 'sending' then 'It is being sent.'
    when 'sent' then format('It was sent on %s; whether it has arrived is not known yet.',
                            app.session_time(v_message.sent_at, v_timezone))
    when 'delivered' then format('It was delivered on %s.', app.session_time(v_message.delivered_at, v_timezone))
    when 'unknown' then case when v_message.reconcile_at is not null then
      'It is not known whether it was sent; the provider''s list of messages is being looked through.'
    else 'Nobody can tell whether it was sent, so it is not sent again by itself. Ask the client.' end
    else coalesce(
      case v_message.error_code
        when 'sms_disabled' then 'Not sent: texting is switched off in your settings.'
        when 'sms_sender_missing' then 'Not sent: your business has no number to text from.'
        when 'number_suppressed' then
          'Not sent: this number must not be texted, because its owner replied STOP or because it cannot be reached.'
        when 'phone_invalid' then 'Not sent: this is not a phone number that can be texted.'
        when 'phone_missing' then 'Not sent: the client has no phone number any more.'
        when 'confirmations_off' then 'Not sent: confirmations are switched off in your settings.'
        when 'reminders_off' then 'Not sent: reminders are switched off in your settings.'
        when 'follow_ups_off' then 'Not sent: follow-ups are switched off in your settings.'
        when 'client_reminders_off' then 'Not sent: reminders are switched off for this client.'
        when 'client_follow_ups_off' then 'Not sent: follow-ups are switched off for this client.'
        when 'schedule_off' then 'Not sent: its schedule was switched off or deleted.'
        when 'schedule_changed' then 'Not sent: its schedule was changed; a new text takes its place where one is due.'
        when 'booking_moved' then 'Not sent: the session was moved after this was written.'
        when 'booking_cancelled' then 'Not sent: the session was cancelled.'
        when 'booking_reassigned' then 'Not sent: the session was given to another client.'
        when 'booking_reinstated' then 'Not sent: the session takes place after all.'
        when 'booking_no_longer_stands' then
          case when v_message.template_key = 'follow_up' then 'Not sent: the session did not take place, or is gone.'
               else 'Not sent: the session is not confirmed any more, or is gone.' end
        when 'already_confirmed' then 'Not sent: the client had confirmed by then.'
        when 'superseded' then 'Not sent: a later reminder of the same session was due as well.'
        when 'too_late' then 'Not sent: when its turn came, it was too late to be of use.'
        when 'quiet_hours_too_late' then 'Not sent: it would have been of no use after the end of your quiet hours.'
        when 'client_daily_limit' then 'Not sent: your settings allow a client no texts.'
        when 'client_daily_limit_too_late' then
          format('Not sent: the client had had %s texts that day, and the next day would have been too late.',
                 v_settings.max_sms_per_client_per_day)
        when 'org_hourly_limit' then 'Not sent: your settings allow no texts.'
        when 'org_hourly_limit_too_late' then
          'Not sent: your settings did not allow more texts that hour, and later would have been too late.'
        -- https://www.twilio.com/docs/api/errors
        when '21211' then 'Not sent: this is no valid phone number.'
        when '21610' then 'Not sent: the owner of this number replied STOP.'
        when '21614' then 'Not sent: this number cannot receive texts.'
        when '30003' then 'Not delivered: the phone was switched off or out of reach.'
        when '30004' then 'Not delivered: the phone''s owner or carrier blocks such texts.'
        when '30005' then 'Not delivered: this number does not exist or is out of service.'
        when '30006' then 'Not delivered: a landline, or a carrier that cannot be reached.'
        when '30007' then 'Not delivered: the carrier took it for spam.'
      end,
      format('Not %s (%s).', case when v_message.provider_message_id is null then 'sent' else 'delivered' end,
             coalesce(v_message.error_code, 'no reason was given'))
    )
  end;
end;
$$;
comment on function app.explain_sms(uuid, timestamptz) is
  'What public.explain_sms() promises, at the instant p_now.';
revoke all on function app.explain_sms(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.explain_sms(uuid, timestamptz) to authenticated, service_role;

create or replace function public.explain_sms(p_message_id uuid) returns text
  language sql stable security invoker set search_path = ''
begin atomic
  select app.explain_sms(p_message_id, now());
end;
comment on function public.explain_sms(uuid) is
  'What has become of a text, in a sentence for the coach: why it was not sent, or until when it waits and for what, with '
  'times in the org''s zone. PT404 message_not_found, also for another org''s.';
revoke all on function public.explain_sms(uuid) from public, anon, authenticated, service_role;
grant execute on function public.explain_sms(uuid) to authenticated, service_role;
-- <<< functions_sql/sms/explain_sms.sql

-- >>> functions_sql/sms/follow_phone.sql
create or replace function app.follow_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.sms_messages as m
     set to_phone = coalesce(new.phone_e164, m.to_phone),
         status = case when new.phone_e164 is not null then m.status else 'cancelled' end,
         error_code = case when new.phone_e164 is not null then m.error_code
                           when new.phone ~ '\S' then 'phone_invalid'
                           else 'phone_missing' end
   where m.client_id = new.id and m.to_phone = old.phone_e164 and m.status in ('pending', 'queued');
  return null;
end;
$$;
comment on function app.follow_phone() is
  'When a client''s number changes, the texts that wait go to the new one; without one that can be dialled they are cancelled.';
revoke all on function app.follow_phone() from public, anon, authenticated, service_role;

create or replace trigger clients_follow_phone
  after update of phone on public.clients
  for each row when (new.phone_e164 is distinct from old.phone_e164) execute function app.follow_phone();
-- <<< functions_sql/sms/follow_phone.sql

-- >>> functions_sql/sms/follow_schedule.sql
create or replace function app.follow_schedule() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_now timestamptz := now();
  v_waited uuid[];
  v_booking public.bookings;
begin
  if tg_op <> 'INSERT' then
    with void as (
      update public.sms_messages as m
         set status = 'cancelled', idempotency_key = null,
             error_code = case when tg_op = 'UPDATE' and new.enabled then 'schedule_changed' else 'schedule_off' end
       where m.schedule_id = old.id and m.status in ('pending', 'queued')
      returning m.related_entity_id
    )
    select array_agg(v.related_entity_id) into v_waited from void as v;
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if not new.enabled then
    return null;
  end if;
  for v_booking in
    select b.*
      from public.bookings as b
     where b.org_id = new.org_id
       and case new.type
             -- A reminder that fell due and waits is due in its new words; what is still to come is the tick's.
             when 'pre_session' then b.id = any (v_waited) and b.status = 'confirmed' and b.start_time > v_now
                                     and b.start_time - make_interval(mins => new.mins_offset) <= v_now
             else b.status = 'completed'
                  and (b.id = any (v_waited)
                       or (b.start_time > v_now - make_interval(mins => new.mins_offset) - interval '24 hours'
                           and b.end_time + make_interval(mins => new.mins_offset) > v_now))
           end
     order by b.end_time, b.id
  loop
    if new.type = 'pre_session' then
      perform app.queue_reminder(v_booking, new, v_now);
    else
      perform app.queue_follow_up(v_booking, new, v_now);
    end if;
  end loop;
  return null;
end;
$$;
comment on function app.follow_schedule() is
  'A schedule that is edited, switched off or deleted takes back its texts that wait; edited or switched on it decides '
  'anew, by its new words and time: on what waited, and on what falls due from now on.';
revoke all on function app.follow_schedule() from public, anon, authenticated, service_role;

create or replace trigger sms_schedules_follow_insert
  after insert on public.sms_schedules
  for each row when (new.enabled and new.type = 'post_session') execute function app.follow_schedule();
create or replace trigger sms_schedules_follow_update
  after update of type, mins_offset, body, enabled on public.sms_schedules
  for each row when (
    (new.type, new.mins_offset, new.body, new.enabled) is distinct from (old.type, old.mins_offset, old.body, old.enabled)
  )
  execute function app.follow_schedule();
create or replace trigger sms_schedules_follow_delete
  before delete on public.sms_schedules
  for each row execute function app.follow_schedule();
-- <<< functions_sql/sms/follow_schedule.sql

-- >>> functions_sql/sms/follow_timezone.sql
create or replace function app.follow_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.reword_waiting_texts(b, now())
    from public.bookings as b
   where b.id in (
     select m.related_entity_id
       from public.sms_messages as m
      where m.org_id = new.id and m.status in ('pending', 'queued') and m.related_entity_type = 'booking'
   );
  return null;
end;
$$;
comment on function app.follow_timezone() is
  'When an org''s time zone changes, the texts that wait tell its times in the new one.';
revoke all on function app.follow_timezone() from public, anon, authenticated, service_role;

create or replace trigger orgs_follow_timezone
  after update of timezone on public.orgs
  for each row when (new.timezone <> old.timezone) execute function app.follow_timezone();
-- <<< functions_sql/sms/follow_timezone.sql

-- >>> functions_sql/sms/forget_twilio_account.sql
create or replace function app.forget_twilio_account(p_org_id uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_had boolean;
begin
  perform app.check_owner(auth.uid(), p_org_id);
  delete from app.twilio_accounts as a where a.org_id = p_org_id;
  v_had := found;
  if v_had then
    -- The number is the account's, not the platform's.
    update public.sms_settings as s
       set twilio_account_sid = null, twilio_phone_number = null
     where s.org_id = p_org_id;
  end if;
  return v_had;
end;
$$;
comment on function app.forget_twilio_account(uuid) is 'What public.forget_twilio_account() promises.';
revoke all on function app.forget_twilio_account(uuid) from public, anon, authenticated, service_role;
grant execute on function app.forget_twilio_account(uuid) to authenticated;

create or replace function public.forget_twilio_account(p_org_id uuid) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.forget_twilio_account(p_org_id);
end;
comment on function public.forget_twilio_account(uuid) is
  'For the owner: the org''s own Twilio account is forgotten, with its number; it texts again when the platform gives it '
  'one. False: it had none. Error: PT404 org_not_found.';
revoke all on function public.forget_twilio_account(uuid) from public, anon, authenticated, service_role;
grant execute on function public.forget_twilio_account(uuid) to authenticated;
-- <<< functions_sql/sms/forget_twilio_account.sql

-- >>> functions_sql/sms/insert_sms_from_service.sql
create or replace function app.insert_sms_from_service(
  p_org_id uuid, p_client_id uuid, p_template_key text, p_variables jsonb, p_scheduled_for timestamptz,
  p_related_entity_type text, p_related_entity_id uuid, p_idempotency_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_template public.sms_templates;
  v_message_id uuid;
  v_refusal text;
begin
  select t.* into v_template
    from public.sms_templates as t
   where t.org_id = p_org_id and t.template_key = p_template_key and t.is_active
   order by t.version desc
   limit 1;
  if not found then
    v_refusal := 'template_not_found';
  elsif exists (
    select from public.clients as c
     where c.id = p_client_id and c.org_id = p_org_id and c.phone ~ '\S' and c.phone_e164 is null
  ) then
    v_refusal := 'phone_invalid';
  else
    select i.message_id, i.refusal into v_message_id, v_refusal
      from app.insert_sms_direct(
        p_org_id, p_client_id,
        app.render_sms_template(
          v_template.body,
          jsonb_build_object(
            'client_name', (select split_part(btrim(c.full_name), ' ', 1) from public.clients as c
                             where c.id = p_client_id and c.org_id = p_org_id),
            'coach_name', app.coach_name(p_org_id)
          ) || case jsonb_typeof(p_variables) when 'object' then p_variables else '{}' end
        ),
        p_scheduled_for,
        p_related_entity_type, p_related_entity_id, p_idempotency_key, p_template_key, v_template.id, p_variables
      ) as i;
  end if;
  if v_refusal is not null then
    raise exception using
      errcode = case
        when v_refusal like '%\_not\_found' then 'PT404'
        when v_refusal like '%\_invalid' then 'PT400'
        else 'PT409'
      end,
      message = v_refusal,
      hint = 'The text was not queued; docs/errors.md says what this code means.';
  end if;
  return v_message_id;
end;
$$;
comment on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text) is
  'What public.insert_sms_from_service() promises.';
revoke all on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;

create or replace function public.insert_sms_from_service(
  p_org_id uuid, p_client_id uuid, p_template_key text, p_variables jsonb default '{}',
  p_scheduled_for timestamptz default now(), p_related_entity_type text default null,
  p_related_entity_id uuid default null, p_idempotency_key text default null
) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.insert_sms_from_service(p_org_id, p_client_id, p_template_key, p_variables,
                                     coalesce(p_scheduled_for, now()), p_related_entity_type, p_related_entity_id,
                                     p_idempotency_key);
end;
comment on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text) is
  'Queues a text to an org''s client with the words of the newest active version of a template, from p_scheduled_for '
  'on (default now), filled in from p_variables; client_name and coach_name need not be among them. Its id, always. '
  'Errors: PT404 template_not_found, client_not_found, booking_not_found; PT400 phone_invalid (the client''s number '
  'cannot be read), sms_body_invalid; PT409 phone_missing, '
  'number_suppressed, sms_disabled, sms_sender_missing, sms_already_queued (the key was used before).';
revoke all on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;
-- <<< functions_sql/sms/insert_sms_from_service.sql

-- >>> functions_sql/sms/is_phone_suppressed.sql
create or replace function app.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select from public.sms_suppression as x
     where x.org_id = p_org_id
       and x.phone = case
             when p_phone ~ '^\+[1-9][0-9]{6,14}$' then p_phone
             else coalesce(
               app.normal_phone(p_phone, (select o.country_code from public.orgs as o where o.id = p_org_id)), p_phone)
           end
  );
end;
$$;
comment on function app.is_phone_suppressed(uuid, text) is 'What public.is_phone_suppressed() promises.';
revoke all on function app.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.is_phone_suppressed(uuid, text) to service_role;

create or replace function public.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_phone_suppressed(p_org_id, p_phone);
end;
comment on function public.is_phone_suppressed(uuid, text) is
  'True when this org must not text this number, however it is written: the client said STOP, or it cannot be reached. '
  'Another org''s suppressions do not count.';
revoke all on function public.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.is_phone_suppressed(uuid, text) to service_role;
-- <<< functions_sql/sms/is_phone_suppressed.sql

-- >>> functions_sql/sms/keep_reply.sql
create or replace function app.keep_reply(p_client_id uuid, p_org_id uuid, p_body text, p_now timestamptz)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.message_threads (org_id, client_id) values (p_org_id, p_client_id)
  on conflict (org_id, client_id) do nothing;
  insert into public.messages (org_id, thread_id, created_at, sender_type, body)
  select t.org_id, t.id, p_now, 'client', p_body
    from public.message_threads as t
   where t.org_id = p_org_id and t.client_id = p_client_id;
  insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
  values (p_org_id, p_client_id, 'sms', 'inbound', 'Text from the client', p_body, p_now);
end;
$$;
comment on function app.keep_reply(uuid, uuid, text, timestamptz) is
  'A client''s text where the coach reads it: unread in their conversation, and on the client''s page.';
revoke all on function app.keep_reply(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/keep_reply.sql

-- >>> functions_sql/sms/known_sms_ids.sql
create or replace function app.known_sms_ids(p_provider_message_ids text[]) returns text[]
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return array(
    select m.provider_message_id
      from public.sms_messages as m
     where m.provider_message_id = any (p_provider_message_ids)
  );
end;
$$;
comment on function app.known_sms_ids(text[]) is 'Those of Twilio''s message ids that a text of ours has already.';
revoke all on function app.known_sms_ids(text[]) from public, anon, authenticated, service_role;
grant execute on function app.known_sms_ids(text[]) to coach_os_worker;
-- <<< functions_sql/sms/known_sms_ids.sql

-- >>> functions_sql/sms/next_turn.sql
create or replace function app.next_turn(p_org_id uuid, p_now timestamptz, p_over integer) returns timestamptz
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return interval '1 hour' + coalesce(
    (
      select m.claimed_at
        from public.sms_messages as m
       where m.org_id = p_org_id and m.claimed_at > p_now - interval '1 hour'
         and (m.status in ('sending', 'sent', 'delivered', 'unknown') or m.provider_message_id is not null)
       order by m.claimed_at
      offset p_over - 1
       limit 1
    ),
    p_now
  );
end;
$$;
comment on function app.next_turn(uuid, timestamptz, integer) is
  'When an org that has sent all that its hour allows may send again, for the p_over-th of those that wait (1: the first): '
  'as each text of the last hour is an hour old, one more may go.';
revoke all on function app.next_turn(uuid, timestamptz, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/next_turn.sql

-- >>> functions_sql/sms/org_texts_since.sql
create or replace function app.org_texts_since(p_org_id uuid, p_since timestamptz) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return (
    select count(*)
      from public.sms_messages as m
     where m.org_id = p_org_id and m.claimed_at > p_since
       and (m.status in ('sending', 'sent', 'delivered', 'unknown') or m.provider_message_id is not null)
  );
end;
$$;
comment on function app.org_texts_since(uuid, timestamptz) is
  'How many texts of an org have been handed to Twilio after that instant, or may have been; one that it refused does '
  'not count.';
revoke all on function app.org_texts_since(uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/org_texts_since.sql

-- >>> functions_sql/sms/prepare_sms.sql
create or replace function app.prepare_sms() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
begin
  if tg_op = 'INSERT' and new.related_entity_type = 'booking' and (new.booking_version is null or new.expires_at is null) then
    select b.* into v_booking from public.bookings as b where b.id = new.related_entity_id;
    new.booking_version := coalesce(new.booking_version, v_booking.text_version);
    new.expires_at := coalesce(
      new.expires_at,
      app.text_use_ends(new.template_key, new.scheduled_for, v_booking.start_time, v_booking.end_time)
    );
  end if;
  new.segments := (app.sms_segments(new.body)).segments;
  return new;
end;
$$;
comment on function app.prepare_sms() is
  'What every text in the outbox carries, whichever way it came: in how many segments it is sent and, about a booking, '
  'what of the booking it was written for and until when it is of use.';
revoke all on function app.prepare_sms() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_prepare before insert or update of body, segments on public.sms_messages
  for each row execute function app.prepare_sms();
-- <<< functions_sql/sms/prepare_sms.sql

-- >>> functions_sql/sms/queue_booking_sms.sql
create or replace function app.queue_booking_sms(
  p_booking public.bookings, p_kind text, p_key text, p_scheduled_for timestamptz, p_now timestamptz,
  p_schedule public.sms_schedules default null, p_expires_at timestamptz default null
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_settings public.sms_settings;
  v_client public.clients;
  v_words text := p_schedule.body;
  v_template_id uuid;
  v_message_id uuid;
begin
  select s.* into v_settings from public.sms_settings as s where s.org_id = p_booking.org_id;
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  if app.switch_problem(p_kind, v_settings, v_client) is not null then
    return null;
  end if;
  if v_words is null then
    select w.words, w.template_id into v_words, v_template_id from app.sms_words(p_booking.org_id, p_kind) as w;
  end if;
  select q.message_id into v_message_id from app.queue_sms(
    p_booking.org_id, p_booking.client_id, app.booking_text(p_booking, p_kind, v_words, p_now), p_scheduled_for,
    'booking', p_booking.id, format('%s:%s:%s', p_key, p_booking.id, p_booking.text_version), p_kind, v_template_id,
    p_to_coach => (app.sms_kind(p_kind)).to_coach, p_booking_version => p_booking.text_version,
    p_schedule_id => p_schedule.id,
    p_expires_at => coalesce(p_expires_at,
                             app.text_use_ends(p_kind, p_scheduled_for, p_booking.start_time, p_booking.end_time))
  ) as q;
  return v_message_id;
end;
$$;
comment on function app.queue_booking_sms(
  public.bookings, text, text, timestamptz, timestamptz, public.sms_schedules, timestamptz
) is
  'Decides on a text about a booking, once for p_key, booking and text_version: writes it to the outbox with the words '
  'of the schedule, else of the kind (app.sms_words). Null: decided before, switched off, or for a reason that '
  'app.queue_sms() knows.';
revoke all on function app.queue_booking_sms(
  public.bookings, text, text, timestamptz, timestamptz, public.sms_schedules, timestamptz
) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_booking_sms.sql

-- >>> functions_sql/sms/queue_booking_texts.sql
create or replace function app.queue_booking_texts() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.decide_booking_texts(
    old, new,
    case when new.status = 'cancelled' or (tg_op = 'INSERT' and new.booking_source = 'client')
         then app.acts_as_client(new.org_id) else false end,
    now()
  );
  return null;
end;
$$;
comment on function app.queue_booking_texts() is
  'Whoever changes a booking decides on its texts, in the same transaction: app.decide_booking_texts().';
revoke all on function app.queue_booking_texts() from public, anon, authenticated, service_role;

-- After bookings_settle (triggers fire by name), so that a follow-up counts the session just used.
create or replace trigger bookings_texts
  after insert or update of status, start_time, end_time, client_id, location_type, location_details on public.bookings
  for each row execute function app.queue_booking_texts();
-- <<< functions_sql/sms/queue_booking_texts.sql

-- >>> functions_sql/sms/queue_coach_sms.sql
create or replace function app.queue_coach_sms(
  p_org_id uuid, p_kind text, p_values jsonb, p_entity_type text, p_entity_id uuid, p_key text, p_now timestamptz
) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  select q.message_id
    from app.sms_words(p_org_id, p_kind) as w,
         app.queue_sms(p_org_id, null, app.render_sms_template(w.words, p_values), p_now, p_entity_type, p_entity_id,
                       p_key, p_kind, w.template_id, p_to_coach => true) as q;
$$;
comment on function app.queue_coach_sms(uuid, text, jsonb, text, uuid, text, timestamptz) is
  'Writes a text to the coach to the outbox, once per key, due at p_now, with the org''s words for its kind filled in '
  'from p_values. Null: not queued, for a reason that app.queue_sms() knows.';
revoke all on function app.queue_coach_sms(uuid, text, jsonb, text, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_coach_sms.sql

-- >>> functions_sql/sms/queue_follow_up.sql
create or replace function app.queue_follow_up(
  p_booking public.bookings, p_schedule public.sms_schedules, p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return app.queue_booking_sms(
    p_booking, 'follow_up', format('follow_up:%s', p_schedule.id),
    p_booking.end_time + make_interval(mins => p_schedule.mins_offset), p_now, p_schedule
  );
end;
$$;
comment on function app.queue_follow_up(public.bookings, public.sms_schedules, timestamptz) is
  'Decides on the text of a post_session schedule about a completed booking, due that long after its end: '
  'app.queue_booking_sms().';
revoke all on function app.queue_follow_up(public.bookings, public.sms_schedules, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_follow_up.sql

-- >>> functions_sql/sms/queue_reminder.sql
create or replace function app.queue_reminder(
  p_booking public.bookings, p_schedule public.sms_schedules, p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due_at timestamptz := p_booking.start_time - make_interval(mins => p_schedule.mins_offset);
  v_settings public.sms_settings;
  v_message_id uuid;
begin
  select s.* into v_settings from public.sms_settings as s where s.org_id = p_booking.org_id;
  v_message_id := app.queue_booking_sms(
    p_booking, 'reminder', format('reminder:%s', p_schedule.id), v_due_at, p_now, p_schedule,
    app.reminder_use_ends(v_due_at, p_booking.start_time, v_settings.timezone, v_settings)
  );
  if v_message_id is not null then
    -- An earlier one that still waits, for the end of quiet hours, would come together with this one.
    update public.sms_messages as m
       set status = 'cancelled', error_code = 'superseded'
      from public.sms_schedules as s
     where m.related_entity_id = p_booking.id and m.template_key = 'reminder' and m.status in ('pending', 'queued')
       and s.id = m.schedule_id and s.mins_offset > p_schedule.mins_offset;
  end if;
  return v_message_id;
end;
$$;
comment on function app.queue_reminder(public.bookings, public.sms_schedules, timestamptz) is
  'Decides on the text of a pre_session schedule about a booking to come: app.queue_booking_sms(). An earlier reminder '
  'of it that still waits gives way.';
revoke all on function app.queue_reminder(public.bookings, public.sms_schedules, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_reminder.sql

-- >>> functions_sql/sms/queue_reminders.sql
create or replace function app.queue_reminders(p_now timestamptz default now(), p_limit integer default 500)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_until timestamptz;
  v_from timestamptz := p_now - interval '37 hours';
  v_due record;
  v_settings public.sms_settings;
  v_queued integer := 0;
begin
  select r.queued_until into v_until from app.reminder_progress as r for no key update skip locked;
  if not found then
    return 0;  -- another worker is at it
  end if;
  -- As far back as something may still be of use: quiet hours end within a day, and then half a day. Mostly less far, only
  -- to where the last tick ended, and a little more: a booking may be committed after the moment it was made in, and two
  -- workers' clocks differ. After a clock that was wrong by more has been put right: all of it.
  if v_until <= p_now + interval '5 minutes' then
    v_from := greatest(v_from, v_until - interval '5 minutes');
  end if;
  for v_due in
    select d.due_at, d.booking, d.schedule
      from app.due_reminders(v_from, p_now) as d
     order by d.due_at, (d.booking).id
     limit p_limit
  loop
    if (v_due.schedule).id is not null then
      perform app.queue_reminder(v_due.booking, v_due.schedule, p_now);
    else
      select s.* into v_settings from public.sms_settings as s where s.org_id = (v_due.booking).org_id;
      perform app.queue_booking_sms(
        v_due.booking, 'unconfirmed_warning', 'unconfirmed', v_due.due_at, p_now, null,
        app.reminder_use_ends(v_due.due_at, (v_due.booking).start_time, v_settings.timezone, v_settings)
      );
    end if;
    v_queued := v_queued + 1;
  end loop;
  -- A full batch has left something behind it.
  v_until := case when v_queued = p_limit then v_due.due_at else p_now end;
  update app.reminder_progress as r set queued_until = v_until where r.queued_until <> v_until;
  return v_queued;
end;
$$;
comment on function app.queue_reminders(timestamptz, integer) is
  'Writes up to p_limit reminders and unconfirmed warnings that have come due by p_now to the outbox, and says how many; '
  'as many as p_limit: call again. After a stop of the worker only what is still of use (app.reminder_use_ends). Any '
  'number of callers may run it at once: one works, the others return 0.';
revoke all on function app.queue_reminders(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.queue_reminders(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/queue_reminders.sql

-- >>> functions_sql/sms/queue_sms.sql
create or replace function app.queue_sms(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz, p_related_entity_type text,
  p_related_entity_id uuid, p_idempotency_key text, p_template_key text default null, p_template_id uuid default null,
  p_variables jsonb default null, p_to_coach boolean default false, p_booking_version integer default null,
  p_schedule_id uuid default null, p_expires_at timestamptz default null, out message_id uuid, out refusal text
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_to text;
  v_from text;
begin
  -- Whether it may be sent is looked at again when it is (app.claim_sms): what changes until then is honoured there.
  select case
           when c.id is null and not p_to_coach then 'client_not_found'
           when coalesce(p.phone, '') !~ '\S' then 'phone_missing'
           when s.enabled is not true then 'sms_disabled'
           when s.twilio_phone_number is null then 'sms_sender_missing'
         end,
         p.phone, s.twilio_phone_number
    into refusal, v_to, v_from
    from (values (p_org_id)) as o (id)
    left join public.orgs as g on g.id = o.id
    left join public.clients as c on c.id = p_client_id and c.org_id = o.id
    left join public.sms_settings as s on s.org_id = o.id
    left join public.booking_settings as b on b.org_id = o.id
    -- A coach writes whatever helps into that field; a text needs a number.
   cross join lateral (select case
             -- What cannot be dialled is written down too, and fails with its reason (app.read_sms_phone).
             when not p_to_coach then coalesce(c.phone_e164, c.phone)
             else app.normal_phone(b.notify_phone, g.country_code)
           end) as p (phone);
  if refusal is not null then
    return;
  end if;
  -- What goes to the coach is not the client's: it is not counted as one of their texts.
  insert into public.sms_messages as m (
    org_id, client_id, to_phone, from_phone, template_id, template_key, body, variables, related_entity_type,
    related_entity_id, scheduled_for, idempotency_key, booking_version, schedule_id, expires_at
  )
  values (
    p_org_id, case when not p_to_coach then p_client_id end, v_to, v_from, p_template_id, p_template_key,
    app.cut_sms(p_body), p_variables, p_related_entity_type, p_related_entity_id, p_scheduled_for, p_idempotency_key,
    p_booking_version, p_schedule_id, p_expires_at
  )
  on conflict (idempotency_key) do nothing
  returning m.id into message_id;
  if message_id is null then
    refusal := 'sms_already_queued';
  end if;
end;
$$;
comment on function app.queue_sms(
  uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb, boolean, integer, uuid, timestamptz
) is
  'The one way into the outbox: a text to an org''s client or, p_to_coach, to the coach''s own phone '
  '(booking_settings.notify_phone), from the org''s number, once per key (null: no key). What is too long is cut '
  '(app.cut_sms). Answers the message''s id, or why there is none: client_not_found (also another org''s), '
  'phone_missing, sms_disabled (or no settings), sms_sender_missing, sms_already_queued. Suppressed numbers are the '
  'sender''s to refuse: there the refusal stays visible, and a START in the meantime counts.';
revoke all on function app.queue_sms(
  uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb, boolean, integer, uuid, timestamptz
) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_sms.sql

-- >>> functions_sql/sms/read_sms_phone.sql
create or replace function app.read_sms_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_phone text;
begin
  v_phone := app.normal_phone(new.to_phone, (select o.country_code from public.orgs as o where o.id = new.org_id));
  if v_phone is not null then
    new.to_phone := v_phone;
  elsif new.status in ('pending', 'queued') then
    -- Not refused: that would undo the booking which this text is about. It says why it is not sent.
    new.status := 'failed';
    new.error_code := 'phone_invalid';
    new.failed_at := now();
  end if;
  return new;
end;
$$;
comment on function app.read_sms_phone() is
  'Whatever queues a text, it goes to a number in E.164 (app.normal_phone); one that is none fails at once, with the '
  'reason phone_invalid.';
revoke all on function app.read_sms_phone() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_read_phone before insert on public.sms_messages
  for each row when (new.to_phone !~ '^\+[1-9][0-9]{6,14}$') execute function app.read_sms_phone();
-- <<< functions_sql/sms/read_sms_phone.sql

-- >>> functions_sql/sms/read_suppressed_phone.sql
create or replace function app.read_suppressed_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.phone := coalesce(
    app.normal_phone(new.phone, (select o.country_code from public.orgs as o where o.id = new.org_id)), new.phone);
  return new;
end;
$$;
comment on function app.read_suppressed_phone() is
  'A number that must not be texted is kept as texts are addressed, in E.164, however it was written down.';
revoke all on function app.read_suppressed_phone() from public, anon, authenticated, service_role;

create or replace trigger sms_suppression_read_phone before insert or update of phone on public.sms_suppression
  for each row when (new.phone !~ '^\+[1-9][0-9]{6,14}$') execute function app.read_suppressed_phone();
-- <<< functions_sql/sms/read_suppressed_phone.sql

-- >>> functions_sql/sms/receive_sms.sql
create or replace function app.receive_sms(
  p_message_sid text, p_from text, p_to text, p_body text, p_now timestamptz default now(),
  p_opt_out_type text default null, p_media integer default 0, p_account_sid text default null
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs;
  v_name text;
  v_client_id uuid;
  v_opted_out boolean;
  v_kind text;
  v_answer text;
  -- With these Twilio itself answers and blocks or unblocks; with anything else it does not.
  -- https://help.twilio.com/articles/223134027
  v_twilio_answers constant boolean := coalesce(p_opt_out_type in ('STOP', 'START', 'HELP'), false)
    or upper(btrim(coalesce(p_body, ''))) in ('STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT', 'START',
                                'YES', 'UNSTOP', 'HELP', 'INFO');
begin
  select o.* into v_org
    from public.sms_settings as s
    join public.orgs as o on o.id = s.org_id
    left join app.twilio_accounts as a on a.org_id = s.org_id
   where s.twilio_phone_number = p_to and a.account_sid is not distinct from p_account_sid;
  if not found then
    return null;
  end if;
  -- Texts from one number are taken one after the other: each "Y" its own booking, and the last STOP or START counts.
  perform pg_advisory_xact_lock(hashtextextended('receive_sms ' || v_org.id || p_from, 0));
  v_opted_out := exists (
    select from public.sms_suppression as x where x.org_id = v_org.id and x.phone = p_from and x.reason = 'opt_out'
  );
  v_kind := case
    when p_opt_out_type in ('STOP', 'START', 'HELP') then lower(p_opt_out_type)
    when v_opted_out and app.clean_reply(p_body) = 'yes' then 'start'
    else app.classify_reply(p_body)
  end;
  insert into public.sms_events
    (org_id, provider_message_id, event_type, event_status, dedupe_key, processed_at)
  values (v_org.id, p_message_sid, 'inbound', v_kind, 'inbound:' || p_message_sid, p_now)
  on conflict (dedupe_key) do nothing;
  if not found then
    return null;  -- the same message again: Twilio repeats a webhook it did not hear answered
  end if;
  v_name := coalesce((select nullif(btrim(b.display_name), '') from public.branding as b where b.org_id = v_org.id),
                     v_org.name);
  -- Of several who share the number the one whom the org texted last, as far as it shows.
  select c.id into v_client_id
    from public.clients as c
   where c.org_id = v_org.id and c.phone_e164 = p_from
   order by (select max(m.created_at) from public.sms_messages as m where m.client_id = c.id and m.org_id = v_org.id)
              desc nulls last, c.created_at, c.id
   limit 1;

  case v_kind
    when 'stop' then
      insert into public.sms_suppression as x (org_id, phone, reason, source, client_id)
      values (v_org.id, p_from, 'opt_out', 'webhook', v_client_id)
      on conflict (org_id, phone) do update set reason = 'opt_out', source = 'webhook'
       where x.reason <> 'opt_out';
      return case when not v_opted_out and not v_twilio_answers
               then format('You will get no more texts from %s. Reply START to get them again.', v_name) end;
    when 'start' then
      delete from public.sms_suppression as x
       where x.org_id = v_org.id and x.phone = p_from and x.reason = 'opt_out';
      return case when v_opted_out and not v_twilio_answers
               then format('You will get texts from %s again. Reply STOP to end them.', v_name) end;
    when 'help' then
      return case when not v_opted_out and not v_twilio_answers
               then format('This is %s. We text about your sessions. Reply STOP to get no more texts.', v_name) end;
    else
      if v_client_id is null then
        return case when not v_opted_out
                 then format('Thanks for your message. %s does not know this number: please get in touch another way.',
                             v_name) end;
      end if;
  end case;
  if v_kind = 'confirm' then
    v_answer := app.confirm_by_reply(v_org, p_from, p_now);
    return case when not v_opted_out then v_answer end;
  end if;
  perform app.keep_reply(
    v_client_id, v_org.id,
    left(concat_ws(' ', case when p_body ~ '\S' then p_body end,
                   case when p_media > 0 then '[a picture or file, which is not kept]'
                        when coalesce(p_body, '') !~ '\S' then '[an empty text]' end), 10000),
    p_now);
  return null;
end;
$$;
comment on function app.receive_sms(text, text, text, text, timestamptz, text, integer, text) is
  'The one handler of a client''s text, once per MessageSid; returns the answer to send, or null. p_from, p_to: E.164; '
  'p_to decides the org. p_opt_out_type: Twilio''s own reading (STOP, START, HELP), which outweighs ours. p_media: how '
  'many files came with it. p_account_sid: the org''s own account whose signature it has, null for the platform''s: it '
  'speaks for its own numbers only. "Y" confirms the nearest booking that was asked about; STOP and START are kept for '
  'this org; anything else a client writes becomes a message that the coach reads; a number that is no client''s changes '
  'nothing. Where Twilio answers a keyword itself there is no second answer.';
revoke all on function app.receive_sms(text, text, text, text, timestamptz, text, integer, text)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_sms(text, text, text, text, timestamptz, text, integer, text)
  to coach_os_sidecar;
-- <<< functions_sql/sms/receive_sms.sql

-- >>> functions_sql/sms/record_sms_status.sql
create or replace function app.record_sms_status(
  p_provider_message_id text, p_status text, p_error_code text default null, p_message_id uuid default null,
  p_now timestamptz default now(), p_account_sid text default null
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  -- Twilio can be quicker than our own note of its answer, or the only one to tell of a text whose answer was lost.
  perform app.settle_sms(m.id, 'sent', p_provider_message_id, null, p_now)
     from public.sms_messages as m
    where m.id = p_message_id and m.provider_message_id is null
      and m.account_sid is not distinct from p_account_sid;
  select m.* into v_message
    from public.sms_messages as m
   where m.provider_message_id = p_provider_message_id and m.account_sid is not distinct from p_account_sid
     for no key update;
  if not found then
    return false;
  end if;
  insert into public.sms_events
    (message_id, org_id, provider_message_id, event_type, event_status, error_code, dedupe_key, processed_at)
  values (v_message.id, v_message.org_id, p_provider_message_id, 'status', p_status, p_error_code,
          format('status:%s:%s', p_provider_message_id, p_status), p_now)
  on conflict (dedupe_key) do nothing;
  -- Upwards only: sent, failed, delivered. A receipt from the phone outweighs a failure, whichever is told first, so
  -- every order of the callbacks ends the same.
  if p_status in ('delivered', 'read') and v_message.status in ('sent', 'failed') then
    update public.sms_messages as m
       set status = 'delivered', delivered_at = p_now, failed_at = null, error_code = null
     where m.id = v_message.id;
  elsif p_status in ('undelivered', 'failed', 'canceled') and v_message.status = 'sent' then
    update public.sms_messages as m
       set status = 'failed', failed_at = p_now, error_code = p_error_code
     where m.id = v_message.id;
    perform app.suppress_phone(v_message, p_error_code, 'webhook');
  end if;
  return true;
end;
$$;
comment on function app.record_sms_status(text, text, text, uuid, timestamptz, text) is
  'Applies a Twilio status callback, once per message and status; the text ends in the same state for every order of '
  'them. p_message_id: our own id, as the callbacks address carries it. p_account_sid: the org''s own account whose '
  'signature the callback has, null for the platform''s: it speaks for its own texts only. False: no text of ours. '
  'Source: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values';
revoke all on function app.record_sms_status(text, text, text, uuid, timestamptz, text)
  from public, anon, authenticated, service_role;
grant execute on function app.record_sms_status(text, text, text, uuid, timestamptz, text)
  to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/sms/record_sms_status.sql

-- >>> functions_sql/sms/reminder_use_ends.sql
create or replace function app.reminder_use_ends(
  p_due_at timestamptz, p_start timestamptz, p_timezone text, p_settings public.sms_settings
) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  -- Half a day: a reminder of last evening may still be of use this morning, one of yesterday morning is not.
  return least(
    p_start,
    app.next_send_time(p_due_at, p_timezone, p_settings.quiet_hours_start, p_settings.quiet_hours_end)
      + interval '12 hours'
  );
end;
$$;
comment on function app.reminder_use_ends(timestamptz, timestamptz, text, public.sms_settings) is
  'From when on a reminder that fell due at p_due_at is not sent any more: as its session starts, and 12 hours after the '
  'first moment outside quiet hours at which it could have been sent.';
revoke all on function app.reminder_use_ends(timestamptz, timestamptz, text, public.sms_settings)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/reminder_use_ends.sql

-- >>> functions_sql/sms/replace_twilio_secret.sql
create or replace function app.replace_twilio_secret(p_org_id uuid, p_old text, p_new text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update app.twilio_accounts as a set secret = p_new where a.org_id = p_org_id and a.secret = p_old;
  return found;
end;
$$;
comment on function app.replace_twilio_secret(uuid, text, text) is
  'The same token, encrypted with a newer key. False: the owner has brought another one meanwhile, which stays.';
revoke all on function app.replace_twilio_secret(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function app.replace_twilio_secret(uuid, text, text) to coach_os_sidecar;
-- <<< functions_sql/sms/replace_twilio_secret.sql

-- >>> functions_sql/sms/reword_waiting_texts.sql
create or replace function app.reword_waiting_texts(p_booking public.bookings, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.sms_messages as m
     set body = app.cut_sms(app.booking_text(
           p_booking, m.template_key,
           coalesce((select s.body from public.sms_schedules as s where s.id = m.schedule_id),
                    (select t.body from public.sms_templates as t where t.id = m.template_id),
                    (app.sms_kind(m.template_key)).words),
           p_now
         ))
   where m.related_entity_id = p_booking.id and m.related_entity_type = 'booking' and m.status in ('pending', 'queued')
     and (m.client_id is null or m.client_id = p_booking.client_id)
     and (app.sms_kind(m.template_key)).words is not null;
end;
$$;
comment on function app.reword_waiting_texts(public.bookings, timestamptz) is
  'Writes our own texts about a booking that still wait anew, because something that they say has changed without '
  'making them untrue: the place, or the zone its time is told in.';
revoke all on function app.reword_waiting_texts(public.bookings, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/reword_waiting_texts.sql

-- >>> functions_sql/sms/send_portal_link.sql
create or replace function app.send_portal_link(
  p_client_id uuid, p_portal_url text, p_renew boolean, p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_words record;
  v_message_id uuid;
  v_refusal text;
begin
  if p_portal_url is null or p_portal_url !~ '^https?://[^\s/?#]+(/[^\s?#]*)?$' or length(p_portal_url) > 200 then
    raise exception using errcode = 'PT400', message = 'portal_url_invalid',
      hint = 'Give the address of the portal without the token, for example https://app.example.com/portal.';
  end if;
  -- A double click waits here, and then finds what the first one wrote.
  select c.* into v_client
    from public.clients as c
   where c.id = p_client_id and c.org_id = any (array(select app.my_staff_org_ids()))
     for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found', hint = 'Choose one of your clients.';
  end if;
  if v_client.portal_token is not null and p_renew is not true then
    select m.id into v_message_id
      from public.sms_messages as m
     where m.client_id = v_client.id and m.template_key = 'portal_link' and m.created_at > p_now - interval '1 minute'
       and m.status in ('pending', 'queued', 'sending', 'sent', 'delivered', 'unknown')
     order by m.created_at desc
     limit 1;
    if found then
      return v_message_id;
    end if;
  end if;
  if v_client.portal_token is null or p_renew then
    v_client.portal_token := gen_random_uuid();
    update public.clients as c set portal_token = v_client.portal_token where c.id = v_client.id;
  end if;
  v_words := app.sms_words(v_client.org_id, 'portal_link');
  select i.message_id, i.refusal into v_message_id, v_refusal
    from app.insert_sms_direct(
      v_client.org_id, v_client.id,
      app.render_sms_template(v_words.words, jsonb_build_object(
        'client_name', split_part(btrim(v_client.full_name), ' ', 1), 'coach_name', app.coach_name(v_client.org_id),
        'portal_link', rtrim(p_portal_url, '/') || '/' || v_client.portal_token
      )),
      p_now, 'client', v_client.id, null, 'portal_link', v_words.template_id
    ) as i;
  if v_refusal is not null then
    raise exception using errcode = case v_refusal when 'sms_body_invalid' then 'PT400' else 'PT409' end,
      message = v_refusal, hint = 'The text was not queued; docs/errors.md says what this code means.';
  end if;
  -- Whoever reads the record is not let in by it.
  insert into public.client_communications (org_id, client_id, user_id, type, direction, subject, content, created_at)
  values (v_client.org_id, v_client.id, auth.uid(), 'sms', 'outbound', 'Portal Link Sent',
          'The link to the client''s portal was sent by text.', p_now);
  return v_message_id;
end;
$$;
comment on function app.send_portal_link(uuid, text, boolean, timestamptz) is
  'What public.send_portal_link() promises, at the instant p_now.';
revoke all on function app.send_portal_link(uuid, text, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.send_portal_link(uuid, text, boolean, timestamptz) to authenticated;

create or replace function public.send_portal_link(p_client_id uuid, p_portal_url text, p_renew boolean default false)
  returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.send_portal_link(p_client_id, p_portal_url, p_renew, now());
end;
comment on function public.send_portal_link(uuid, text, boolean) is
  'Texts a client the link to their portal: p_portal_url (https://…/portal) and their token, which stays the same unless '
  'p_renew makes every earlier link invalid. Returns the text''s id, for a minute the same one. For owner and staff. '
  'PT404 client_not_found; PT400 portal_url_invalid, sms_body_invalid; PT409 phone_missing, number_suppressed, '
  'sms_disabled, sms_sender_missing.';
revoke all on function public.send_portal_link(uuid, text, boolean) from public, anon, authenticated, service_role;
grant execute on function public.send_portal_link(uuid, text, boolean) to authenticated;
-- <<< functions_sql/sms/send_portal_link.sql

-- >>> functions_sql/sms/settle_sms.sql
create or replace function app.settle_sms(
  p_message_id uuid, p_outcome text, p_provider_message_id text default null, p_error_code text default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return app.settle_sms_batch(
    jsonb_build_array(jsonb_build_object(
      'message_id', p_message_id, 'outcome', p_outcome, 'provider_message_id', p_provider_message_id,
      'error_code', p_error_code)),
    p_now) = 1;
end;
$$;
comment on function app.settle_sms(uuid, text, text, text, timestamptz) is
  'app.settle_sms_batch() for one text, whichever attempt is under way. False: the text was not being sent.';
revoke all on function app.settle_sms(uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_sms(uuid, text, text, text, timestamptz) to coach_os_worker;
-- <<< functions_sql/sms/settle_sms.sql

-- >>> functions_sql/sms/settle_sms_batch.sql
create or replace function app.settle_sms_batch(p_settled jsonb, p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_most_attempts constant integer := 10;
  c_looked_for constant interval := '24 hours';
  v_message public.sms_messages;
  v_settled uuid[];
begin
  if exists (
    select from jsonb_array_elements(p_settled) as s
     where coalesce(s ->> 'outcome', '') not in ('sent', 'failed', 'retry', 'deferred', 'unknown', 'absent', 'unclear')
  ) then
    raise exception using errcode = 'PT400', message = 'outcome_invalid',
      hint = 'An outcome is sent, failed, retry, deferred, unknown, absent or unclear.';
  end if;
  -- Bookings are locked before their texts, as whoever cancels or moves one does.
  perform from public.bookings as b
    where b.id in (
      select m.related_entity_id
        from jsonb_to_recordset(p_settled) as s (message_id uuid, outcome text)
        join public.sms_messages as m on m.id = s.message_id and m.template_key in ('booking_confirmation', 'booking_moved')
       where s.outcome = 'sent'
    )
    order by b.id
      for no key update;
  with settled as (
    update public.sms_messages as m
       set status = d.status,
           provider_message_id = coalesce(s.provider_message_id, m.provider_message_id),
           error_code = case when d.status <> 'sent' then coalesce(s.error_code, m.error_code) end,
           sent_at = case when d.status = 'sent' then p_now end,
           failed_at = case when d.status = 'failed' then p_now end,
           -- A call that was not made does not count.
           attempts = m.attempts - (s.outcome = 'deferred')::integer,
           scheduled_for = case
             when s.outcome = 'deferred' then p_now + make_interval(secs => least(coalesce(s.retry_after_s, 60), 3600))
             when s.outcome = 'absent' then p_now
             when d.status = 'queued' then p_now + app.sms_backoff(m.attempts, m.id, s.retry_after_s)
             else m.scheduled_for
           end,
           reconcile_at = case
             when s.outcome = 'unknown' then p_now + app.sms_backoff(m.attempts, m.id, s.retry_after_s)
             when s.outcome = 'unclear' and p_now < m.attempted_at + c_looked_for
               then p_now + least(greatest(p_now - m.attempted_at, '1 minute'), '1 hour')
           end,
           locked_until = null
      from jsonb_to_recordset(p_settled) as s (
             message_id uuid, attempt integer, outcome text, provider_message_id text, error_code text,
             retry_after_s integer, http_status integer)
     cross join lateral (
             select case
                      when s.outcome in ('sent', 'failed') then s.outcome
                      when s.outcome in ('unknown', 'unclear') then 'unknown'
                      when s.outcome in ('retry', 'absent') and o.attempts >= c_most_attempts then 'failed'
                      else 'queued'
                    end
               from public.sms_messages as o
              where o.id = s.message_id
           ) as d (status)
     where m.id = s.message_id
       and case
             -- Twilio has it: that is true whatever was thought of it since.
             when s.outcome = 'sent'
               then m.provider_message_id is null
                    and (m.status in ('sending', 'unknown') or m.attempts >= greatest(coalesce(s.attempt, 1), 1))
             -- The number of the attempt: a sender that comes back late does not settle another one's.
             when s.outcome in ('absent', 'unclear')
               then m.status = 'unknown' and m.attempts = coalesce(s.attempt, m.attempts)
             else m.status = 'sending' and m.attempts = coalesce(s.attempt, m.attempts)
           end
    returning m.id, m.attempts, s.outcome, s.provider_message_id, s.error_code, s.http_status
  ),
  noted as (
    insert into public.sms_attempts as a (
      message_id, attempt_number, provider_message_id, response_status, status, error_code, created_at
    )
    select s.id, s.attempts, s.provider_message_id, s.http_status,
           case s.outcome when 'sent' then 'success' when 'failed' then 'permanent_error' else 'transient_error' end,
           s.error_code, p_now
      from settled as s
     where s.outcome in ('sent', 'failed', 'retry', 'unknown') and s.attempts > 0
    on conflict (message_id, attempt_number) do update
       set status = excluded.status, provider_message_id = excluded.provider_message_id,
           response_status = excluded.response_status, error_code = excluded.error_code
     where excluded.status = 'success'
  )
  select array_agg(s.id) into v_settled from settled as s;
  -- Who is asked is waited for; not when the booking has changed since it was written, for then a Y is not about it.
  update public.bookings as b
     set confirmation_sent_at = p_now
    from public.sms_messages as m
   where m.id = any (v_settled) and m.status = 'sent' and m.template_key in ('booking_confirmation', 'booking_moved')
     and b.id = m.related_entity_id and b.status = 'confirmed'
     and b.text_version = coalesce(m.booking_version, b.text_version);
  for v_message in
    select m.* from public.sms_messages as m where m.id = any (v_settled) and m.status = 'failed' order by m.id
  loop
    perform app.suppress_phone(v_message, v_message.error_code, 'api_error');
  end loop;
  return coalesce(cardinality(v_settled), 0);
end;
$$;
comment on function app.settle_sms_batch(jsonb, timestamptz) is
  'Records what became of claimed texts; returns of how many. p_settled: an array of {message_id, attempt, outcome, '
  'provider_message_id, error_code, retry_after_s, http_status}. Outcomes: sent; failed (final; a number that must not '
  'be texted again is noted); retry (Twilio did not take it: again after app.sms_backoff(), ten times in all); deferred '
  '(it was not called: again in retry_after_s); unknown (it was called, and what it did is not known: its list is '
  'looked through at reconcile_at). Of an unknown text, after that look: sent; absent (not there: tried again); '
  'unclear (later once more, for a day). attempt: as app.take_sms() gave it, so that only that attempt is settled; '
  'null: whichever is under way. Raises PT400 outcome_invalid.';
revoke all on function app.settle_sms_batch(jsonb, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.settle_sms_batch(jsonb, timestamptz) to coach_os_worker;
-- <<< functions_sql/sms/settle_sms_batch.sql

-- >>> functions_sql/sms/sms_backoff.sql
create or replace function app.sms_backoff(p_attempts integer, p_message_id uuid, p_retry_after_s integer)
  returns interval
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return make_interval(secs => greatest(
    least(60 * 2 ^ least(greatest(p_attempts, 1) - 1, 6), 3600)
      -- Not all at once again: up to a quarter more, the same for the same text.
      * (1 + (hashtextextended(p_message_id::text, p_attempts) & 1023) / 4096.0),
    case when p_retry_after_s is not null then least(p_retry_after_s, 3600) end
  ));
end;
$$;
comment on function app.sms_backoff(integer, uuid, integer) is
  'How long to wait after so many attempts: a minute, doubling, at most an hour, and up to a quarter more; and at least '
  'what the provider asked for (Retry-After), within that hour.';
revoke all on function app.sms_backoff(integer, uuid, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/sms_backoff.sql

-- >>> functions_sql/sms/sms_in_doubt.sql
create or replace function app.sms_in_doubt(p_now timestamptz, p_limit integer)
  returns table (
    message_id uuid, attempt integer, to_phone text, from_phone text, body text, org_id uuid, account_sid text,
    secret text, attempted_at timestamptz
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Claimed long ago and never settled: its sender died. Twilio may have the text, so it is not sent again blindly.
  update public.sms_messages as m
     set status = 'unknown', error_code = 'interrupted', reconcile_at = p_now, locked_until = null
    from (
      select d.id
        from public.sms_messages as d
       where d.status = 'sending' and d.locked_until < p_now
       order by d.locked_until
       limit p_limit
         for no key update skip locked
    ) as died
   where m.id = died.id;
  return query
  with due as (
    select m.id
      from public.sms_messages as m
     where m.status = 'unknown' and m.reconcile_at <= p_now
     order by m.reconcile_at
     limit p_limit
       for no key update skip locked
  ),
  handed as (
    -- Nobody else looks for it meanwhile, and whoever dies looking is followed by another one.
    update public.sms_messages as m
       set reconcile_at = p_now + interval '5 minutes'
      from due as d
     where m.id = d.id
    returning m.id, m.attempts, m.to_phone, m.from_phone, m.body, m.org_id, m.account_sid,
              coalesce(m.attempted_at, m.created_at) as attempted_at
  )
  select h.id, h.attempts, h.to_phone, h.from_phone, h.body, h.org_id, h.account_sid, a.secret, h.attempted_at
    from handed as h
    left join app.twilio_accounts as a on a.org_id = h.org_id and a.account_sid = h.account_sid;
end;
$$;
comment on function app.sms_in_doubt(timestamptz, integer) is
  'Texts of which it is not known whether Twilio took them, each to one caller, who looks through Twilio''s list and '
  'settles them (app.settle_sms_batch): those whose sender died, and those it gave no clear answer about. secret: null '
  'with an account_sid when the org has that account no more.';
revoke all on function app.sms_in_doubt(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.sms_in_doubt(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/sms_in_doubt.sql

-- >>> functions_sql/sms/sms_kind.sql
create or replace function app.sms_kind(
  p_kind text, out words text, out placeholders text[], out setting text, out client_setting text, out to_coach boolean
)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_booking constant text[] := '{client_name,coach_name,session_datetime,location,sessions_remaining,sessions_booked,session_summary}';
begin
  to_coach := p_kind in ('client_booked', 'client_cancelled', 'onboarding_completed');
  setting := case
    when p_kind in ('booking_confirmation', 'booking_moved', 'booking_cancelled') then 'send_booking_confirmations'
    when p_kind in ('reminder', 'unconfirmed_warning') then 'send_session_reminders'
    when p_kind = 'follow_up' then 'send_feedback_requests'
  end;
  client_setting := case
    when p_kind in ('reminder', 'unconfirmed_warning') then 'sms_reminder_enabled'
    when p_kind = 'follow_up' then 'sms_followup_enabled'
  end;
  placeholders := case
    when p_kind in ('booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning')
      then v_booking
    -- The existing settings page offers feedback_link; there is no such page yet, so it is filled with nothing.
    when p_kind = 'follow_up' then v_booking || '{feedback_link}'::text[]
    when p_kind = 'portal_link' then '{client_name,coach_name,portal_link}'
    when p_kind in ('client_booked', 'client_cancelled') then '{client_name,session_datetime,location}'
    when p_kind = 'onboarding_completed' then '{client_name}'
  end;
  -- All within the GSM-7 alphabet, so that one segment holds 160 characters.
  words := case p_kind
    when 'booking_confirmation' then
      'Hi {{client_name}}, you are booked for {{session_datetime}}. Reply Y to confirm. {{coach_name}}'
    when 'booking_moved' then
      'Hi {{client_name}}, your session has moved to {{session_datetime}}. Reply Y to confirm. {{coach_name}}'
    when 'booking_cancelled' then
      'Hi {{client_name}}, your session on {{session_datetime}} is cancelled. {{coach_name}}'
    when 'reminder' then
      'Hi {{client_name}}, a reminder of your session on {{session_datetime}}. {{coach_name}}'
    when 'unconfirmed_warning' then
      'Hi {{client_name}}, your session on {{session_datetime}} is not confirmed yet. Reply Y to confirm. {{coach_name}}'
    when 'follow_up' then
      'Hi {{client_name}}, thanks for today. {{session_summary}} {{coach_name}}'
    when 'portal_link' then
      'Hi {{client_name}}, book and manage your sessions here: {{portal_link}} {{coach_name}}'
    when 'client_booked' then '{{client_name}} has booked {{session_datetime}}.'
    when 'client_cancelled' then '{{client_name}} has cancelled {{session_datetime}}.'
    when 'onboarding_completed' then '{{client_name}} has completed the onboarding form.'
  end;
end;
$$;
comment on function app.sms_kind(text) is
  'What a kind of text (sms_messages.template_key) is: its words where the org has none of its own, the placeholders '
  'they may use, which column of sms_settings and which of clients switch it off (null: none), and whether it goes to '
  'the coach. Nulls for a key that is not one of ours.';
revoke all on function app.sms_kind(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/sms_kind.sql

-- >>> functions_sql/sms/sms_segments.sql
create or replace function app.sms_segments(p_body text, out encoding text, out segments integer)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  -- The 127 characters of the default alphabet (its 128th place, ESC, leads to the extension) as a class of a regular
  -- expression; those of the extension take two places each.
  v_basic constant text := '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&''()*+,./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\-';
  v_extension constant text := '\f\^{}\\\[~\]|€';
  v_length integer := length(p_body);
  v_wide integer;
  v_each integer;
  v_left integer := 0;
  v_units integer;
  v_character text;
begin
  if p_body is null then
    return;
  end if;
  if p_body !~ ('[^' || v_basic || v_extension || ']') then
    encoding := 'GSM-7';
    v_wide := regexp_count(p_body, '[' || v_extension || ']');
    v_each := 153;
    segments := case when v_length + v_wide <= 160 then 1 end;
  else
    encoding := 'UCS-2';
    v_wide := regexp_count(p_body, '[\U00010000-\U0010FFFF]');
    v_each := 67;
    segments := case when v_length + v_wide <= 70 then 1 end;
  end if;
  if segments is null and v_wide = 0 then
    segments := ceil(v_length::numeric / v_each);
  elsif segments is null then
    -- A character of two units is not cut in two: it begins the next segment.
    segments := 0;
    foreach v_character in array string_to_array(p_body, null) loop
      v_units := case
        when encoding = 'GSM-7' and v_character ~ ('[' || v_extension || ']') then 2
        when encoding = 'UCS-2' and ascii(v_character) > 65535 then 2
        else 1
      end;
      if v_left < v_units then
        segments := segments + 1;
        v_left := v_each;
      end if;
      v_left := v_left - v_units;
    end loop;
  end if;
end;
$$;
comment on function app.sms_segments(text) is
  'As what a carrier sends a text: its encoding (GSM-7, or UCS-2 when it has a character outside GSM-7) and in how many '
  'segments: of 160 septets or 70 UTF-16 units when one is enough, else of 153 or 67. Sources: the default alphabet and '
  'its extension of 3GPP TS 23.038 (GSM 03.38) 6.2.1, '
  'https://www.etsi.org/deliver/etsi_ts/123000_123099/123038/10.00.00_60/ts_123038v100000p.pdf; '
  'https://www.twilio.com/docs/glossary/what-sms-character-limit';
revoke all on function app.sms_segments(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/sms_segments.sql

-- >>> functions_sql/sms/sms_words.sql
create or replace function app.sms_words(p_org_id uuid, p_kind text, out words text, out template_id uuid)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  select t.body, t.id into words, template_id
    from public.sms_templates as t
   where t.org_id = p_org_id and t.template_key = p_kind and t.is_active
   order by t.version desc
   limit 1;
  if not found then
    words := (app.sms_kind(p_kind)).words;
  end if;
end;
$$;
comment on function app.sms_words(uuid, text) is
  'The words an org has for a kind of text: the newest active version of its template under that key, else those of '
  'app.sms_kind().';
revoke all on function app.sms_words(uuid, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/sms_words.sql

-- >>> functions_sql/sms/store_twilio_account.sql
create or replace function app.store_twilio_account(
  p_user_id uuid, p_org_id uuid, p_account_sid text, p_secret text, p_phone text, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_owner(p_user_id, p_org_id);
  insert into app.twilio_accounts as a (org_id, account_sid, secret, updated_at)
  values (p_org_id, p_account_sid, p_secret, p_now)
  on conflict (org_id) do update
     set account_sid = excluded.account_sid, secret = excluded.secret, updated_at = excluded.updated_at;
  update public.sms_settings as s
     set twilio_account_sid = p_account_sid, twilio_phone_number = p_phone
   where s.org_id = p_org_id;
  return true;
exception when unique_violation then
  raise exception using errcode = 'PT409', message = 'number_taken',
    hint = 'Another business texts from this number; choose another one of your account.';
end;
$$;
comment on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz) is
  'From now on the org texts through its own Twilio account and from p_phone, a number of that account. The caller has '
  'checked both with Twilio, and p_secret is the auth token, encrypted. Raises PT404 org_not_found unless p_user_id is '
  'an owner; PT409 number_taken.';
revoke all on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/sms/store_twilio_account.sql

-- >>> functions_sql/sms/suppress_phone.sql
create or replace function app.suppress_phone(p_message public.sms_messages, p_error_code text, p_source text)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_error_code in ('21610', '21211', '21614') then
    insert into public.sms_suppression (org_id, phone, reason, source, client_id)
    values (p_message.org_id, p_message.to_phone,
            case p_error_code when '21610' then 'opt_out' else 'invalid_number' end, p_source, p_message.client_id)
    on conflict (org_id, phone) do nothing;
  end if;
end;
$$;
comment on function app.suppress_phone(public.sms_messages, text, text) is
  'After an error that says never to text this number again: 21610 (it opted out), 21211 (no number), 21614 (no mobile). '
  'Of any other the number is not to blame. p_source: api_error or webhook. Source: https://www.twilio.com/docs/api/errors';
revoke all on function app.suppress_phone(public.sms_messages, text, text)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/suppress_phone.sql

-- >>> functions_sql/sms/switch_problem.sql
create or replace function app.switch_problem(
  p_kind text, p_settings public.sms_settings, p_client public.clients
) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_kind record := app.sms_kind(p_kind);
begin
  return case
    when v_kind.setting = 'send_booking_confirmations' and not p_settings.send_booking_confirmations
      then 'confirmations_off'
    when v_kind.setting = 'send_session_reminders' and not p_settings.send_session_reminders then 'reminders_off'
    when v_kind.setting = 'send_feedback_requests' and not p_settings.send_feedback_requests then 'follow_ups_off'
    when v_kind.client_setting = 'sms_reminder_enabled' and not p_client.sms_reminder_enabled
      then 'client_reminders_off'
    when v_kind.client_setting = 'sms_followup_enabled' and not p_client.sms_followup_enabled
      then 'client_follow_ups_off'
  end;
end;
$$;
comment on function app.switch_problem(text, public.sms_settings, public.clients) is
  'Why the switches of the org or the client do not let a kind of text be sent (docs/errors.md); null: they do.';
revoke all on function app.switch_problem(text, public.sms_settings, public.clients)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/switch_problem.sql

-- >>> functions_sql/sms/take_sms.sql
create or replace function app.take_sms(p_now timestamptz, p_limit integer)
  returns table (
    message_id uuid, attempt integer, to_phone text, from_phone text, body text, org_id uuid, account_sid text,
    secret text
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_claimed uuid[] := array(select c.message_id from app.claim_sms(p_now, p_limit) as c);
begin
  return query
  update public.sms_messages as m
     set attempts = m.attempts + 1,
         attempted_at = p_now,
         account_sid = a.account_sid,
         -- The number may have changed since it was queued; it must be one of the account's.
         from_phone = coalesce(s.twilio_phone_number, m.from_phone)
    from unnest(v_claimed) as c (id)
    join public.sms_messages as t on t.id = c.id
    left join public.sms_settings as s on s.org_id = t.org_id
    left join app.twilio_accounts as a on a.org_id = t.org_id
   where m.id = c.id
  returning m.id, m.attempts, m.to_phone, m.from_phone, m.body, m.org_id, a.account_sid, a.secret;
end;
$$;
comment on function app.take_sms(timestamptz, integer) is
  'What app.claim_sms() hands out, with the number of the attempt and the account to send it through: account_sid with '
  'its encrypted token, or null for the platform''s. Whoever takes a text sends it within two minutes or not at all: '
  'after five it counts as interrupted (app.sms_in_doubt).';
revoke all on function app.take_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.take_sms(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/take_sms.sql

-- >>> functions_sql/sms/text_use_ends.sql
create or replace function app.text_use_ends(
  p_kind text, p_scheduled_for timestamptz, p_start timestamptz, p_end timestamptz
) returns timestamptz
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_kind in ('booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning',
                    'client_booked', 'client_cancelled') then p_start
    when p_kind = 'follow_up' then greatest(p_scheduled_for, p_end) + interval '48 hours'
  end;
end;
$$;
comment on function app.text_use_ends(text, timestamptz, timestamptz, timestamptz) is
  'From when on a text about a session from p_start to p_end is of no use: as the session starts; thanks for it 48 hours '
  'after they were due. Null: it is always of use.';
revoke all on function app.text_use_ends(text, timestamptz, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/text_use_ends.sql

-- >>> functions_sql/sms/twilio_secrets.sql
create or replace function app.twilio_secrets(p_account_sid text default null)
  returns table (org_id uuid, account_sid text, secret text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select a.org_id, a.account_sid, a.secret
    from app.twilio_accounts as a
   where p_account_sid is null or a.account_sid = p_account_sid
   order by a.updated_at desc, a.org_id;
end;
$$;
comment on function app.twilio_secrets(text) is
  'The encrypted auth tokens of an account that orgs have brought, each org''s own; null: of all accounts.';
revoke all on function app.twilio_secrets(text) from public, anon, authenticated, service_role;
grant execute on function app.twilio_secrets(text) to coach_os_sidecar;
-- <<< functions_sql/sms/twilio_secrets.sql

-- >>> functions_sql/sms/unknown_placeholders.sql
create or replace function app.unknown_placeholders(p_words text, p_known text[]) returns text[]
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  -- Whatever stands behind an opening and is not filled would reach the client as it is written.
  select array_agg(distinct p.name order by p.name)
    from (
      select coalesce((regexp_match(piece, '^\s*([A-Za-z0-9_]+)\s*\}\}'))[1], left(piece, 20)) as name,
             piece ~ '^\s*[A-Za-z0-9_]+\s*\}\}' as closed
        from string_to_table(p_words, '{{') with ordinality as s (piece, n)
       where n > 1
    ) as p
   where not p.closed or p.name <> all (p_known);
$$;
comment on function app.unknown_placeholders(text, text[]) is
  'What app.render_sms_template() could not fill: names not in p_known, and the text behind a {{ that nothing closes. '
  'Null: nothing.';
revoke all on function app.unknown_placeholders(text, text[]) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/unknown_placeholders.sql
