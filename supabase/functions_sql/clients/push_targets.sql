create or replace function app.push_targets(p_client_ids uuid[], p_user_id uuid default null)
  returns table (client_id uuid, push_token_id uuid, token text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select c.id, t.id, t.expo_token
    from public.clients as c
    left join public.push_tokens as t on t.client_id = c.id
   where c.id = any (p_client_ids)
     and (p_user_id is null or exists (
           select from public.org_members as m
            where m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
         ))
   order by c.id, t.created_at, t.id;
end;
$$;
comment on function app.push_targets(uuid[], uuid) is
  'The devices of clients: a row for each, one with nulls for a client without any, none for a client who does not '
  'exist or, with p_user_id, is not of an org in which that user (verified by the caller) is owner or staff.';
revoke all on function app.push_targets(uuid[], uuid) from public, anon, authenticated, service_role;
grant execute on function app.push_targets(uuid[], uuid) to coach_os_sidecar, coach_os_worker;
