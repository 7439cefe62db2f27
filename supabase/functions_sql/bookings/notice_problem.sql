create or replace function app.notice_problem(
  p_start timestamptz, p_settings public.booking_settings, p_timezone text, p_now timestamptz
) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_local timestamp := p_start at time zone p_timezone;
begin
  if p_start <= p_now then
    return 'slot_in_past';
  end if;
  if v_local::date - (p_now at time zone p_timezone)::date > coalesce(p_settings.max_advance_days, 30) then
    return 'slot_too_far_ahead';
  end if;
  -- min_notice_hours decides nothing: the existing screens write it and go by these.
  if p_start < p_now + make_interval(hours => coalesce(p_settings.late_notice_hours, 2)) then
    return 'slot_too_soon';
  end if;
  if extract(hour from v_local) < coalesce(p_settings.early_cutoff_before_hour, 9)
     and p_now > app.local_to_instant(
       v_local::date - 1 + coalesce(p_settings.early_cutoff_time, '20:00')::time, p_timezone
     ) then
    return 'slot_too_soon';
  end if;
  return null;
end;
$$;
comment on function app.notice_problem(timestamptz, public.booking_settings, text, timestamptz) is
  'Why a client may not book a session that starts at p_start, at the instant p_now, or null: slot_in_past; '
  'slot_too_far_ahead (max_advance_days, local dates); slot_too_soon (late_notice_hours before; for a start before '
  'early_cutoff_before_hour also early_cutoff_time of the day before, both in the org''s time).';
revoke all on function app.notice_problem(timestamptz, public.booking_settings, text, timestamptz)
  from public, anon, authenticated, service_role;
