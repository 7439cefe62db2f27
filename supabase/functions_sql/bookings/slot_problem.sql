create or replace function app.slot_problem(
  p_org_id uuid, p_start timestamptz, p_end timestamptz, p_exclude_booking_id uuid default null,
  p_now timestamptz default now()
) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_timezone text;
  v_settings public.booking_settings;
  v_slot tstzrange;
  v_problem text;
begin
  select o.timezone into v_timezone from public.orgs as o where o.id = p_org_id;
  if not found or p_start is null or p_end is null or not isfinite(p_start) or not isfinite(p_end)
     or p_end <= p_start or p_end - p_start > interval '24 hours' then
    return 'slot_invalid';
  end if;
  select s.* into v_settings from public.booking_settings as s where s.org_id = p_org_id;
  if v_settings.org_id is null or v_settings.allow_client_booking is false then
    return 'client_booking_off';
  end if;
  v_problem := app.notice_problem(p_start, v_settings, v_timezone, p_now);
  if v_problem is not null then
    return v_problem;
  end if;
  v_slot := tstzrange(p_start, p_end);
  if app.open_time(
       p_org_id, (p_start at time zone v_timezone)::date, (p_end at time zone v_timezone)::date
     ) @> v_slot is not true then
    return 'slot_not_open';
  end if;
  if app.busy_time(p_org_id, p_start, p_end, p_exclude_booking_id) && v_slot then
    return 'slot_taken';
  end if;
  return null;
end;
$$;
comment on function app.slot_problem(uuid, timestamptz, timestamptz, uuid, timestamptz) is
  'Why a client may not take this time, at the instant p_now, or null when they may: slot_invalid, client_booking_off, '
  'those of app.notice_problem(), slot_not_open (outside availability, or blocked), slot_taken. The one rule that '
  'slots are listed, checked and taken by.';
revoke all on function app.slot_problem(uuid, timestamptz, timestamptz, uuid, timestamptz)
  from public, anon, authenticated, service_role;
