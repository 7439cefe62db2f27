create or replace function app.receive_sms(
  p_message_sid text, p_from text, p_to text, p_body text, p_now timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs;
  v_booking public.bookings;
  v_next public.bookings;
  v_kind text := app.classify_reply(p_body);
begin
  select o.* into v_org
    from public.sms_settings as s
    join public.orgs as o on o.id = s.org_id
   where s.twilio_phone_number = p_to;
  if not found then
    return null;
  end if;
  insert into public.sms_events
    (org_id, provider_message_id, event_type, event_status, dedupe_key, processed_at)
  values (v_org.id, p_message_sid, 'inbound', v_kind, 'inbound:' || p_message_sid, p_now)
  on conflict (dedupe_key) do nothing;
  if not found then
    return null;  -- the same message again: Twilio repeats a webhook it did not hear answered
  end if;

  -- Several clients may share a number (a parent's): the one with the nearest open question is meant.
  select b.* into v_booking
    from public.bookings as b
    join public.clients as c on c.id = b.client_id and c.org_id = v_org.id and c.phone = p_from
   where b.org_id = v_org.id and b.status = 'confirmed' and b.client_confirmed is not true
     and b.confirmation_sent_at is not null and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id
   limit 1
     for update of b;

  if v_kind = 'stop' then
    insert into public.sms_suppression (org_id, phone, reason, source, client_id)
    values (v_org.id, p_from, 'opt_out', 'webhook', v_booking.client_id)
    on conflict (org_id, phone) do nothing;
    return null;  -- Twilio answers opt-outs itself
  elsif v_kind = 'start' then
    delete from public.sms_suppression as x
     where x.org_id = v_org.id and x.phone = p_from and x.reason = 'opt_out';
    return null;
  elsif v_kind <> 'confirm' then
    return null;
  end if;

  if v_booking.id is null then
    return 'Thanks! There is no session waiting for your confirmation.';
  end if;
  update public.bookings as b set client_confirmed = true where b.id = v_booking.id;
  select b.* into v_next
    from public.bookings as b
   where b.client_id = v_booking.client_id and b.status = 'confirmed' and b.client_confirmed is not true
     and b.confirmation_sent_at is not null and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id
   limit 1;
  return format('Thanks! Your session on %s is confirmed.',
                app.session_time(v_booking.start_time, v_org.timezone))
    || case when v_next.id is null then ''
            else format(' Reply Y again to confirm %s.', app.session_time(v_next.start_time, v_org.timezone))
       end;
end;
$$;
comment on function app.receive_sms(text, text, text, text, timestamptz) is
  'The one handler of a client''s text, once per MessageSid. p_from, p_to: E.164; p_to decides the org. "Y" confirms '
  'the nearest booking that was asked about, until two hours after its start. Returns the answer to send, or null.';
revoke all on function app.receive_sms(text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_sms(text, text, text, text, timestamptz) to coach_os_sidecar;
