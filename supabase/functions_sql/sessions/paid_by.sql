create or replace function app.paid_by(p_booking_id uuid) returns uuid
  language sql stable security definer set search_path = ''
as $$
  -- A booking's entries alternate: taken, given back, taken again.
  select case when l.booking_seq % 2 = 1 then l.purchase_id end
    from public.session_ledger as l
   where l.booking_id = p_booking_id
   order by l.booking_seq desc
   limit 1;
$$;
comment on function app.paid_by(uuid) is
  'The pack a booking has taken its session from; null when it has taken none, or given it back.';
revoke all on function app.paid_by(uuid) from public, anon, authenticated, service_role;
