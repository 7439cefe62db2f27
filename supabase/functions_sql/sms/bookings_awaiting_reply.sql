create or replace function app.bookings_awaiting_reply(p_org_id uuid, p_phone text, p_now timestamptz)
  returns setof public.bookings
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select b.*
    from public.clients as c
    join public.bookings as b on b.client_id = c.id and b.org_id = p_org_id
   where c.org_id = p_org_id and c.phone_e164 = p_phone
     and b.status = 'confirmed' and b.client_confirmed is not true and b.confirmation_sent_at is not null
     and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id;
end;
$$;
comment on function app.bookings_awaiting_reply(uuid, text, timestamptz) is
  'The bookings that a "Y" from this number (E.164) can confirm, the nearest first: asked about, and begun at most two '
  'hours ago. Several clients may share a number (a parent''s): the nearest open question of any is meant.';
revoke all on function app.bookings_awaiting_reply(uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
