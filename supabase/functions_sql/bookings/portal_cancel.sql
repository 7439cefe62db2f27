create or replace function app.portal_cancel(p_token uuid, p_booking_id uuid, p_now timestamptz) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(app.cancel_for_client(app.client_of_portal(p_token), p_booking_id, p_now));
$$;
comment on function app.portal_cancel(uuid, uuid, timestamptz) is
  'What public.portal_cancel() promises, at the instant p_now.';
revoke all on function app.portal_cancel(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.portal_cancel(uuid, uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_cancel(p_token uuid, p_booking_id uuid) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.portal_cancel(p_token, p_booking_id, now());
end;
comment on function public.portal_cancel(uuid, uuid) is
  'Cancels a booking of the holder of a portal link and returns it as the portal shows it. Safe to call twice. PT404 '
  'token_not_found, booking_not_found; PT403 client_cancel_off; PT409 cancel_too_late, booking_is_over.';
revoke all on function public.portal_cancel(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_cancel(uuid, uuid) to anon, authenticated, service_role;
