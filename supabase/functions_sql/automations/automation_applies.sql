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
