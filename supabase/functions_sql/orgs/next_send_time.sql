create or replace function app.next_send_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns timestamptz
  language sql stable parallel safe security invoker set search_path = ''
as $$
  -- Quiet hours end when the wall clock first reads p_end; a skipped p_end is the instant of the skip. Three
  -- days cover a skipped date and an end that falls into quiet hours again.
  select min(c.at)
    from (
      select p_at
      union all
      select app.local_to_instant((p_at at time zone p_timezone)::date + d + make_time(p_end, 0, 0), p_timezone)
        from generate_series(0, 3) as d
       where p_end is not null
    ) as c (at)
   where c.at >= p_at and not app.is_quiet_time(c.at, p_timezone, p_start, p_end);
$$;
comment on function app.next_send_time(timestamptz, text, integer, integer) is
  'The first instant, not before p_at, outside quiet hours (see app.is_quiet_time).';
revoke all on function app.next_send_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.next_send_time(timestamptz, text, integer, integer)
  to coach_os_sidecar, coach_os_worker;
