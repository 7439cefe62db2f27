create or replace function app.has_its_session(p_booking_id uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  -- A booking's entries alternate: taken, given back, taken again.
  select coalesce(max(l.booking_seq), 0) % 2 = 1 from public.session_ledger as l where l.booking_id = p_booking_id;
$$;
comment on function app.has_its_session(uuid) is 'Whether a booking has taken a session and not given it back.';
revoke all on function app.has_its_session(uuid) from public, anon, authenticated, service_role;
