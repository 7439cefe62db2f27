create or replace function app.local_to_instant(p_local timestamp, p_timezone text) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  -- Postgres reads a skipped wall time with the offset before the gap, as promised here, but takes the second
  -- of two passes (DetermineTimeZoneOffset in its datetime.c).
  v_last timestamptz := p_local at time zone app.require_timezone(p_timezone);
  v_before timestamptz := v_last - interval '24 hours';
  v_first timestamptz;
begin
  if not isfinite(p_local) then
    return v_last;
  end if;
  -- The same wall time read with the offset of a day before: the first pass, if there were two.
  v_first := (p_local - (v_before at time zone p_timezone - v_before at time zone 'UTC')) at time zone 'UTC';
  if v_first < v_last and v_first at time zone p_timezone = p_local then
    return v_first;
  end if;
  return v_last;
end;
$$;
comment on function app.local_to_instant(timestamp, text) is
  'The instant of a wall-clock time in an IANA zone. In a gap (clocks go forward): read with the offset before '
  'it. In a fold (clocks go back): the first occurrence. Null of null, infinity of infinity. '
  'Error: PT400 timezone_unknown.';
revoke all on function app.local_to_instant(timestamp, text) from public, anon, authenticated, service_role;
