create or replace function app.next_send_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_at timestamptz := p_at;
  v_local timestamp;
  v_end timestamptz;
begin
  while app.is_quiet_time(v_at, p_timezone, p_start, p_end) loop
    v_local := v_at at time zone p_timezone;
    -- When this clock shows the end, if nobody changes it.
    v_end := v_at + (date_trunc('day', v_local) + make_interval(hours => p_end) - v_local);
    if v_end < v_at then
      v_end := v_end + interval '24 hours';
    end if;
    -- If somebody does, it may then be past the end, or before it again.
    v_at := coalesce(app.clock_change(v_at, v_end, p_timezone), v_end);
  end loop;
  return v_at;
end;
$$;
comment on function app.next_send_time(timestamptz, text, integer, integer) is
  'The first instant, not before p_at, outside quiet hours (see app.is_quiet_time), also where clocks change in '
  'between. Null of null, infinity of infinity. Errors: PT400 timezone_unknown, PT400 quiet_hours_invalid.';
revoke all on function app.next_send_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
