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
