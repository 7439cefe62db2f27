create or replace function app.local_to_instant(p_local timestamp, p_timezone text) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  -- Postgres reads a skipped wall time with the offset before the gap, as promised here, but takes the second
  -- of two passes (DetermineTimeZoneOffset in its datetime.c).
  v_last timestamptz := p_local at time zone p_timezone;
  -- The same wall time read with the offset of a day before: the first pass, if there were two.
  v_first timestamptz := v_last - ((v_last - interval '24 hours') at time zone p_timezone
                                   - (v_last at time zone p_timezone - interval '24 hours'));
begin
  if v_first < v_last and v_first at time zone p_timezone = p_local then
    return v_first;
  end if;
  return v_last;
end;
$$;
comment on function app.local_to_instant(timestamp, text) is
  'The instant of a wall-clock time in an IANA zone. In a gap (clocks go forward): read with the offset before '
  'it. In a fold (clocks go back): the first occurrence. An unknown zone is an error.';
revoke all on function app.local_to_instant(timestamp, text) from public, anon, authenticated, service_role;
