create or replace function app.slots_for_client(
  p_client public.clients, p_from date, p_to date, p_purchase_id uuid, p_offer_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_first timestamptz;
  v_offer public.offers;
  v_mins integer;
begin
  -- As long as the session that app.book_for_client() would book on the first of these days.
  select greatest(p_now, app.day_start(p_from, o.timezone)) into v_first
    from public.orgs as o where o.id = p_client.org_id and isfinite(p_from);
  select o.* into v_offer
    from public.offers as o where o.id = p_offer_id and o.org_id = p_client.org_id and o.is_active;
  v_mins := app.session_mins(p_client.org_id, app.pack_to_book(p_client, p_purchase_id, v_first, p_now), v_offer);
  return query
  select s.slot_start, s.slot_end from app.free_slots(p_client.org_id, p_from, p_to, v_mins, p_now) as s;
end;
$$;
comment on function app.slots_for_client(public.clients, date, date, uuid, uuid, timestamptz) is
  'The times this client can book at the instant p_now, on the org''s dates p_from to p_to, for a session as long as '
  'the pack it would be on says, else the offer.';
revoke all on function app.slots_for_client(public.clients, date, date, uuid, uuid, timestamptz)
  from public, anon, authenticated, service_role;
