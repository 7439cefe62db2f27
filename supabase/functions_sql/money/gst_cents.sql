create or replace function app.gst_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not coalesce(
    (select s.gst_registered from public.booking_settings as s where s.org_id = p_org_id), false
  ) then
    return 0;
  end if;
  return round(p_amount_cents / 11.0);
end;
$$;
comment on function app.gst_cents(uuid, bigint) is
  'The GST contained in an amount (smallest unit, either sign) that an org takes or gives back: one eleventh, half a '
  'cent away from zero; 0 for an org that is not registered. Source: '
  'https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst';
revoke all on function app.gst_cents(uuid, bigint) from public, anon, authenticated, service_role;
