create or replace function app.even_time(p_date date, p_timezone text)
  returns table (starts timestamptz, ends timestamptz, utc_offset interval)
  language plpgsql stable rows 1 security definer set search_path = ''
as $$
declare
  v_from timestamptz := app.day_start(p_date, p_timezone);
  v_to timestamptz := app.day_start(p_date + 1, p_timezone);
  v_last timestamptz := v_to - interval '1 microsecond';
  v_change timestamptz := case when v_from < v_to then app.clock_change(v_from, v_last, p_timezone) end;
begin
  starts := v_from;
  ends := coalesce(v_change, v_to);
  utc_offset := v_from at time zone p_timezone - v_from at time zone 'UTC';
  return next;
  if v_change is not null then
    starts := v_change;
    ends := v_to;
    utc_offset := v_last at time zone p_timezone - v_last at time zone 'UTC';
    return next;
  end if;
end;
$$;
comment on function app.even_time(date, text) is
  'The stretches [starts, ends) of a local date in which clocks run evenly, and what they are ahead of UTC: one, or '
  'two on a day on which clocks are changed. Of a date that the zone skipped: an empty one.';
revoke all on function app.even_time(date, text) from public, anon, authenticated, service_role;
