create or replace function app.sessions_held(p_purchase_id uuid) returns integer
  language sql stable security definer set search_path = ''
as $$
  select count(*)::integer
    from public.bookings as b
   where b.purchase_id = p_purchase_id
     and b.status in ('pending', 'confirmed')
     -- A coach may take the session before it is over: then it is used, not held.
     and not app.has_its_session(b.id);
$$;
comment on function app.sessions_held(uuid) is
  'How many sessions of a pack are booked and not used yet: its pending and confirmed bookings, past or future.';
revoke all on function app.sessions_held(uuid) from public, anon, authenticated, service_role;
