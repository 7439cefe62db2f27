create or replace function app.booking_text(p_booking public.bookings, p_kind text, p_words text, p_now timestamptz)
  returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_org public.orgs;
  v_to_coach boolean := (app.sms_kind(p_kind)).to_coach;
  v_remaining integer;
  v_booked bigint;
  v_values jsonb;
begin
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  select o.* into v_org from public.orgs as o where o.id = p_booking.org_id;
  v_values := jsonb_build_object(
    'client_name', case when v_to_coach then btrim(v_client.full_name)
                        else split_part(btrim(v_client.full_name), ' ', 1) end,
    'coach_name', app.coach_name(v_org.id),
    'session_datetime', app.session_time(p_booking.start_time, v_org.timezone),
    'location', coalesce(nullif(btrim(p_booking.location_details), ''), replace(p_booking.location_type, '_', ' '))
  );
  if strpos(p_words, 'session') > 0 and p_words ~ 'sessions_|session_summary' then
    select p.sessions_remaining into v_remaining
      from public.client_purchases as p
     where p.id = p_booking.purchase_id and p.client_id = v_client.id and p.org_id = v_org.id;
    select count(*) into v_booked
      from public.bookings as b
     where b.client_id = v_client.id and b.start_time > p_now and b.status in ('pending', 'confirmed');
    v_values := v_values || jsonb_build_object(
      'sessions_remaining', v_remaining, 'sessions_booked', v_booked,
      'session_summary',
        format('Sessions left: %s%s.', v_remaining, case when v_booked > 0 then format(', booked: %s', v_booked) end)
    );
  end if;
  if v_remaining is null then
    v_values := v_values - 'session_summary';
  end if;
  -- What stays empty leaves no gap.
  return btrim(regexp_replace(app.render_sms_template(p_words, v_values), ' {2,}', ' ', 'g'));
end;
$$;
comment on function app.booking_text(public.bookings, text, text, timestamptz) is
  'The words of a text about a booking, filled in from the database: times in the org''s zone, the client''s first name '
  '(in a text to the coach the whole one), sessions_remaining of the booking''s pack, sessions_booked that the client '
  'has from p_now on, session_summary of both (nothing without a pack).';
revoke all on function app.booking_text(public.bookings, text, text, timestamptz)
  from public, anon, authenticated, service_role;
