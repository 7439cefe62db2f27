create or replace function app.sessions_held(p_purchase_id uuid, p_except_booking_id uuid default null) returns integer
  language sql stable security definer set search_path = ''
as $$
  select count(*)::integer
    from public.bookings as b
   where b.purchase_id = p_purchase_id
     and b.status in ('pending', 'confirmed')
     and b.id is distinct from p_except_booking_id
     -- A coach may take the session before it is over: then it is used, not held.
     and app.paid_by(b.id) is null;
$$;
comment on function app.sessions_held(uuid, uuid) is
  'How many sessions of a pack are booked and not used yet: its pending and confirmed bookings, past or future, but '
  'for one if named.';
revoke all on function app.sessions_held(uuid, uuid) from public, anon, authenticated, service_role;
