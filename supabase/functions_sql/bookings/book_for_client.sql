create or replace function app.book_for_client(
  p_client public.clients, p_start timestamptz, p_purchase_id uuid, p_offer_id uuid, p_notes text, p_now timestamptz
) returns public.bookings
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_purchase public.client_purchases;
  v_offer public.offers;
begin
  -- The lock that app.guard_booking() takes, taken before looking: what is free now is free when this commits.
  perform from public.orgs as o where o.id = p_client.org_id for no key update;
  select b.* into v_booking
    from public.bookings as b
   where b.client_id = p_client.id and b.start_time = p_start and b.booking_source = 'client'
     and b.status in ('pending', 'confirmed');
  if found then
    return v_booking;  -- asked for twice: a second click, or an answer that never arrived
  end if;
  if p_offer_id is not null then
    v_offer := app.offer_on_sale(p_client.org_id, p_offer_id);
  end if;
  v_purchase := app.pack_to_book(p_client, p_purchase_id, p_start, p_now);
  if v_purchase.id is null and p_purchase_id is not null then
    perform app.raise_booking_problem('pack_not_the_clients');
  elsif v_purchase.id is null and v_offer.id is null then
    perform app.raise_booking_problem('no_session_left');
  end if;
  return app.place_booking(p_client, p_start, v_purchase, v_offer, p_notes, p_now);
end;
$$;
comment on function app.book_for_client(public.clients, timestamptz, uuid, uuid, text, timestamptz) is
  'Books a session for a client at their own wish, by the org''s rules at the instant p_now: confirmed on a pack (the '
  'one given, else their bookable one that expires first), or, with an offer and no pack, pending until the coach '
  'accepts. Asked for again it returns the booking that is there. Raises the codes of app.raise_booking_problem(), '
  'PT404 offer_not_found, PT400 notes_too_long.';
revoke all on function app.book_for_client(public.clients, timestamptz, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
