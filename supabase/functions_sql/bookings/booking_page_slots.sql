create or replace function app.booking_page_slots(
  p_slug text, p_from date, p_to date, p_offer_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
  v_offer public.offers;
begin
  select o.* into v_offer
    from public.offers as o where o.id = p_offer_id and o.org_id = v_org.id and o.is_active;
  return query
  select s.slot_start, s.slot_end
    from app.free_slots(v_org.id, p_from, p_to, app.session_mins(v_org.id, null, v_offer), p_now) as s;
end;
$$;
comment on function app.booking_page_slots(text, date, date, uuid, timestamptz) is
  'What public.booking_page_slots() promises, at the instant p_now.';
revoke all on function app.booking_page_slots(text, date, date, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.booking_page_slots(text, date, date, uuid, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.booking_page_slots(
  p_slug text, p_from date, p_to date, p_offer_id uuid default null
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select s.slot_start, s.slot_end from app.booking_page_slots(p_slug, p_from, p_to, p_offer_id, now()) as s;
end;
comment on function public.booking_page_slots(text, date, date, uuid) is
  'The times a visitor of the public booking page can ask for on the org''s dates p_from to p_to (at most 32 days), for '
  'a session as long as the offer says. PT404 page_not_found.';
revoke all on function public.booking_page_slots(text, date, date, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.booking_page_slots(text, date, date, uuid) to anon, authenticated, service_role;
