create or replace function app.session_mins(
  p_org_id uuid, p_purchase public.client_purchases, p_offer public.offers
) returns integer
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    p_purchase.session_duration_mins,
    (select o.session_duration_mins from public.offers as o where o.id = p_purchase.offer_id),
    p_offer.session_duration_mins,
    (select s.slot_duration_mins from public.booking_settings as s where s.org_id = p_org_id),
    60
  );
$$;
comment on function app.session_mins(uuid, public.client_purchases, public.offers) is
  'How many minutes a session lasts that a client books: as the pack says, its offer, the offer asked for, or the '
  'org''s slots; 60 when none does. Either row may be null.';
revoke all on function app.session_mins(uuid, public.client_purchases, public.offers)
  from public, anon, authenticated, service_role;
