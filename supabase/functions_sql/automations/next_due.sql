create or replace function app.next_due(
  p_schedule text, p_timezone text, p_after timestamptz, p_hour integer default 9
) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  c record;
  v_at timestamptz;
  v_local timestamp;
  v_wall timestamp;
  v_change timestamptz;
  v_found timestamptz;
begin
  select p.* into c from app.parse_schedule(coalesce(p_schedule, ''), p_hour) as p;
  if c.problem is not null then
    raise exception using errcode = 'PT400', message = 'schedule_invalid',
      hint = format('At character %s: %s.', c.problem_at, c.problem), detail = c.problem_at;
  end if;
  perform app.require_timezone(p_timezone);

  if c.is_fixed then
    v_wall := date_trunc('minute', p_after at time zone p_timezone);
    loop
      v_wall := app.next_wall_time(c.minutes, c.hours, c.days, c.months, c.weekdays, c.is_either, v_wall);
      v_found := app.local_to_instant(v_wall, p_timezone);
      if v_found at time zone p_timezone <> v_wall then  -- skipped
        v_found := app.clock_change(v_found - interval '24 hours', v_found, p_timezone);
      end if;
      if v_found > p_after then
        return v_found;
      end if;
      v_wall := v_wall + interval '1 minute';
    end loop;
  end if;

  v_at := p_after + interval '1 microsecond';
  loop
    v_local := v_at at time zone p_timezone;
    v_wall := date_trunc('minute', v_local);
    if v_wall < v_local then
      v_wall := v_wall + interval '1 minute';
    end if;
    v_wall := app.next_wall_time(c.minutes, c.hours, c.days, c.months, c.weekdays, c.is_either, v_wall);
    v_found := v_at + (v_wall - v_local);  -- if nobody changes this clock until then
    v_change := app.clock_change(v_at, v_at + interval '24 hours', p_timezone);
    if v_change is not null then
      if v_found < v_change then
        return v_found;
      end if;
      v_at := v_change;
      continue;
    elsif v_found <= v_at + interval '24 hours' then
      return v_found;
    end if;
    v_found := app.local_to_instant(v_wall, p_timezone);
    if v_found at time zone p_timezone = v_wall then
      return v_found;
    end if;
    v_at := app.clock_change(v_found - interval '24 hours', v_found, p_timezone);
  end loop;
end;
$$;
comment on function app.next_due(text, text, timestamptz, integer) is
  'The first instant, later than p_after, at which a schedule is due: daily, weekly (Mondays), both at p_hour, or five '
  'cron fields, on the wall clock of an IANA zone. A job at a fixed time runs once on each date that matches: a time that a '
  'change of clocks skips at the first instant after the gap, one that is repeated at its first pass only. A job whose '
  'minute or hour begins with * follows real time. Errors: PT400 schedule_invalid (hint: what is wrong at which '
  'character; detail: that number; also for what never occurs), PT400 timezone_unknown. Source: '
  'https://manpages.debian.org/stable/cron/cron.8.en.html';
revoke all on function app.next_due(text, text, timestamptz, integer) from public, anon, authenticated, service_role;
