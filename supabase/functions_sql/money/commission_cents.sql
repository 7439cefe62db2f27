create or replace function app.commission_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return round(p_amount_cents * (select o.commission_rate from public.orgs as o where o.id = p_org_id));
end;
$$;
comment on function app.commission_cents(uuid, bigint) is
  'What the platform keeps of an amount (smallest unit) that a client pays an org through Stripe: orgs.commission_rate '
  'of it, half a cent away from zero. The one rule for the checkout, the books and the earnings.';
revoke all on function app.commission_cents(uuid, bigint) from public, anon, authenticated, service_role;
