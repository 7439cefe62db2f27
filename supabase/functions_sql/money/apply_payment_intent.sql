create or replace function app.apply_payment_intent(p_org_id uuid, p_intent jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_intent ->> 'status' is distinct from 'succeeded' then
    return 'ignored';
  end if;
  perform app.note_payment(
    p_org_id, p_intent ->> 'id', p_at, (p_intent ->> 'amount_received')::bigint, p_intent ->> 'currency',
    app.client_of_stripe(p_org_id, p_intent), app.stripe_id(p_intent -> 'latest_charge'),
    -- Null says that the platform kept nothing; a field that is not there says nothing.
    p_application_fee_cents => case when p_intent ? 'application_fee_amount'
                                    then coalesce((p_intent ->> 'application_fee_amount')::bigint, 0) end
  );
  return 'applied';
end;
$$;
comment on function app.apply_payment_intent(uuid, jsonb, timestamptz) is
  'A succeeded payment intent is a payment. Source: https://docs.stripe.com/api/payment_intents/object';
revoke all on function app.apply_payment_intent(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
