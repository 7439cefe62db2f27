create or replace function app.client_of_me() returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  select c.* into v_client from public.clients as c where c.auth_user_id = auth.uid();
  if not found then
    raise exception using errcode = 'PT403', message = 'not_a_client',
      hint = 'Sign in as a client; an invite from the coach makes you one.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_of_me() is 'The client that the signed-in user is. PT403 not_a_client.';
revoke all on function app.client_of_me() from public, anon, authenticated, service_role;
