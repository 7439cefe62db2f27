create or replace function app.take_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_at timestamptz default now(), p_for_caller boolean default false
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_org_id uuid;
  v_client_id uuid;
  v_status text;
  v_forfeited boolean;
  v_uncovered text;
  v_seq integer;
  v_cause text;
  v_problem text;
begin
  -- Lock order everywhere: booking, then purchase. Never `for update`: foreign keys share these rows.
  if p_booking_id is not null then
    select b.org_id, b.client_id, b.status, b.forfeited, b.uncovered_reason
      into v_org_id, v_client_id, v_status, v_forfeited, v_uncovered
      from public.bookings as b
     where b.id = p_booking_id and (not p_for_caller or app.acts_for_org(b.org_id))
       for no key update;
    if not found then
      return 'booking_not_found';
    end if;
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
    if v_seq % 2 = 1 then
      return case when exists (select from public.client_purchases as p where p.id = p_purchase_id and p.org_id = v_org_id)
                  then null else 'pack_not_found' end;  -- this booking has its session already
    elsif v_status in ('cancelled', 'no_show') and not v_forfeited then
      return 'booking_not_charged';
    end if;
  end if;
  loop
    v_cause := app.explain_counter(case when p_booking_id is null then 'manual' else 'booking' end,
                                   p_booking_id, v_seq + 1, app.charge_reason(v_status));
    -- Check and change are one statement; from here on all others who want this pack wait, until commit.
    update public.client_purchases as p
       set sessions_used = p.sessions_used + 1
     where p.id = p_purchase_id
       and (p.org_id = v_org_id or p_booking_id is null)
       and p.sessions_remaining > 0
       and app.pack_problem(p, v_client_id, p_at) is null;
    exit when found;
    v_cause := app.explain_counter();
    select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for no key update;
    if not found or v_purchase.org_id <> v_org_id then
      return 'pack_not_found';
    end if;
    v_problem := app.pack_problem(v_purchase, v_client_id, p_at);
    if v_problem is null and coalesce(v_purchase.sessions_remaining, 0) <= 0 then
      v_problem := 'no_session_left';
    end if;
    if v_problem is not null then
      return v_problem;
    end if;
    -- Somebody has just paid it or given a session back: once more, and now the pack is locked.
  end loop;
  -- Whoever pays for it, the booking is covered from here on: app.settle_booking() looks again. It may be who asks.
  if v_uncovered is not null and pg_trigger_depth() = 0 then
    update public.bookings as b set forfeited = b.forfeited where b.id = p_booking_id;
  end if;
  return null;
end;
$$;
comment on function app.take_session(uuid, uuid, timestamptz, boolean) is
  'Takes one session from a pack, for a booking once and never twice; whoever pays for it, the booking is covered from then '
  'on. Null: taken, now or before. Else why not: booking_not_found, pack_not_found (in the booking''s org), '
  'booking_not_charged (called off), no_session_left, or one of app.pack_problem() at the instant p_at. With p_for_caller '
  'a booking of an org that the caller does not act for is not found; else it asks nobody who they are.';
revoke all on function app.take_session(uuid, uuid, timestamptz, boolean) from public, anon, authenticated, service_role;
