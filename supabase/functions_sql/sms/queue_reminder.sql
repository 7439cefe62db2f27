create or replace function app.queue_reminder(
  p_booking public.bookings, p_schedule public.sms_schedules, p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due_at timestamptz := p_booking.start_time - make_interval(mins => p_schedule.mins_offset);
  v_settings public.sms_settings;
  v_message_id uuid;
begin
  select s.* into v_settings from public.sms_settings as s where s.org_id = p_booking.org_id;
  v_message_id := app.queue_booking_sms(
    p_booking, 'reminder', format('reminder:%s', p_schedule.id), v_due_at, p_now, p_schedule,
    app.reminder_use_ends(v_due_at, p_booking.start_time, v_settings.timezone, v_settings)
  );
  if v_message_id is not null then
    -- An earlier one that still waits, for the end of quiet hours, would come together with this one.
    update public.sms_messages as m
       set status = 'cancelled', error_code = 'superseded'
      from public.sms_schedules as s
     where m.related_entity_id = p_booking.id and m.template_key = 'reminder' and m.status in ('pending', 'queued')
       and s.id = m.schedule_id and s.mins_offset > p_schedule.mins_offset;
  end if;
  return v_message_id;
end;
$$;
comment on function app.queue_reminder(public.bookings, public.sms_schedules, timestamptz) is
  'Decides on the text of a pre_session schedule about a booking to come: app.queue_booking_sms(). An earlier reminder '
  'of it that still waits gives way.';
revoke all on function app.queue_reminder(public.bookings, public.sms_schedules, timestamptz)
  from public, anon, authenticated, service_role;
