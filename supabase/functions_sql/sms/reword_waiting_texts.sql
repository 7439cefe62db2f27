create or replace function app.reword_waiting_texts(p_booking public.bookings, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.sms_messages as m
     set body = app.cut_sms(app.booking_text(
           p_booking, m.template_key,
           coalesce((select s.body from public.sms_schedules as s where s.id = m.schedule_id),
                    (select t.body from public.sms_templates as t where t.id = m.template_id),
                    (app.sms_kind(m.template_key)).words),
           p_now
         ))
   where m.related_entity_id = p_booking.id and m.related_entity_type = 'booking' and m.status in ('pending', 'queued')
     and (m.client_id is null or m.client_id = p_booking.client_id)
     and (app.sms_kind(m.template_key)).words is not null;
end;
$$;
comment on function app.reword_waiting_texts(public.bookings, timestamptz) is
  'Writes our own texts about a booking that still wait anew, because something that they say has changed without '
  'making them untrue: the place, or the zone its time is told in.';
revoke all on function app.reword_waiting_texts(public.bookings, timestamptz)
  from public, anon, authenticated, service_role;
