create or replace function app.bookable_sessions_remaining(p_purchase_id uuid, p_now timestamptz default now())
  returns integer
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    (
      select greatest(0, p.sessions_remaining - app.sessions_held(p.id))
        from public.client_purchases as p
       where p.id = p_purchase_id and app.pack_problem(p, p.client_id, p_now) is null
    ),
    0
  );
$$;
comment on function app.bookable_sessions_remaining(uuid, timestamptz) is
  'Sessions of a pack that can still be booked at the instant p_now: remaining less held, never below 0; 0 for a pack '
  'that is unknown, unpaid, refunded or expired. Asks nobody who they are.';
revoke all on function app.bookable_sessions_remaining(uuid, timestamptz)
  from public, anon, authenticated, service_role;

create or replace function app.bookable_sessions_remaining_for_me(p_purchase_id uuid, p_now timestamptz)
  returns integer
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    (
      select app.bookable_sessions_remaining(p.id, p_now)
        from public.client_purchases as p
       where p.id = p_purchase_id
         and (app.acts_for_org(p.org_id) or p.client_id = any (array(select app.my_client_ids())))
    ),
    0
  );
$$;
comment on function app.bookable_sessions_remaining_for_me(uuid, timestamptz) is
  'What public.bookable_sessions_remaining() promises, at the instant p_now.';
revoke all on function app.bookable_sessions_remaining_for_me(uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.bookable_sessions_remaining_for_me(uuid, timestamptz) to authenticated, service_role;

create or replace function public.bookable_sessions_remaining(p_purchase_id uuid) returns integer
  language sql stable security invoker set search_path = ''
begin atomic
  select app.bookable_sessions_remaining_for_me(p_purchase_id, now());
end;
comment on function public.bookable_sessions_remaining(uuid) is
  'Sessions of a pack that can still be booked: remaining less those held by pending and confirmed bookings, never '
  'below 0. 0 for a pack that is unpaid, refunded, expired, unknown, or not the caller''s to see.';
revoke all on function public.bookable_sessions_remaining(uuid) from public, anon, authenticated, service_role;
grant execute on function public.bookable_sessions_remaining(uuid) to authenticated, service_role;
