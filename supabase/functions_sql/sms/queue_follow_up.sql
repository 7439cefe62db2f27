create or replace function app.queue_follow_up(
  p_booking public.bookings, p_schedule public.sms_schedules, p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return app.queue_booking_sms(
    p_booking, 'follow_up', format('follow_up:%s', p_schedule.id),
    p_booking.end_time + make_interval(mins => p_schedule.mins_offset), p_now, p_schedule
  );
end;
$$;
comment on function app.queue_follow_up(public.bookings, public.sms_schedules, timestamptz) is
  'Decides on the text of a post_session schedule about a completed booking, due that long after its end: '
  'app.queue_booking_sms().';
revoke all on function app.queue_follow_up(public.bookings, public.sms_schedules, timestamptz)
  from public, anon, authenticated, service_role;
