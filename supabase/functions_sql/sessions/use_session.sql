create or replace function app.use_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_booking_id is null then
    -- A purchase of another org looks like one that does not exist.
    perform from public.client_purchases as p where p.id = p_purchase_id and app.acts_for_org(p.org_id);
    if not found then
      return false;
    end if;
    if app.take_completion_credit(p_purchase_id, p_now) then
      return true;
    end if;
  end if;
  return app.take_session(p_purchase_id, p_booking_id, p_now, true) is null;
end;
$$;
comment on function app.use_session(uuid, uuid, timestamptz) is
  'What public.use_session() promises, at the instant p_now (expiry).';
revoke all on function app.use_session(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.use_session(uuid, uuid, timestamptz) to authenticated, service_role;

create or replace function public.use_session(p_purchase_id uuid, p_booking_id uuid default null) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.use_session(p_purchase_id, p_booking_id, now());
end;
comment on function public.use_session(uuid, uuid) is
  'Takes one session from a pack. True: taken (for a booking: taken now or before, never twice; without one, by the '
  'user who has just set a booking on this pack to completed: that booking''s, already taken). False: none left, '
  'expired, unpaid, unknown, or not the caller''s to use.';
revoke all on function public.use_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.use_session(uuid, uuid) to authenticated, service_role;
