create or replace function app.is_quiet_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns boolean
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_hour integer := extract(hour from p_at at time zone app.require_timezone(p_timezone));
begin
  if p_start not between 0 and 23 or p_end not between 0 and 23 then
    raise exception using errcode = 'PT400', message = 'quiet_hours_invalid',
      hint = 'Quiet hours begin and end on 0 to 23.';
  end if;
  return case
    when p_at is null then null
    when p_start is null or p_end is null or p_start = p_end or not isfinite(p_at) then false
    when p_start < p_end then v_hour >= p_start and v_hour < p_end
    else v_hour >= p_start or v_hour < p_end
  end;
end;
$$;
comment on function app.is_quiet_time(timestamptz, text, integer, integer) is
  'True when the local wall clock is within quiet hours: p_start inclusive to p_end exclusive (hours 0-23), '
  'through midnight when p_start > p_end. Null or equal bounds: never quiet; nor is infinity. Null of a null instant. '
  'Errors: PT400 timezone_unknown, PT400 quiet_hours_invalid.';
revoke all on function app.is_quiet_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
