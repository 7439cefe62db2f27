create or replace function app.take_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_at timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_org_id uuid;
  v_client_id uuid;
  v_status text;
  v_forfeited boolean;
  v_seq integer;
  v_problem text;
begin
  -- Lock order everywhere: booking, then purchase. Never `for update`: foreign keys share these rows.
  if p_booking_id is not null then
    select b.org_id, b.client_id, b.status, b.forfeited into v_org_id, v_client_id, v_status, v_forfeited
      from public.bookings as b where b.id = p_booking_id for no key update;
    if not found then
      return 'booking_not_found';
    end if;
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
  end if;
  -- From here on all others who want this pack wait, until commit: what can be known before was asked before.
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for no key update;
  if not found then
    return 'pack_not_found';
  elsif v_org_id <> v_purchase.org_id then
    return 'booking_not_found';
  elsif v_seq % 2 = 1 then
    return null;  -- this booking has its session already
  elsif v_status in ('cancelled', 'no_show') and not v_forfeited then
    return 'booking_not_charged';
  end if;
  v_problem := app.pack_problem(v_purchase, v_client_id, p_at);
  if v_problem is null and coalesce(v_purchase.sessions_remaining, 0) <= 0 then
    v_problem := 'no_session_left';
  end if;
  if v_problem is not null then
    return v_problem;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq, reason)
  values (p_purchase_id, p_booking_id, case when p_booking_id is null then 'manual' else 'booking' end,
          1, v_seq + 1, app.charge_reason(v_status));
  return null;
end;
$$;
comment on function app.take_session(uuid, uuid, timestamptz) is
  'Takes one session from a pack, for a booking once and never twice. Null: taken, now or before. Else why not: '
  'booking_not_found, pack_not_found, booking_not_charged (called off), no_session_left, or one of app.pack_problem() at the instant p_at. Asks nobody '
  'who they are.';
revoke all on function app.take_session(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
