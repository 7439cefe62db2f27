create or replace function app.prepare_sms() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
begin
  if tg_op = 'INSERT' and new.related_entity_type = 'booking' and (new.booking_version is null or new.expires_at is null) then
    select b.* into v_booking from public.bookings as b where b.id = new.related_entity_id;
    new.booking_version := coalesce(new.booking_version, v_booking.text_version);
    new.expires_at := coalesce(
      new.expires_at,
      app.text_use_ends(new.template_key, new.scheduled_for, v_booking.start_time, v_booking.end_time)
    );
  end if;
  new.segments := (app.sms_segments(new.body)).segments;
  return new;
end;
$$;
comment on function app.prepare_sms() is
  'What every text in the outbox carries, whichever way it came: in how many segments it is sent and, about a booking, '
  'what of the booking it was written for and until when it is of use.';
revoke all on function app.prepare_sms() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_prepare before insert or update of body, segments on public.sms_messages
  for each row execute function app.prepare_sms();
