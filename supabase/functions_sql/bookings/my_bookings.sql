create or replace function app.my_bookings(p_from timestamptz) returns table (
  id uuid, start_time timestamptz, end_time timestamptz, duration_mins integer, status text, session_type text,
  location text, client_confirmed boolean, offer_name text
)
  language sql stable security definer set search_path = ''
as $$
  select b.id, b.start_time, b.end_time, b.duration_mins, b.status, b.session_type,
         coalesce(b.location_details, replace(b.location_type, '_', ' ')),  -- as the texts say it
         coalesce(b.client_confirmed, false), o.name
    from public.bookings as b
    left join public.offers as o on o.id = b.offer_id
   where b.client_id = any (array(select app.my_client_ids()))
     and (p_from is null or b.start_time >= p_from)
   order by b.start_time, b.id;
$$;
comment on function app.my_bookings(timestamptz) is 'What public.my_bookings() promises.';
revoke all on function app.my_bookings(timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.my_bookings(timestamptz) to authenticated;

create or replace function public.my_bookings(p_from timestamptz default null) returns table (
  id uuid, start_time timestamptz, end_time timestamptz, duration_mins integer, status text, session_type text,
  location text, client_confirmed boolean, offer_name text
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_bookings(p_from);
end;
comment on function public.my_bookings(timestamptz) is
  'Bookings of the client that the signed-in user is, in any status, from p_from on (null: all), earliest first. '
  'No row when the user is no client.';
revoke all on function public.my_bookings(timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.my_bookings(timestamptz) to authenticated;
