create or replace function app.open_time(p_org_id uuid, p_from date, p_to date) returns tstzmultirange
  language sql stable security definer set search_path = ''
as $$
  with days as (
    select d.day::date as day, extract(dow from d.day)::integer as dow, e.starts, e.ends, e.utc_offset
      from public.orgs as o,
           generate_series(p_from::timestamp, p_to::timestamp, interval '1 day') as d (day),
           app.even_time(d.day::date, o.timezone) as e
     where o.id = p_org_id
  ),
  hours as (
    select a.specific_date as day, a.day_of_week as dow, a.start_time, a.end_time, a.is_available
      from public.availability as a
     where a.org_id = p_org_id and (a.specific_date is null or a.specific_date between p_from and p_to)
  ),
  windows as (
    select true as opens, d, h.start_time, h.end_time
      from days as d
      join hours as h
        on h.is_available
       -- Hours given for one date stand in place of the weekday's.
       and (h.day = d.day
            or (h.day is null and h.dow = d.dow and not exists (select from hours as s where s.day = d.day)))
    union all
    select false, d, b.start_time, b.end_time
      from days as d
      join public.blocked_times as b
        on b.org_id = p_org_id and (b.date is null or b.date between p_from and p_to)
       and (b.date = d.day or b.day_of_week = d.dow)
  ),
  -- By the clock on the wall: hours that a change of clocks skips are not there, those it repeats are there twice.
  spans as (
    select w.opens,
           tstzrange(((w.d).day + w.start_time - (w.d).utc_offset) at time zone 'UTC',
                     ((w.d).day + w.end_time - (w.d).utc_offset) at time zone 'UTC')
             * tstzrange((w.d).starts, (w.d).ends) as span
      from windows as w
  )
  select coalesce(range_agg(s.span) filter (where s.opens), '{}')
       - coalesce(range_agg(s.span) filter (where not s.opens), '{}')
    from spans as s;
$$;
comment on function app.open_time(uuid, date, date) is
  'When an org can be booked on the local dates p_from to p_to (inclusive): its availability less its blocked times, '
  'bookings not considered. Times of day are the org''s.';
revoke all on function app.open_time(uuid, date, date) from public, anon, authenticated, service_role;
