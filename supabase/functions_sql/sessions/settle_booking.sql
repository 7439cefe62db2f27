create or replace function app.settle_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_took boolean := tg_op = 'UPDATE' and app.takes_session(old.status, old.forfeited);
  v_takes boolean := app.takes_session(new.status, new.forfeited);
  -- Another client's session is not paid by this one's pack, whichever it named.
  v_other_pack boolean := tg_op = 'UPDATE' and (new.purchase_id is distinct from old.purchase_id
                                                or new.client_id <> old.client_id);
  v_uncovered text;
begin
  if tg_op = 'UPDATE' and (v_other_pack or (v_took and not v_takes)
                           or (new.status <> old.status and new.status in ('cancelled', 'no_show') and not v_takes)) then
    perform app.give_back_session(new.id, case
      when v_other_pack then 'other_pack'
      when new.status in ('cancelled', 'no_show') then 'cancelled'
      else 'reopened'
    end);
  end if;
  -- Once it had its session, only leaving and coming back charges it again: a coach may have given one back by hand.
  if v_takes and new.purchase_id is not null and (not v_took or v_other_pack or new.uncovered_reason is not null) then
    -- A pack pays for a session held before it expired, also when the worker comes to it days later.
    v_uncovered := app.take_session(new.purchase_id, new.id, new.start_time);
  end if;
  if v_uncovered is distinct from new.uncovered_reason then
    update public.bookings as b set uncovered_reason = v_uncovered where b.id = new.id;
  end if;
  return null;
end;
$$;
comment on function app.settle_booking() is
  'Charging a booking and deducting its session are one: whoever completes it, in the same transaction. Leaving that '
  'state, or moving to another pack, gives the session back. What its pack could not pay is told in uncovered_reason.';
revoke all on function app.settle_booking() from public, anon, authenticated, service_role;

create or replace trigger bookings_settle
  after insert or update of status, purchase_id, client_id, forfeited on public.bookings
  for each row execute function app.settle_booking();
