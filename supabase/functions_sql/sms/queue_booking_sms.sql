create or replace function app.queue_booking_sms(
  p_booking public.bookings, p_kind text, p_body text, p_scheduled_for timestamptz, p_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_settings public.sms_settings;
  v_client public.clients;
  v_org public.orgs;
  v_message_id uuid;
begin
  select s.* into v_settings from public.sms_settings as s where s.org_id = p_booking.org_id;
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  select o.* into v_org from public.orgs as o where o.id = p_booking.org_id;
  if not v_settings.enabled or v_settings.twilio_phone_number is null or v_client.phone is null then
    return null;
  end if;
  insert into public.sms_messages as m (
    org_id, client_id, to_phone, from_phone, template_key, body, related_entity_type, related_entity_id,
    scheduled_for, idempotency_key
  )
  values (
    v_org.id, v_client.id, v_client.phone, v_settings.twilio_phone_number, p_kind,
    app.render_sms_template(p_body, jsonb_build_object(
      'client_name', split_part(btrim(v_client.full_name), ' ', 1),
      'coach_name', (select b.display_name from public.branding as b where b.org_id = v_org.id),
      'session_datetime',
        app.session_time(p_booking.start_time, v_org.timezone),
      'sessions_remaining',
        (select p.sessions_remaining from public.client_purchases as p
          where p.id = p_booking.purchase_id and p.client_id = v_client.id and p.org_id = v_org.id),
      'location', coalesce(p_booking.location_details, replace(p_booking.location_type, '_', ' '))
    )),
    'booking', p_booking.id, p_scheduled_for, p_key
  )
  on conflict (idempotency_key) do nothing
  returning m.id into v_message_id;
  return v_message_id;
end;
$$;
comment on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text) is
  'Writes a text about a booking to the outbox, once per key, with times in the org''s zone. Null: not queued '
  '(texting off, no sender, no phone, or queued before).';
revoke all on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text)
  from public, anon, authenticated, service_role;
