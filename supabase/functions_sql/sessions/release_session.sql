create or replace function app.release_session(p_purchase_id uuid, p_booking_id uuid default null) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_used integer;
  v_cause text;
begin
  if p_booking_id is not null then
    perform from public.bookings as b where b.id = p_booking_id and app.acts_for_org(b.org_id) for no key update;
    if not found or app.paid_by(p_booking_id) <> p_purchase_id then
      return -1;
    end if;
    return app.give_back_session(p_booking_id, 'manual');
  end if;
  v_cause := app.explain_counter('release');
  update public.client_purchases as p
     set sessions_used = p.sessions_used - 1
   where p.id = p_purchase_id and p.sessions_used > 0 and app.acts_for_org(p.org_id)
  returning p.sessions_used into v_used;
  if not found then
    v_cause := app.explain_counter();
    return -1;
  end if;
  return v_used;
end;
$$;
comment on function app.release_session(uuid, uuid) is 'What public.release_session() promises.';
revoke all on function app.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.release_session(uuid, uuid) to authenticated, service_role;

create or replace function public.release_session(p_purchase_id uuid, p_booking_id uuid default null)
  returns integer
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.release_session(p_purchase_id, p_booking_id);
end;
comment on function public.release_session(uuid, uuid) is
  'Gives one session back to a pack; with a booking, the one that booking took from it (with a null pack: from '
  'whichever it took it). Returns the new sessions_used, or -1 when there is nothing to give back.';
revoke all on function public.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.release_session(uuid, uuid) to authenticated, service_role;
