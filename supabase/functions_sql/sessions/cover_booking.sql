create or replace function app.cover_booking(p_booking_id uuid, p_purchase_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_problem text;
begin
  select b.* into v_booking
    from public.bookings as b
   where b.id = p_booking_id and app.acts_for_org(b.org_id)
     for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'booking_not_found',
      hint = 'Choose a booking of this business.';
  end if;
  if p_purchase_id is null then
    raise exception using errcode = 'PT400', message = 'pack_missing', hint = 'Say which pack pays.';
  end if;
  if not app.takes_session(v_booking.status, v_booking.forfeited) then
    raise exception using errcode = 'PT409', message = 'booking_not_charged',
      hint = 'Only a booking that took place, or was forfeited, takes a session.';
  end if;
  -- Charged by hand it may have been paid by another pack than it names. In the order of app.guard_booking().
  perform from public.client_purchases as p
    where p.org_id = v_booking.org_id
      and p.id = any (array[p_purchase_id, v_booking.purchase_id, app.paid_by(p_booking_id)])
    order by p.id
      for no key update;
  if app.paid_by(p_booking_id) <> p_purchase_id then
    perform app.give_back_session(p_booking_id, 'other_pack');
  end if;
  -- app.settle_booking() moves the charge from the pack before, or takes what that could not pay …
  update public.bookings as b set purchase_id = p_purchase_id where b.id = p_booking_id;
  -- … but not again what was given back by hand; and it says only in the row why it could not.
  v_problem := app.take_session(p_purchase_id, p_booking_id, v_booking.start_time);
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
end;
$$;
comment on function app.cover_booking(uuid, uuid) is 'What public.cover_booking() promises.';
revoke all on function app.cover_booking(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.cover_booking(uuid, uuid) to authenticated, service_role;

create or replace function public.cover_booking(p_booking_id uuid, p_purchase_id uuid) returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.cover_booking(p_booking_id, p_purchase_id);
end;
comment on function public.cover_booking(uuid, uuid) is
  'Pays a charged booking from this pack of the same client, in one step: another pack than it was on, a later one, or '
  'the same one topped up. Safe to repeat. When the pack cannot pay nothing changes: PT409 no_session_left, '
  'pack_unpaid, pack_refunded, pack_expired (before the session), pack_not_the_clients, booking_not_charged; PT404 '
  'booking_not_found, purchase_id_not_found; PT400 pack_missing. For the org''s staff.';
revoke all on function public.cover_booking(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.cover_booking(uuid, uuid) to authenticated, service_role;
