create or replace function app.portal_book(p_token uuid, p_start timestamptz, p_purchase_id uuid, p_now timestamptz)
  returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(
    app.book_for_client(app.client_of_portal(p_token), p_start, p_purchase_id, null, null, p_now)
  );
$$;
comment on function app.portal_book(uuid, timestamptz, uuid, timestamptz) is
  'What public.portal_book() promises, at the instant p_now.';
revoke all on function app.portal_book(uuid, timestamptz, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.portal_book(uuid, timestamptz, uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_book(p_token uuid, p_start timestamptz, p_purchase_id uuid default null)
  returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.portal_book(p_token, p_start, p_purchase_id, now());
end;
comment on function public.portal_book(uuid, timestamptz, uuid) is
  'Books a session for the holder of a portal link on one of their packs (without one: the bookable pack that expires '
  'first) and returns it as the portal shows it. Safe to call twice. PT404 token_not_found; PT409 slot_taken, '
  'slot_not_open, slot_too_soon, slot_too_far_ahead, slot_in_past, no_session_left, pack_…; PT403 client_booking_off.';
revoke all on function public.portal_book(uuid, timestamptz, uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_book(uuid, timestamptz, uuid) to anon, authenticated, service_role;
