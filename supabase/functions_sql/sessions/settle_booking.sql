create or replace function app.settle_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.status = 'completed' and new.status <> 'completed' then
    perform app.release_session(old.purchase_id, new.id);
  elsif new.status = 'completed' and new.purchase_id is not null
        and (tg_op = 'INSERT' or old.status <> 'completed') then
    -- False (empty, expired, unpaid) leaves a completed booking without a ledger entry: uncovered, and visible as such.
    -- A pack pays for a session held before it expired, also when the worker comes to it days later.
    perform app.use_session(new.purchase_id, new.id, new.start_time);
  end if;
  return null;
end;
$$;
comment on function app.settle_booking() is
  'Completing a booking and deducting its session are one: whoever completes it, in the same transaction. '
  'Leaving completed gives the session back.';
revoke all on function app.settle_booking() from public, anon, authenticated, service_role;

create or replace trigger bookings_settle
  after insert or update of status on public.bookings
  for each row execute function app.settle_booking();
