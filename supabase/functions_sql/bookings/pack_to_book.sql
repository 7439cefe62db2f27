create or replace function app.pack_to_book(
  p_client public.clients, p_purchase_id uuid, p_start timestamptz, p_now timestamptz
) returns public.client_purchases
  language sql stable security definer set search_path = ''
as $$
  select p
    from public.client_purchases as p
   where p.client_id = p_client.id
     and (p.id = p_purchase_id
          or (p_purchase_id is null
              and app.pack_problem(p, p_client.id, p_start) is null
              and app.bookable_sessions_remaining(p.id, p_now) > 0))
   order by p.expires_at nulls last, p.purchased_at, p.id
   limit 1;
$$;
comment on function app.pack_to_book(public.clients, uuid, timestamptz, timestamptz) is
  'The pack on which a client books a session at p_start: the one asked for, if it is theirs, else, of those bookable '
  'at the instant p_now, the one that expires first. Null: none.';
revoke all on function app.pack_to_book(public.clients, uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
