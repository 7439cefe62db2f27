create or replace function app.client_to_serve(p_user_id uuid, p_client_id uuid, p_portal_token uuid)
  returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  if p_portal_token is not null then
    return app.client_of_portal(p_portal_token);
  end if;
  -- A client of an org the user may not sell for looks like one that does not exist.
  select c.* into v_client
    from public.clients as c
    join public.org_members as m on m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where c.id = p_client_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found',
      hint = 'Choose a client of your own business.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_to_serve(uuid, uuid, uuid) is
  'The client for whom something is asked of Stripe: of their own portal link (p_portal_token), else p_client_id, for an '
  'owner or staff member of their org (p_user_id, verified by the caller). Raises PT404 token_not_found, client_not_found.';
revoke all on function app.client_to_serve(uuid, uuid, uuid) from public, anon, authenticated, service_role;
