create or replace function app.cancel_problem(
  p_booking public.bookings, p_settings public.booking_settings, p_now timestamptz
) returns text
  language sql immutable security invoker set search_path = ''
as $$
  select case
    when p_booking.start_time <= p_now then 'booking_is_over'
    when p_settings.allow_client_cancel is false or p_settings.org_id is null then 'client_cancel_off'
    when p_booking.start_time < p_now + make_interval(hours => coalesce(p_settings.cancel_notice_hours, 24))
      then 'cancel_too_late'
  end;
$$;
comment on function app.cancel_problem(public.bookings, public.booking_settings, timestamptz) is
  'Why a client may not cancel or move this booking at the instant p_now, or null: booking_is_over, client_cancel_off, '
  'cancel_too_late (less than cancel_notice_hours before the start).';
revoke all on function app.cancel_problem(public.bookings, public.booking_settings, timestamptz)
  from public, anon, authenticated, service_role;
