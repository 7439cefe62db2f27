create or replace function app.even_time(p_date date, p_timezone text)
  returns table (starts timestamptz, ends timestamptz, utc_offset interval)
  language plpgsql stable rows 1 security definer set search_path = ''
as $$
declare
  v_from timestamptz := app.local_to_instant(p_date::timestamp, p_timezone);
  v_to timestamptz := app.local_to_instant((p_date + 1)::timestamp, p_timezone);
  v_before interval := v_from at time zone p_timezone - v_from at time zone 'UTC';
  v_last timestamptz := v_to - interval '1 microsecond';
  v_after interval := v_last at time zone p_timezone - v_last at time zone 'UTC';
  v_change timestamptz := v_to;
begin
  if v_before <> v_after and v_from < v_to then
    -- Clocks are changed on a quarter of an hour.
    select min(q.at) into v_change
      from generate_series(v_from, v_to, interval '15 minutes') as q (at)
     where q.at at time zone p_timezone - q.at at time zone 'UTC' <> v_before;
    return query select v_change, v_to, v_after;
  end if;
  return query select v_from, v_change, v_before;
end;
$$;
comment on function app.even_time(date, text) is
  'The stretches [starts, ends) of a local date in which clocks run evenly, and what they are ahead of UTC: one, or '
  'two on a day on which clocks are changed. Of a date that the zone skipped: an empty one.';
revoke all on function app.even_time(date, text) from public, anon, authenticated, service_role;
