create or replace function app.decide_booking_texts(
  p_old public.bookings, p_new public.bookings, p_by_client boolean, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_made boolean := p_old.id is null;
  v_changed boolean := p_old.id is not null and p_new.text_version <> p_old.text_version;
  v_was_ahead boolean := p_old.start_time > p_now;
  v_off public.bookings := p_old;
  v_follow_ups uuid[];
begin
  if v_changed then
    -- A decision that was not carried out is given up with its key: should the same come to hold again, it is made anew.
    with void as (
      update public.sms_messages as m
         set status = 'cancelled', error_code = app.booking_text_problem(m, p_new), idempotency_key = null
       where m.related_entity_id = p_new.id and m.related_entity_type = 'booking' and m.status in ('pending', 'queued')
         and app.booking_text_problem(m, p_new) is not null
      returning m.template_key, m.schedule_id
    )
    select array_agg(v.schedule_id) filter (where v.template_key = 'follow_up') into v_follow_ups from void as v;
  elsif p_old.status = 'completed' and p_new.status = 'completed' and p_new.end_time <> p_old.end_time then
    with void as (
      update public.sms_messages as m
         set status = 'cancelled', error_code = 'booking_moved', idempotency_key = null
       where m.related_entity_id = p_new.id and m.related_entity_type = 'booking' and m.status in ('pending', 'queued')
         and m.template_key = 'follow_up'
      returning m.schedule_id
    )
    select array_agg(v.schedule_id) into v_follow_ups from void as v;
  elsif not v_made and (p_new.location_type, p_new.location_details)
        is distinct from (p_old.location_type, p_old.location_details) then
    perform app.reword_waiting_texts(p_new, p_now);
  end if;

  if p_new.status = 'confirmed' and p_new.start_time > p_now
     and (v_made or v_changed or p_old.status <> 'confirmed') then
    perform app.queue_booking_sms(
      p_new,
      case when v_changed and p_old.status = 'confirmed' and p_new.client_id = p_old.client_id
           then 'booking_moved' else 'booking_confirmation' end,
      'confirmation', p_now, p_now
    );
    if v_made and p_by_client then
      perform app.queue_booking_sms(p_new, 'client_booked', 'client_booked', p_now, p_now);
    end if;
  end if;
  if v_was_ahead and (p_new.status = 'cancelled' or p_new.client_id <> p_old.client_id) then
    -- Who had it is told of what they had.
    v_off.text_version := p_new.text_version;
    if p_old.status = 'confirmed' then
      perform app.queue_booking_sms(v_off, 'booking_cancelled', 'cancellation', p_now, p_now);
    end if;
    if p_old.status in ('pending', 'confirmed') and p_new.status = 'cancelled' and p_by_client then
      perform app.queue_booking_sms(v_off, 'client_cancelled', 'client_cancelled', p_now, p_now);
    end if;
  end if;
  if not v_made and p_new.status = 'completed' then
    perform app.queue_follow_up(p_new, s, p_now)
      from public.sms_schedules as s
     where s.org_id = p_new.org_id and s.type = 'post_session' and s.enabled
       and (p_old.status <> 'completed' or s.id = any (v_follow_ups));
  end if;
end;
$$;
comment on function app.decide_booking_texts(public.bookings, public.bookings, boolean, timestamptz) is
  'What a change of a booking means for the outbox: what waits there and holds no more is cancelled, what now holds is '
  'queued, each once for this version of the booking (bookings.text_version). p_old: null for a new one. p_by_client: '
  'the client''s own doing, of which the coach is told.';
revoke all on function app.decide_booking_texts(public.bookings, public.bookings, boolean, timestamptz)
  from public, anon, authenticated, service_role;
