create or replace function app.portal_slots(
  p_token uuid, p_from date, p_to date, p_purchase_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security definer set search_path = ''
as $$
  select s.slot_start, s.slot_end
    from app.slots_for_client(app.client_of_portal(p_token), p_from, p_to, p_purchase_id, null, p_now) as s;
$$;
comment on function app.portal_slots(uuid, date, date, uuid, timestamptz) is
  'What public.portal_slots() promises, at the instant p_now.';
revoke all on function app.portal_slots(uuid, date, date, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.portal_slots(uuid, date, date, uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_slots(p_token uuid, p_from date, p_to date, p_purchase_id uuid default null)
  returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select s.slot_start, s.slot_end from app.portal_slots(p_token, p_from, p_to, p_purchase_id, now()) as s;
end;
comment on function public.portal_slots(uuid, date, date, uuid) is
  'The times the holder of a portal link can book on the org''s dates p_from to p_to (at most 32 days), for a session '
  'as long as the pack says (without one: the pack that portal_book() would choose). PT404 token_not_found.';
revoke all on function public.portal_slots(uuid, date, date, uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_slots(uuid, date, date, uuid) to anon, authenticated, service_role;
