create or replace function app.apply_invoice_payment(p_org_id uuid, p_invoice_payment jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_invoice_id text := app.stripe_id(p_invoice_payment -> 'invoice');
  v_charge_id text := app.stripe_id(p_invoice_payment -> 'payment' -> 'charge');
  v_key text := coalesce(app.stripe_id(p_invoice_payment -> 'payment' -> 'payment_intent'), v_charge_id);
  v_invoice app.stripe_payments;
begin
  if v_key is null or p_invoice_payment ->> 'status' is distinct from 'paid' then
    return 'ignored';
  end if;
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  update app.stripe_payments as p
     set lookup_at = null
   where p.org_id = p_org_id and p.payment_key = v_invoice_id
  returning p.* into v_invoice;
  perform app.note_payment(
    p_org_id, v_key, p_at, (p_invoice_payment ->> 'amount_paid')::bigint, p_invoice_payment ->> 'currency',
    v_invoice.client_id, v_charge_id, v_invoice_id, p_subscription_id => v_invoice.subscription_id
  );
  return 'applied';
end;
$$;
comment on function app.apply_invoice_payment(uuid, jsonb, timestamptz) is
  'A paid invoice payment says which payment an invoice was paid with. Source: '
  'https://docs.stripe.com/api/invoice-payment/object';
revoke all on function app.apply_invoice_payment(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
