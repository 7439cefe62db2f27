create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_completed integer;
begin
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for no key update skip locked
    ) as d;
  -- Two callers with bookings on the same packs take them in one order, so that neither waits for the other in turn.
  perform from public.client_purchases as p
    where p.id in (select b.purchase_id from public.bookings as b where b.id = any (v_due))
    order by p.id
      for no key update;
  update public.bookings as b set status = 'completed' where b.id = any (v_due);
  get diagnostics v_completed = row_count;
  return v_completed;
end;
$$;
comment on function app.complete_past_bookings(timestamptz, integer) is
  'Completes up to p_limit confirmed bookings that ended by p_now, oldest first, and with them deducts their '
  'sessions (app.settle_booking). Returns how many. Any number of callers may run it at once.';
revoke all on function app.complete_past_bookings(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.complete_past_bookings(timestamptz, integer) to coach_os_worker;
