create or replace function app.my_slots(
  p_from date, p_to date, p_purchase_id uuid, p_offer_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security definer set search_path = ''
as $$
  select s.slot_start, s.slot_end
    from app.slots_for_client(app.client_of_me(), p_from, p_to, p_purchase_id, p_offer_id, p_now) as s;
$$;
comment on function app.my_slots(date, date, uuid, uuid, timestamptz) is
  'What public.my_slots() promises, at the instant p_now.';
revoke all on function app.my_slots(date, date, uuid, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.my_slots(date, date, uuid, uuid, timestamptz) to authenticated;

create or replace function public.my_slots(
  p_from date, p_to date, p_purchase_id uuid default null, p_offer_id uuid default null
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select s.slot_start, s.slot_end from app.my_slots(p_from, p_to, p_purchase_id, p_offer_id, now()) as s;
end;
comment on function public.my_slots(date, date, uuid, uuid) is
  'The times the signed-in client can book on the org''s dates p_from to p_to (at most 32 days), for a session as long '
  'as the pack (without one: that which book_my_session() would choose) or else the offer says. PT403 not_a_client.';
revoke all on function public.my_slots(date, date, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.my_slots(date, date, uuid, uuid) to authenticated;
