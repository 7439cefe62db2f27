create or replace function app.is_quiet_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns boolean
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select case
    when p_start is null or p_end is null or p_start = p_end then false
    when p_start < p_end then h.local_hour >= p_start and h.local_hour < p_end
    else h.local_hour >= p_start or h.local_hour < p_end
  end
  from (select extract(hour from p_at at time zone p_timezone)) as h (local_hour);
$$;
comment on function app.is_quiet_time(timestamptz, text, integer, integer) is
  'True when the local wall clock is within quiet hours: p_start inclusive to p_end exclusive (hours 0-23), '
  'through midnight when p_start > p_end. Null or equal bounds: never quiet.';
revoke all on function app.is_quiet_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
