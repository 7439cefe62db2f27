create or replace function app.release_session(p_purchase_id uuid, p_booking_id uuid default null) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_seq integer;
begin
  if p_booking_id is not null then
    perform from public.bookings as b where b.id = p_booking_id for update;
    -- What the booking took goes back to the pack it was taken from, also when the booking names another by now.
    select l.booking_seq, l.purchase_id into v_seq, p_purchase_id
      from public.session_ledger as l
     where l.booking_id = p_booking_id
     order by l.booking_seq desc
     limit 1;
    if v_seq is null or v_seq % 2 = 0 then
      return -1;
    end if;
  end if;
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for update;
  if not found or not app.acts_for_org(v_purchase.org_id) or v_purchase.sessions_used = 0 then
    return -1;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq)
  values (p_purchase_id, p_booking_id, 'release', -1, v_seq + 1);
  return v_purchase.sessions_used - 1;
end;
$$;
comment on function app.release_session(uuid, uuid) is 'What public.release_session() promises.';
revoke all on function app.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.release_session(uuid, uuid) to authenticated, service_role;

create or replace function public.release_session(p_purchase_id uuid, p_booking_id uuid default null)
  returns integer
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.release_session(p_purchase_id, p_booking_id);
end;
comment on function public.release_session(uuid, uuid) is
  'Gives one session back to a pack; with a booking, the one that booking took. Returns the new sessions_used, '
  'or -1 when there is nothing to give back.';
revoke all on function public.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.release_session(uuid, uuid) to authenticated, service_role;
