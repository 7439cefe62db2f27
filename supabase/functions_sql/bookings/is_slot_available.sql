create or replace function app.is_slot_available(
  p_org_id uuid, p_start_time timestamptz, p_end_time timestamptz, p_exclude_booking_id uuid, p_now timestamptz
) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select app.acts_for_org(p_org_id)
     and app.slot_problem(p_org_id, p_start_time, p_end_time, p_exclude_booking_id, p_now) is null;
$$;
comment on function app.is_slot_available(uuid, timestamptz, timestamptz, uuid, timestamptz) is
  'What public.is_slot_available() promises, at the instant p_now.';
revoke all on function app.is_slot_available(uuid, timestamptz, timestamptz, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.is_slot_available(uuid, timestamptz, timestamptz, uuid, timestamptz)
  to authenticated, service_role;

create or replace function public.is_slot_available(
  p_org_id uuid, p_start_time timestamptz, p_end_time timestamptz, p_exclude_booking_id uuid default null
) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_slot_available(p_org_id, p_start_time, p_end_time, p_exclude_booking_id, now());
end;
comment on function public.is_slot_available(uuid, timestamptz, timestamptz, uuid) is
  'Whether a client of the org could book this time now: the org''s switches, notice, opening hours, blocked times, '
  'bookings and buffers, all in its own zone (app.slot_problem). False also for an org that is not the caller''s.';
revoke all on function public.is_slot_available(uuid, timestamptz, timestamptz, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.is_slot_available(uuid, timestamptz, timestamptz, uuid) to authenticated, service_role;
