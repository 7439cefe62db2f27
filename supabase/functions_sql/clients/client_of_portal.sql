create or replace function app.client_of_portal(p_token uuid) returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  select c.* into v_client from public.clients as c where c.portal_token = p_token;
  if not found then
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is no longer valid; ask for a new one.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_of_portal(uuid) is 'The client whose portal link holds this token. PT404 token_not_found.';
revoke all on function app.client_of_portal(uuid) from public, anon, authenticated, service_role;
