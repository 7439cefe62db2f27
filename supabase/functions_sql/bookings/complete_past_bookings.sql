create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_orgs uuid[];
  v_packs uuid[];
  v_short uuid[];
  v_completed integer;
  v_id uuid;
begin
  -- This waits for nobody: a booking, a pack or an org that somebody is changing at this moment is left for the next
  -- call. So a transaction that hangs holds up what it holds, not every org's bookings, and no two callers ever deadlock.
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_due is null then
    return 0;  -- as most calls end: an update of no row would still run its triggers
  end if;
  -- Changing an org's time zone locks it against new rows that refer to it, such as texts.
  select array_agg(l.id) into v_orgs
    from (
      select o.id
        from public.orgs as o
       where o.id in (select b.org_id from public.bookings as b where b.id = any (v_due))
         for key share skip locked
    ) as l;
  select array_agg(b.id) into v_due
    from public.bookings as b where b.id = any (v_due) and b.org_id = any (v_orgs);
  select array_agg(l.id) into v_packs
    from (
      select p.id
        from public.client_purchases as p
       where p.id in (select b.purchase_id from public.bookings as b where b.id = any (v_due))
         for no key update skip locked
    ) as l;
  select array_agg(s.id) into v_short
    from (
      select p.id
        from public.bookings as b
        join public.client_purchases as p on p.id = b.purchase_id
       where b.id = any (v_due) and p.id = any (v_packs)
       group by p.id
      having count(*) > coalesce(p.sessions_remaining, 0)
    ) as s;
  update public.bookings as b
     set status = 'completed'
   where b.id = any (v_due)
     and (b.purchase_id is null or (b.purchase_id = any (v_packs) and b.purchase_id <> all (coalesce(v_short, '{}'))));
  get diagnostics v_completed = row_count;
  -- Nothing says in which order a statement changes its rows. Where a pack has less left than is due, order matters.
  for v_id in
    select b.id
      from public.bookings as b
     where b.id = any (v_due) and b.purchase_id = any (v_short)
     order by b.end_time, b.id
  loop
    update public.bookings as b set status = 'completed' where b.id = v_id;
    v_completed := v_completed + 1;
  end loop;
  return v_completed;
end;
$$;
comment on function app.complete_past_bookings(timestamptz, integer) is
  'Completes up to p_limit confirmed bookings that ended by p_now, oldest first, and with them deducts their sessions '
  '(app.settle_booking): of a pack that has too few left, the oldest take them. Returns how many; 0: none is left but '
  'what others hold right now. Any number of callers may run it at once.';
revoke all on function app.complete_past_bookings(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.complete_past_bookings(timestamptz, integer) to coach_os_worker;
