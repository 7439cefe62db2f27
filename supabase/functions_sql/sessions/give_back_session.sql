create or replace function app.give_back_session(p_booking_id uuid, p_reason text) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase_id uuid;
  v_seq integer;
  v_used integer;
begin
  perform from public.bookings as b where b.id = p_booking_id for no key update;
  -- It goes back to the pack it was taken from, also when the booking names another by now.
  select l.booking_seq, l.purchase_id into v_seq, v_purchase_id
    from public.session_ledger as l
   where l.booking_id = p_booking_id
   order by l.booking_seq desc
   limit 1;
  if v_seq is null or v_seq % 2 = 0 then
    return -1;
  end if;
  select p.sessions_used into v_used
    from public.client_purchases as p where p.id = v_purchase_id for no key update;
  -- A correction by hand may have given it back before: then the booking no longer has it, and nothing moves.
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq, reason)
  values (v_purchase_id, p_booking_id, 'release', -least(1, v_used), v_seq + 1, p_reason);
  return v_used - least(1, v_used);
end;
$$;
comment on function app.give_back_session(uuid, text) is
  'Gives back the session a booking took. Returns the pack''s new sessions_used, or -1 when the booking has none. Asks '
  'nobody who they are.';
revoke all on function app.give_back_session(uuid, text) from public, anon, authenticated, service_role;
