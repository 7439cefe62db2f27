create or replace function app.queue_booking_texts() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.decide_booking_texts(
    old, new,
    case when new.status = 'cancelled' or (tg_op = 'INSERT' and new.booking_source = 'client')
         then app.acts_as_client(new.org_id) else false end,
    now()
  );
  return null;
end;
$$;
comment on function app.queue_booking_texts() is
  'Whoever changes a booking decides on its texts, in the same transaction: app.decide_booking_texts().';
revoke all on function app.queue_booking_texts() from public, anon, authenticated, service_role;

-- After bookings_settle (triggers fire by name), so that a follow-up counts the session just used.
create or replace trigger bookings_texts
  after insert or update of status, start_time, end_time, client_id, location_type, location_details on public.bookings
  for each row execute function app.queue_booking_texts();
