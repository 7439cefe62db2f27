create or replace function app.my_packages(p_now timestamptz) returns table (
  id uuid, name text, sessions_total integer, sessions_used integer, sessions_remaining integer, sessions_bookable integer,
  expires_at timestamptz
)
  language sql stable security definer set search_path = ''
as $$
  select p.id, o.name, p.sessions_total, p.sessions_used, p.sessions_remaining,
         app.bookable_sessions_remaining(p.id, p_now), p.expires_at
    from public.client_purchases as p
    join public.offers as o on o.id = p.offer_id
   where p.client_id = any (array(select app.my_client_ids()))
     and p.payment_status = 'succeeded' and p.sessions_total > 0  -- a subscription is bought without a pack
   order by p.expires_at nulls last, p.purchased_at, p.id;
$$;
comment on function app.my_packages(timestamptz) is 'What public.my_packages() promises, at the instant p_now.';
revoke all on function app.my_packages(timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.my_packages(timestamptz) to authenticated;

create or replace function public.my_packages() returns table (
  id uuid, name text, sessions_total integer, sessions_used integer, sessions_remaining integer, sessions_bookable integer,
  expires_at timestamptz
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_packages(now());
end;
comment on function public.my_packages() is
  'Paid packs of the client that the signed-in user is, spent and expired ones too, the first to expire first. '
  'sessions_used: delivered; sessions_bookable: neither delivered nor booked. No row when the user is no client.';
revoke all on function public.my_packages() from public, anon, authenticated, service_role;
grant execute on function public.my_packages() to authenticated;
