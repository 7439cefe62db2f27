create or replace function app.hold_session() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_holds_already boolean := tg_op = 'UPDATE' and old.status in ('pending', 'confirmed')
                             and new.purchase_id is not distinct from old.purchase_id;
  v_purchase public.client_purchases;
  v_left integer;
  v_problem text;
begin
  if new.purchase_id is null or new.status not in ('pending', 'confirmed')
     or (v_holds_already and new.client_id = old.client_id and new.start_time = old.start_time) then
    return null;
  end if;
  -- Those who book on one pack take turns. Not `for update`: the foreign key of a booking being inserted beside this
  -- one shares the row, and two would wait for each other.
  select p.* into v_purchase from public.client_purchases as p where p.id = new.purchase_id for no key update;
  v_problem := app.pack_problem(v_purchase, new.client_id, new.start_time);
  -- What the pack could not pay where it was, it need not pay where it is moved to: app.settle_booking() will tell.
  if v_holds_already and new.client_id = old.client_id
     and app.pack_problem(v_purchase, old.client_id, old.start_time) is not null then
    v_problem := null;
  end if;
  -- One that has its session from this pack gives it back (app.settle_booking, after this) and holds it from then on;
  -- but for what was given back by hand before.
  if v_problem is null and not v_holds_already then
    v_left := coalesce(v_purchase.sessions_remaining, 0);
    if app.paid_by(new.id) = new.purchase_id then
      v_left := v_left + least(1, v_purchase.sessions_used);
    end if;
    if v_left <= app.sessions_held(new.purchase_id, new.id) then
      v_problem := 'no_session_left';
    end if;
  end if;
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
  return null;
end;
$$;
comment on function app.hold_session() is
  'A booking on a pack holds one of its sessions until it is completed or cancelled; nobody, through any door, holds '
  'more than the pack has left, or on a pack that cannot pay. Raises the codes of app.raise_booking_problem().';
revoke all on function app.hold_session() from public, anon, authenticated, service_role;

create or replace trigger bookings_hold
  after insert or update of status, purchase_id, client_id, start_time on public.bookings
  for each row execute function app.hold_session();
