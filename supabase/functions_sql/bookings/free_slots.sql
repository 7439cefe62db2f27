create or replace function app.free_slots(
  p_org_id uuid, p_from date, p_to date, p_duration_mins integer, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_timezone text;
  v_settings public.booking_settings;
  v_length interval := make_interval(mins => p_duration_mins);
  v_last date := least(p_to, p_from + 31);
  v_free tstzmultirange;
begin
  select o.timezone into v_timezone from public.orgs as o where o.id = p_org_id;
  select s.* into v_settings from public.booking_settings as s where s.org_id = p_org_id;
  if v_settings.org_id is null or v_settings.allow_client_booking is false or p_duration_mins not between 1 and 1440
     or not isfinite(p_from) then
    return;
  end if;
  -- A slot may begin on the last day and end a day later, or two, when the day between has 23 hours.
  v_free := app.open_time(p_org_id, p_from, v_last + 2);
  if isempty(v_free) then
    return;
  end if;
  v_free := v_free - app.busy_time(p_org_id, lower(v_free), upper(v_free));
  return query
  select g.starts, g.starts + v_length
    -- Quarters of an hour of elapsed time within each free stretch; no zone changes its clocks by less.
    from unnest(v_free) as f (stretch),
         generate_series(
           date_bin('15 minutes', lower(f.stretch) + interval '15 minutes' - interval '1 microsecond',
                    timestamptz '2000-01-01 00:00Z'),
           upper(f.stretch) - v_length, interval '15 minutes'
         ) as g (starts)
   where (g.starts at time zone v_timezone)::date between p_from and v_last
     and app.notice_problem(g.starts, v_settings, v_timezone, p_now) is null
   order by g.starts;
end;
$$;
comment on function app.free_slots(uuid, date, date, integer, timestamptz) is
  'The times a client could book at the instant p_now, on the local dates p_from to p_to (at most 32 days): every '
  'quarter of an hour at which a session of p_duration_mins fits. Just those that app.slot_problem() lets through.';
revoke all on function app.free_slots(uuid, date, date, integer, timestamptz)
  from public, anon, authenticated, service_role;
