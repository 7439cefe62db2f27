create or replace function app.place_booking(
  p_client public.clients, p_start timestamptz, p_purchase public.client_purchases, p_offer public.offers,
  p_notes text, p_now timestamptz
) returns public.bookings
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_mins integer := app.session_mins(p_client.org_id, p_purchase, p_offer);
  v_problem text;
begin
  if length(p_notes) > 2000 then
    raise exception using errcode = 'PT400', message = 'notes_too_long',
      hint = 'Keep the notes within 2000 characters.';
  end if;
  v_problem := app.slot_problem(p_client.org_id, p_start, p_start + make_interval(mins => v_mins), null, p_now);
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
  insert into public.bookings (
    org_id, client_id, start_time, end_time, duration_mins, purchase_id, offer_id, status, booking_source, booked_by,
    client_notes
  )
  values (
    p_client.org_id, p_client.id, p_start, p_start + make_interval(mins => v_mins), v_mins, p_purchase.id, p_offer.id,
    -- Without a pack nothing is paid yet: the coach accepts it, or not.
    case when p_purchase.id is null then 'pending' else 'confirmed' end, 'client', auth.uid(),
    nullif(btrim(p_notes), '')
  )
  returning * into v_booking;
  return v_booking;
end;
$$;
comment on function app.place_booking(
  public.clients, timestamptz, public.client_purchases, public.offers, text, timestamptz
) is
  'Puts a client''s own booking into the calendar when the time is free (app.slot_problem at the instant p_now): '
  'confirmed on a pack, pending without one. The caller holds the org''s row (app.guard_booking).';
revoke all on function app.place_booking(
  public.clients, timestamptz, public.client_purchases, public.offers, text, timestamptz
) from public, anon, authenticated, service_role;
