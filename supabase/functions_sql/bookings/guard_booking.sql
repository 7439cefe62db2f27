create or replace function app.guard_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_settings public.booking_settings;
  v_problem text;
begin
  -- What follows looks, after it has waited its turn, at what others have committed meanwhile. A snapshot that is older
  -- does not show that: times and sessions would be given away twice.
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    raise exception using errcode = 'PT500', message = 'isolation_not_read_committed',
      hint = 'Write bookings in a transaction of isolation level read committed.';
  end if;
  -- Whoever puts a booking somewhere takes turns with everybody who does so in this org: a client's look at what is
  -- free stays true until their booking is committed. Foreign keys to the org are not held up by this lock.
  if tg_op = 'INSERT' or new.start_time <> old.start_time or new.end_time <> old.end_time
     or (old.status in ('cancelled', 'no_show') and new.status in ('pending', 'confirmed')) then
    perform from public.orgs as o where o.id = new.org_id for no key update;
  end if;
  if tg_op = 'UPDATE' and old.status = 'cancelled' and new.status = 'completed' then
    -- An open calendar completes what has passed by what it read earlier: cancelled in between, it stays cancelled.
    perform app.raise_booking_problem('booking_is_cancelled');
  end if;
  if tg_op = 'UPDATE' and new.client_id <> old.client_id and new.purchase_id is not distinct from old.purchase_id then
    -- The existing calendar changes the client and keeps the pack; a pack pays for its own client only.
    new.purchase_id := null;
  end if;
  if tg_op = 'UPDATE' and (new.purchase_id is distinct from old.purchase_id or new.client_id <> old.client_id
                           or (new.status <> old.status and new.status in ('pending', 'confirmed'))) then
    -- Two that swap packs lock both in one order, so that neither waits for the other in turn. What was charged by
    -- hand may have been paid by yet another pack.
    perform from public.client_purchases as p
      where p.id = any (array[new.purchase_id, old.purchase_id, app.paid_by(new.id)])
      order by p.id
        for no key update;
  end if;
  if new.status not in ('no_show', 'cancelled') then
    new.forfeited := false;
  elsif tg_op = 'INSERT' or (new.status <> old.status and new.forfeited = old.forfeited) then
    new.forfeited := (tg_op = 'INSERT' and new.forfeited) or (new.status = 'no_show' and coalesce(
      (select s.charge_no_show from public.booking_settings as s where s.org_id = new.org_id), false
    ));
  end if;
  if pg_trigger_depth() = 1 then
    -- Only app.settle_booking() knows; a page that writes a whole row back must not undo what it found.
    new.uncovered_reason := case when tg_op = 'UPDATE' then old.uncovered_reason end;
  end if;
  if tg_op = 'INSERT' and new.booking_source = 'client' and new.status in ('pending', 'confirmed')
     and current_setting('role') in ('anon', 'authenticated', 'service_role') then
    v_problem := app.slot_problem(new.org_id, new.start_time, new.end_time);
  elsif tg_op = 'INSERT' or not app.acts_as_client(new.org_id) then
    return new;
  elsif new.start_time <> old.start_time or new.end_time <> old.end_time
        or (old.status not in ('pending', 'confirmed') and new.status in ('pending', 'confirmed')) then
    v_problem := app.slot_problem(new.org_id, new.start_time, new.end_time, new.id);
  end if;
  if v_problem is null and tg_op = 'UPDATE' and old.status in ('pending', 'confirmed')
     and (new.status = 'cancelled' or new.start_time <> old.start_time) then
    select s.* into v_settings from public.booking_settings as s where s.org_id = new.org_id;
    v_problem := app.cancel_problem(old, v_settings, now());
    if v_problem = 'cancel_too_late' and new.status = 'cancelled' and v_settings.late_cancel = 'charge' then
      new.forfeited := true;
      v_problem := null;
    end if;
  end if;
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
  return new;
end;
$$;
comment on function app.guard_booking() is
  'A client books, moves and cancels by the org''s rules (app.slot_problem, app.cancel_problem), whichever way the '
  'request comes; the org''s staff may overlap and override. Raises the codes of app.raise_booking_problem().';
revoke all on function app.guard_booking() from public, anon, authenticated, service_role;

create or replace trigger bookings_guard
  before insert or update of client_id, purchase_id, start_time, end_time, status, forfeited, uncovered_reason
  on public.bookings
  for each row execute function app.guard_booking();
