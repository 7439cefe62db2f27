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
    -- Hours given for one date stand in place of the weekday's.
    select true as opens, d.day + a.start_time as starts, d.day + a.end_time as ends, d
      from days as d
      join public.availability as a
        on a.org_id = p_org_id
       and a.is_available
       and (a.specific_date = d.day
            or (a.specific_date is null and a.day_of_week = d.dow
                and not exists (select from public.availability as s
                                 where s.org_id = p_org_id and s.specific_date = d.day)))
    union all
    select false, d.day + b.start_time, d.day + b.end_time, d
      from days as d
      join public.blocked_times as b on b.org_id = p_org_id and (b.date = d.day or b.day_of_week = d.dow)
  ),
  -- By the clock on the wall: hours that a change of clocks skips are not there, those it repeats are there twice.
  spans as (
    select h.opens,
           tstzrange((h.starts - (h.d).utc_offset) at time zone 'UTC', (h.ends - (h.d).utc_offset) at time zone 'UTC')
             * tstzrange((h.d).starts, (h.d).ends) as span
      from hours as h
  )
  select coalesce(range_agg(s.span) filter (where s.opens), '{}')
       - coalesce(range_agg(s.span) filter (where not s.opens), '{}')
    from spans as s;
$$;
comment on function app.open_time(uuid, date, date) is
  'When an org can be booked on the local dates p_from to p_to (inclusive): its availability less its blocked times, '
  'bookings not considered. Times of day are the org''s.';
revoke all on function app.open_time(uuid, date, date) from public, anon, authenticated, service_role;
