create or replace function app.queue_booking_sms(
  p_booking public.bookings, p_kind text, p_body text, p_scheduled_for timestamptz, p_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_org public.orgs;
  v_message_id uuid;
begin
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  select o.* into v_org from public.orgs as o where o.id = p_booking.org_id;
  select q.message_id into v_message_id from app.queue_sms(
    p_booking.org_id, p_booking.client_id,
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
    p_scheduled_for, 'booking', p_booking.id, p_key, p_kind
  ) as q;
  return v_message_id;
end;
$$;
comment on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text) is
  'Writes a text about a booking to the outbox, once per key, with times in the org''s zone. Null: not queued, '
  'for a reason that app.queue_sms() knows.';
revoke all on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text)
  from public, anon, authenticated, service_role;
