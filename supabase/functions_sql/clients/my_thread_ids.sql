create or replace function app.my_thread_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select t.id
      from public.message_threads as t
      join public.clients as c on c.id = t.client_id
     where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_thread_ids() is 'Message threads of the client that the signed-in user is.';
revoke all on function app.my_thread_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_thread_ids() to authenticated;
