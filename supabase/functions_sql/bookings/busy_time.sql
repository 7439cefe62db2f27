create or replace function app.busy_time(
  p_org_id uuid, p_from timestamptz, p_to timestamptz, p_exclude_booking_id uuid default null
) returns tstzmultirange
  language sql stable security definer set search_path = ''
as $$
  select coalesce(range_agg(tstzrange(b.start_time - s.buffer, b.end_time + s.buffer)), '{}')
    from (
      select make_interval(mins => coalesce(
               (select s.buffer_between_mins from public.booking_settings as s where s.org_id = p_org_id), 0
             )) as buffer
    ) as s
    join public.bookings as b
      on b.org_id = p_org_id
     and b.status in ('pending', 'confirmed', 'completed')
     -- A booking lasts a day at most, so the index on the start finds all that reach into the range.
     and b.start_time > p_from - s.buffer - interval '24 hours'
     and b.start_time < p_to + s.buffer
     and b.end_time > p_from - s.buffer
     and b.id is distinct from p_exclude_booking_id;
$$;
comment on function app.busy_time(uuid, timestamptz, timestamptz, uuid) is
  'When an org is taken within [p_from, p_to): its bookings but for those cancelled or not shown up to, each with the '
  'org''s buffer before and after.';
revoke all on function app.busy_time(uuid, timestamptz, timestamptz, uuid)
  from public, anon, authenticated, service_role;
