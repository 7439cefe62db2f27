create or replace function app.request_session(
  p_slug text, p_start timestamptz, p_offer_id uuid, p_name text, p_email text, p_phone text, p_notes text,
  p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
  v_offer public.offers := app.offer_on_sale(v_org.id, p_offer_id);
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text;
  v_client public.clients;
  v_booking public.bookings;
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name.';
  end if;
  if v_email is null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Give an e-mail address.';
  end if;
  v_phone := app.clean_phone('phone', p_phone, v_org.country_code);
  perform app.count_visitor(v_org.id, p_now);
  -- Taken before looking: a second click finds what the first one made.
  perform from public.orgs as o where o.id = v_org.id for no key update;
  select c.* into v_client
    from public.clients as c
   where c.org_id = v_org.id and lower(c.email) = lower(v_email)
   order by c.created_at, c.id
   limit 1;
  -- Only the same request, just made by the same signed-in user or by nobody who was, counts as this one: what else a
  -- client has booked is not told to whoever knows their e-mail address.
  select b.* into v_booking
    from public.bookings as b
   where b.client_id = v_client.id and b.start_time = p_start and b.status = 'pending'
     and b.offer_id = p_offer_id and b.purchase_id is null and b.booking_source = 'client'
     and b.booked_by is not distinct from auth.uid()
     and b.created_at > p_now - interval '10 minutes'
     and b.client_notes is not distinct from nullif(btrim(p_notes), '');
  if not found then
    -- Nobody proves here who they are: a request takes the time until the coach answers, so there are only so many. In
    -- all, not for each address: another limit for those who are clients would tell who is one.
    if (
         select count(*) >= 30
           from public.bookings as b
          where b.org_id = v_org.id and b.start_time > p_now and b.status = 'pending' and b.booking_source = 'client'
       ) then
      raise exception using errcode = 'PT429', message = 'too_many_requests',
        hint = 'Earlier requests wait for an answer; try again when the coach has answered.';
    end if;
    if v_client.id is null then
      insert into public.clients (org_id, full_name, email, phone, source)
      values (v_org.id, v_name, v_email, v_phone, 'online_booking')
      returning * into v_client;
    end if;
    v_booking := app.place_booking(v_client, p_start, null, v_offer, p_notes, p_now);
  end if;
  -- The same words for a client and a stranger: the page cannot be used to ask who is one.
  return jsonb_build_object('status', 'requested', 'start_time', v_booking.start_time, 'end_time', v_booking.end_time);
end;
$$;
comment on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz) is
  'What public.request_session() promises, at the instant p_now.';
revoke all on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.request_session(
  p_slug text, p_start timestamptz, p_offer_id uuid, p_name text, p_email text, p_phone text default null,
  p_notes text default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.request_session(p_slug, p_start, p_offer_id, p_name, p_email, p_phone, p_notes, now());
end;
comment on function public.request_session(text, timestamptz, uuid, text, text, text, text) is
  'A visitor of the public booking page asks for a time: a pending booking, which takes the time until the coach '
  'accepts or cancels it, for the client with this e-mail address or a new one; the answer {status, start_time, '
  'end_time} is the same for both. Safe to call twice. PT404 page_not_found, offer_not_found; PT400 name_invalid, '
  'email_invalid, phone_invalid, notes_too_long; PT403 client_booking_off; PT409 slot_…; PT429 too_many_requests.';
revoke all on function public.request_session(text, timestamptz, uuid, text, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.request_session(text, timestamptz, uuid, text, text, text, text)
  to anon, authenticated, service_role;
