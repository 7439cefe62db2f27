create or replace function app.gst_part_cents(p_amount_cents bigint) returns bigint
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return round(p_amount_cents / 11.0);
end;
$$;
comment on function app.gst_part_cents(bigint) is
  'The GST in an amount (smallest unit, either sign) that holds GST: one eleventh, half a cent away from zero. Source: '
  'https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst';
revoke all on function app.gst_part_cents(bigint) from public, anon, authenticated, service_role;
