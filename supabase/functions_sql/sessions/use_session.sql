create or replace function app.use_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_booking public.bookings;
  v_seq integer;
begin
  -- Lock order everywhere: booking, then purchase.
  if p_booking_id is not null then
    select b.* into v_booking from public.bookings as b where b.id = p_booking_id for update;
    if not found then
      return false;
    end if;
  end if;
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for update;
  -- A purchase of another org looks like one that does not exist.
  if not found or not app.acts_for_org(v_purchase.org_id) then
    return false;
  end if;
  if p_booking_id is not null then
    if v_booking.org_id <> v_purchase.org_id or v_booking.client_id <> v_purchase.client_id then
      return false;
    end if;
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
    if v_seq % 2 = 1 then
      return true;  -- this booking has its session already
    end if;
  end if;
  if v_purchase.payment_status is distinct from 'succeeded'
     or v_purchase.expires_at <= p_now
     or coalesce(v_purchase.sessions_remaining, 0) <= 0 then
    return false;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq)
  values (p_purchase_id, p_booking_id, case when p_booking_id is null then 'manual' else 'booking' end,
          1, v_seq + 1);
  return true;
end;
$$;
comment on function app.use_session(uuid, uuid, timestamptz) is
  'What public.use_session() promises, at the instant p_now (expiry).';
revoke all on function app.use_session(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.use_session(uuid, uuid, timestamptz) to authenticated, service_role;

create or replace function public.use_session(p_purchase_id uuid, p_booking_id uuid default null) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.use_session(p_purchase_id, p_booking_id, now());
end;
comment on function public.use_session(uuid, uuid) is
  'Takes one session from a pack; the only way a session is deducted. True: taken (for a booking: taken now or '
  'before, never twice). False: none left, expired, unpaid, unknown, or not the caller''s to use.';
revoke all on function public.use_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.use_session(uuid, uuid) to authenticated, service_role;
