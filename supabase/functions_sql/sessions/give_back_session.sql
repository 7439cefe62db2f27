create or replace function app.give_back_session(p_booking_id uuid, p_reason text) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase_id uuid;
  v_seq integer;
  v_used integer;
  v_cause text;
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
  v_cause := app.explain_counter('release', p_booking_id, v_seq + 1, p_reason);
  -- A correction by hand may have given it back before: then the booking no longer has it, and nothing moves.
  update public.client_purchases as p
     set sessions_used = greatest(p.sessions_used - 1, 0)
   where p.id = v_purchase_id
  returning p.sessions_used into v_used;
  return v_used;
end;
$$;
comment on function app.give_back_session(uuid, text) is
  'Gives back the session a booking took. Returns the pack''s new sessions_used, or -1 when the booking has none. Asks '
  'nobody who they are.';
revoke all on function app.give_back_session(uuid, text) from public, anon, authenticated, service_role;
