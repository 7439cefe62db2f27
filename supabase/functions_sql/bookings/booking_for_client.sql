create or replace function app.booking_for_client(p_booking public.bookings) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object(
    'id', p_booking.id, 'start_time', p_booking.start_time, 'end_time', p_booking.end_time,
    'duration_mins', p_booking.duration_mins, 'status', p_booking.status, 'session_type', p_booking.session_type,
    'location_type', p_booking.location_type, 'location_details', p_booking.location_details,
    'client_confirmed', coalesce(p_booking.client_confirmed, false), 'forfeited', p_booking.forfeited,
    'purchase_id', p_booking.purchase_id
  );
$$;
comment on function app.booking_for_client(public.bookings) is
  'A booking as its client may see it: nothing of the coach''s notes.';
revoke all on function app.booking_for_client(public.bookings) from public, anon, authenticated, service_role;
