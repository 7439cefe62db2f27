create or replace function app.cancel_for_client(p_client public.clients, p_booking_id uuid, p_now timestamptz)
  returns public.bookings
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_settings public.booking_settings;
  v_problem text;
begin
  select b.* into v_booking
    from public.bookings as b where b.id = p_booking_id and b.client_id = p_client.id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'booking_not_found', hint = 'Choose one of the bookings shown.';
  end if;
  if v_booking.status = 'cancelled' then
    return v_booking;  -- asked for twice
  end if;
  select s.* into v_settings from public.booking_settings as s where s.org_id = p_client.org_id;
  v_problem := case when v_booking.status in ('pending', 'confirmed')
                    then app.cancel_problem(v_booking, v_settings, p_now) else 'booking_is_over' end;
  if v_problem is not null and not (v_problem = 'cancel_too_late' and v_settings.late_cancel = 'charge') then
    perform app.raise_booking_problem(v_problem);
  end if;
  update public.bookings as b
     set status = 'cancelled', cancelled_at = p_now, cancelled_by = auth.uid(), forfeited = v_problem is not null
   where b.id = p_booking_id
  returning b.* into v_booking;
  return v_booking;
end;
$$;
comment on function app.cancel_for_client(public.clients, uuid, timestamptz) is
  'Cancels a client''s booking at their own wish, by the org''s rules at the instant p_now (app.cancel_problem); too '
  'late it is refused or, where the org says so, charged. Asked for again it returns the cancelled booking. PT404 '
  'booking_not_found.';
revoke all on function app.cancel_for_client(public.clients, uuid, timestamptz)
  from public, anon, authenticated, service_role;
