create or replace function app.open_time(p_org_id uuid, p_from date, p_to date) returns tstzmultirange
  language sql stable security definer set search_path = ''
as $$
  with zone as (
    select o.timezone from public.orgs as o where o.id = p_org_id
  ),
  days as (
    select d.day::date as day, extract(dow from d.day)::integer as dow
      from generate_series(p_from::timestamp, p_to::timestamp, interval '1 day') as d (day)
  ),
  hours as (
    -- Hours given for one date stand in place of the weekday's.
    select d.day, a.start_time, a.end_time
      from days as d
      join public.availability as a
        on a.org_id = p_org_id
       and a.is_available
       and (a.specific_date = d.day
            or (a.specific_date is null and a.day_of_week = d.dow
                and not exists (select from public.availability as s
                                 where s.org_id = p_org_id and s.specific_date = d.day)))
  ),
  blocks as (
    select d.day, b.start_time, b.end_time
      from days as d
      join public.blocked_times as b on b.org_id = p_org_id and (b.date = d.day or b.day_of_week = d.dow)
  ),
  instants as (
    select true as opens, app.local_to_instant(h.day + h.start_time, z.timezone) as starts,
           app.local_to_instant(h.day + h.end_time, z.timezone) as ends
      from hours as h, zone as z
    union all
    select false, app.local_to_instant(b.day + b.start_time, z.timezone),
           app.local_to_instant(b.day + b.end_time, z.timezone)
      from blocks as b, zone as z
  )
  -- Where clocks go forward, hours within the gap come out empty or turned round: there is no such time that day.
  select coalesce(range_agg(tstzrange(i.starts, i.ends)) filter (where i.opens and i.starts < i.ends), '{}')
       - coalesce(range_agg(tstzrange(i.starts, i.ends)) filter (where not i.opens and i.starts < i.ends), '{}')
    from instants as i;
$$;
comment on function app.open_time(uuid, date, date) is
  'When an org can be booked on the local dates p_from to p_to (inclusive): its availability less its blocked times, '
  'bookings not considered. Times of day are the org''s.';
revoke all on function app.open_time(uuid, date, date) from public, anon, authenticated, service_role;
