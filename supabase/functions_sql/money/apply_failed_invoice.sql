create or replace function app.apply_failed_invoice(p_org_id uuid, p_invoice jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_subscription_id text := app.subscription_of_invoice(p_invoice);
begin
  if v_subscription_id is null then
    return 'ignored';
  end if;
  perform app.note_subscription(
    p_org_id, v_subscription_id, p_at,
    app.client_of_stripe(p_org_id, p_invoice -> 'parent' -> 'subscription_details'),
    app.stripe_id(p_invoice -> 'customer'), p_inferred_status => 'past_due'
  );
  return 'applied';
end;
$$;
comment on function app.apply_failed_invoice(uuid, jsonb, timestamptz) is
  'The subscription of an invoice that could not be paid is past due. Source: https://docs.stripe.com/api/invoices/object';
revoke all on function app.apply_failed_invoice(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
