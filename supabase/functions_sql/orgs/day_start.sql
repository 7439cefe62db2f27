create or replace function app.day_start(p_date date, p_timezone text) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_start timestamptz := app.local_to_instant(p_date::timestamp, p_timezone);
begin
  if v_start at time zone p_timezone <> p_date::timestamp then
    -- No midnight that day: the gap that swallows it may have begun the evening before.
    return app.clock_change(v_start - interval '24 hours', v_start, p_timezone);
  end if;
  return v_start;
end;
$$;
comment on function app.day_start(date, text) is
  'The first instant of a local date in an IANA zone: mostly midnight, where midnight is skipped the skip, where it '
  'repeats the first one. Of a date that a zone skipped (Pacific/Apia, 2011-12-30): where the next one starts. '
  'Null of null. Error: PT400 timezone_unknown.';
revoke all on function app.day_start(date, text) from public, anon, authenticated, service_role;
