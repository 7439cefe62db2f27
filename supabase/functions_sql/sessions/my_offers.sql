create or replace function app.my_offers() returns table (
  id uuid, name text, description text, price_cents integer, currency text, session_duration_mins integer
)
  language sql stable security definer set search_path = ''
as $$
  select o.id, o.name, o.description, o.price_cents, o.currency, o.session_duration_mins
    from public.offers as o
    join public.clients as c on c.org_id = o.org_id
   where c.auth_user_id = (select auth.uid()) and o.is_active
   order by o.sort_order nulls last, o.name, o.id;
$$;
comment on function app.my_offers() is 'What public.my_offers() promises.';
revoke all on function app.my_offers() from public, anon, authenticated, service_role;
grant execute on function app.my_offers() to authenticated;

create or replace function public.my_offers() returns table (
  id uuid, name text, description text, price_cents integer, currency text, session_duration_mins integer
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_offers();
end;
comment on function public.my_offers() is
  'What the coach of the signed-in client sells at present, in the coach''s order. price_cents: smallest unit of '
  'currency. No row when the user is no client.';
revoke all on function public.my_offers() from public, anon, authenticated, service_role;
grant execute on function public.my_offers() to authenticated;
