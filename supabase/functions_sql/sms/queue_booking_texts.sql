create or replace function app.queue_booking_texts() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.start_time <> old.start_time then
    update public.sms_messages as m
       set status = 'cancelled', error_code = 'booking_moved'
     where m.related_entity_id = new.id and m.template_key = 'booking_confirmation'
       and m.status in ('pending', 'queued');
  end if;
  if (tg_op = 'INSERT' or new.start_time <> old.start_time or old.status = 'pending')
     and new.status = 'confirmed' and new.start_time > now() then
    perform app.queue_booking_sms(
      new, 'booking_confirmation',
      'Hi {{client_name}}, you are booked for {{session_datetime}}. Reply Y to confirm. {{coach_name}}',
      now(), format('confirmation:%s:%s', new.id, extract(epoch from new.start_time))
    );
  elsif tg_op = 'UPDATE' and new.status = 'completed' and old.status <> 'completed' then
    perform app.queue_booking_sms(
      new, 'follow_up', s.body, new.end_time + make_interval(mins => s.mins_offset),
      format('follow_up:%s:%s', s.id, new.id)
    )
      from public.sms_schedules as s
      join public.clients as c on c.id = new.client_id and c.sms_followup_enabled
     where s.org_id = new.org_id and s.type = 'post_session' and s.enabled;
  elsif tg_op = 'UPDATE' and new.status = 'cancelled' and old.status <> 'cancelled' then
    update public.sms_messages as m
       set status = 'cancelled', error_code = 'booking_cancelled'
     where m.related_entity_id = new.id and m.status in ('pending', 'queued');
  end if;
  return null;
end;
$$;
comment on function app.queue_booking_texts() is
  'A new booking, and one that the coach accepts, queues its confirmation, a completed one its follow-ups, a cancelled one takes back what has not '
  'been sent: in the transaction that causes it.';
revoke all on function app.queue_booking_texts() from public, anon, authenticated, service_role;

-- After bookings_settle (triggers fire by name), so that a follow-up counts the session just used.
create or replace trigger bookings_texts
  after insert or update of status, start_time on public.bookings
  for each row execute function app.queue_booking_texts();
