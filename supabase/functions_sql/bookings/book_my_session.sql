create or replace function app.book_my_session(
  p_start timestamptz, p_purchase_id uuid, p_offer_id uuid, p_notes text, p_now timestamptz
) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(
    app.book_for_client(app.client_of_me(), p_start, p_purchase_id, p_offer_id, p_notes, p_now)
  );
$$;
comment on function app.book_my_session(timestamptz, uuid, uuid, text, timestamptz) is
  'What public.book_my_session() promises, at the instant p_now.';
revoke all on function app.book_my_session(timestamptz, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.book_my_session(timestamptz, uuid, uuid, text, timestamptz) to authenticated;

create or replace function public.book_my_session(
  p_start timestamptz, p_purchase_id uuid default null, p_offer_id uuid default null, p_notes text default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.book_my_session(p_start, p_purchase_id, p_offer_id, p_notes, now());
end;
comment on function public.book_my_session(timestamptz, uuid, uuid, text) is
  'Books a session for the signed-in client: confirmed on a pack, or, with an offer and no pack, pending until the '
  'coach accepts it. Returns it as the app shows it. Safe to call twice. Errors as portal_book(); PT403 not_a_client, '
  'PT404 offer_not_found, PT400 notes_too_long.';
revoke all on function public.book_my_session(timestamptz, uuid, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.book_my_session(timestamptz, uuid, uuid, text) to authenticated;
