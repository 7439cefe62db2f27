create or replace function app.my_client() returns table (
  id uuid, org_id uuid, full_name text, email text, weight_kg numeric, org_name text, display_name text,
  primary_color text, logo_url text, subscription_status text, manage_url text
)
  language sql stable security definer set search_path = ''
as $$
  select c.id, c.org_id, c.full_name, c.email, c.weight_kg, o.name, b.display_name,
         b.primary_color, b.logo_url, coalesce(s.status, 'none'), s.manage_url
    from public.clients as c
    join public.orgs as o on o.id = c.org_id
    left join public.branding as b on b.org_id = c.org_id
    left join public.subscriptions as s on s.client_id = c.id
   where c.auth_user_id = (select auth.uid());
$$;
comment on function app.my_client() is 'What public.my_client() promises.';
revoke all on function app.my_client() from public, anon, authenticated, service_role;
grant execute on function app.my_client() to authenticated;

create or replace function public.my_client() returns table (
  id uuid, org_id uuid, full_name text, email text, weight_kg numeric, org_name text, display_name text,
  primary_color text, logo_url text, subscription_status text, manage_url text
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_client();
end;
comment on function public.my_client() is
  'The client that the signed-in user is, with the business'' name and look and the state of their subscription '
  '(none when there is none): one row, or none when the user is no client.';
revoke all on function public.my_client() from public, anon, authenticated, service_role;
grant execute on function public.my_client() to authenticated;
