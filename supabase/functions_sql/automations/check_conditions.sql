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
