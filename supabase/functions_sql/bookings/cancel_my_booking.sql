create or replace function app.cancel_my_booking(p_booking_id uuid, p_now timestamptz) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(app.cancel_for_client(app.client_of_me(), p_booking_id, p_now));
$$;
comment on function app.cancel_my_booking(uuid, timestamptz) is
  'What public.cancel_my_booking() promises, at the instant p_now.';
revoke all on function app.cancel_my_booking(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.cancel_my_booking(uuid, timestamptz) to authenticated;

create or replace function public.cancel_my_booking(p_booking_id uuid) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.cancel_my_booking(p_booking_id, now());
end;
comment on function public.cancel_my_booking(uuid) is
  'Cancels a booking of the signed-in client and returns it as the app shows it. Safe to call twice. PT403 '
  'not_a_client, client_cancel_off; PT404 booking_not_found; PT409 cancel_too_late, booking_is_over.';
revoke all on function public.cancel_my_booking(uuid) from public, anon, authenticated, service_role;
grant execute on function public.cancel_my_booking(uuid) to authenticated;
