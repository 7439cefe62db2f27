create or replace function app.confirm_by_reply(p_org public.orgs, p_phone text, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_next public.bookings;
begin
  loop
    select b.* into v_booking from app.bookings_awaiting_reply(p_org.id, p_phone, p_now) as b limit 1;
    if not found then
      return 'Thanks! There is no session waiting for your confirmation.';
    end if;
    -- Cancelled or moved since it was read: the next one is looked for.
    update public.bookings as b
       set client_confirmed = true
     where b.id = v_booking.id and b.status = 'confirmed' and b.client_confirmed is not true
       and b.start_time = v_booking.start_time;
    exit when found;
  end loop;
  select b.* into v_next from app.bookings_awaiting_reply(p_org.id, p_phone, p_now) as b limit 1;
  return format('Thanks! Your session on %s is confirmed.', app.session_time(v_booking.start_time, p_org.timezone))
    || case when v_next.id is null then ''
            else format(' Reply Y again to confirm %s.', app.session_time(v_next.start_time, p_org.timezone))
       end;
end;
$$;
comment on function app.confirm_by_reply(public.orgs, text, timestamptz) is
  'Confirms the nearest booking that a "Y" from this number answers, one per "Y"; returns the answer, which names the '
  'one confirmed and the one that another "Y" would confirm.';
revoke all on function app.confirm_by_reply(public.orgs, text, timestamptz)
  from public, anon, authenticated, service_role;
