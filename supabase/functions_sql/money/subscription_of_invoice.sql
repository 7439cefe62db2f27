create or replace function app.subscription_of_invoice(p_invoice jsonb) returns text
  language plpgsql immutable parallel safe security definer set search_path = ''
as $$
begin
  return coalesce(
    app.stripe_id(p_invoice -> 'parent' -> 'subscription_details' -> 'subscription'),
    app.stripe_id(p_invoice -> 'subscription')
  );
end;
$$;
comment on function app.subscription_of_invoice(jsonb) is
  'The subscription an invoice is for, in API versions from 2025-03-31 on and before; null: none. Source: '
  'https://docs.stripe.com/changelog/basil/2025-03-31/adds-new-parent-field-to-invoicing-objects';
revoke all on function app.subscription_of_invoice(jsonb) from public, anon, authenticated, service_role;
