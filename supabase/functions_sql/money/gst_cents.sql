create or replace function app.gst_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not coalesce(
    (select s.gst_registered from public.booking_settings as s where s.org_id = p_org_id), false
  ) then
    return 0;
  end if;
  return app.gst_part_cents(p_amount_cents);
end;
$$;
comment on function app.gst_cents(uuid, bigint) is
  'The GST in an amount (smallest unit, either sign) that an org takes or pays now: app.gst_part_cents() of it; 0 for an '
  'org that is not registered.';
revoke all on function app.gst_cents(uuid, bigint) from public, anon, authenticated, service_role;
