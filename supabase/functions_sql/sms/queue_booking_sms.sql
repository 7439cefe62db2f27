create or replace function app.queue_booking_sms(
  p_booking public.bookings, p_kind text, p_key text, p_scheduled_for timestamptz, p_now timestamptz,
  p_schedule public.sms_schedules default null, p_expires_at timestamptz default null
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_settings public.sms_settings;
  v_client public.clients;
  v_words text := p_schedule.body;
  v_template_id uuid;
  v_message_id uuid;
begin
  select s.* into v_settings from public.sms_settings as s where s.org_id = p_booking.org_id;
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  if app.switch_problem(p_kind, v_settings, v_client) is not null then
    return null;
  end if;
  if v_words is null then
    select w.words, w.template_id into v_words, v_template_id from app.sms_words(p_booking.org_id, p_kind) as w;
  end if;
  select q.message_id into v_message_id from app.queue_sms(
    p_booking.org_id, p_booking.client_id, app.booking_text(p_booking, p_kind, v_words, p_now), p_scheduled_for,
    'booking', p_booking.id, format('%s:%s:%s', p_key, p_booking.id, p_booking.text_version), p_kind, v_template_id,
    p_to_coach => (app.sms_kind(p_kind)).to_coach, p_booking_version => p_booking.text_version,
    p_schedule_id => p_schedule.id,
    p_expires_at => coalesce(p_expires_at,
                             app.text_use_ends(p_kind, p_scheduled_for, p_booking.start_time, p_booking.end_time))
  ) as q;
  return v_message_id;
end;
$$;
comment on function app.queue_booking_sms(
  public.bookings, text, text, timestamptz, timestamptz, public.sms_schedules, timestamptz
) is
  'Decides on a text about a booking, once for p_key, booking and text_version: writes it to the outbox with the words '
  'of the schedule, else of the kind (app.sms_words). Null: decided before, switched off, or for a reason that '
  'app.queue_sms() knows.';
revoke all on function app.queue_booking_sms(
  public.bookings, text, text, timestamptz, timestamptz, public.sms_schedules, timestamptz
) from public, anon, authenticated, service_role;
