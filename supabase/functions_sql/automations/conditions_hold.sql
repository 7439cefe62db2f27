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
