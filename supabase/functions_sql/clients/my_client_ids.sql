create or replace function app.my_client_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select c.id from public.clients as c where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_client_ids() is 'The client that the signed-in user is, if they are one (the mobile app''s user).';
revoke all on function app.my_client_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_client_ids() to authenticated;
