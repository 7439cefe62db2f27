create or replace function app.recheck_holds() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_packs uuid[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct n.purchase_id) into v_packs
      from new_rows as n where n.status in ('pending', 'confirmed') and n.purchase_id is not null;
  else
    select array_agg(distinct n.purchase_id) into v_packs
      from new_rows as n
      left join old_rows as o on o.id = n.id
     where n.status in ('pending', 'confirmed') and n.purchase_id is not null
       and (o.status in ('pending', 'confirmed') and o.purchase_id = n.purchase_id) is not true;
  end if;
  if v_packs is not null and exists (
       select from public.client_purchases as p
        where p.id = any (v_packs) and coalesce(p.sessions_remaining, 0) < app.sessions_held(p.id)
     ) then
    perform app.raise_booking_problem('no_session_left');
  end if;
  return null;
end;
$$;
comment on function app.recheck_holds() is
  'What app.hold_session() promises holds for all rows of a statement together: one may hold the session that the next '
  'one, completed already, then takes. The packs are locked by now.';
revoke all on function app.recheck_holds() from public, anon, authenticated, service_role;

create or replace trigger bookings_recheck_insert
  after insert on public.bookings
  referencing new table as new_rows
  for each statement execute function app.recheck_holds();
create or replace trigger bookings_recheck_update
  after update on public.bookings
  referencing old table as old_rows new table as new_rows
  for each statement execute function app.recheck_holds();
