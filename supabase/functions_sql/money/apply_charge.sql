create or replace function app.apply_charge(p_org_id uuid, p_charge jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- One that is only authorised is no payment yet; charge.captured comes when it is.
  if p_charge ->> 'status' is distinct from 'succeeded' or p_charge -> 'captured' = 'false' then
    return 'ignored';
  end if;
  perform app.note_payment(
    p_org_id, coalesce(app.stripe_id(p_charge -> 'payment_intent'), p_charge ->> 'id'), p_at,
    coalesce((p_charge ->> 'amount_captured')::bigint, (p_charge ->> 'amount')::bigint), p_charge ->> 'currency',
    app.client_of_stripe(p_org_id, p_charge), p_charge ->> 'id', app.stripe_id(p_charge -> 'invoice'),
    p_application_fee_cents => case when p_charge ? 'application_fee_amount'
                                    then coalesce((p_charge ->> 'application_fee_amount')::bigint, 0) end
  );
  return 'applied';
end;
$$;
comment on function app.apply_charge(uuid, jsonb, timestamptz) is
  'A succeeded, captured charge is a payment, that of its payment intent if it has one. Source: '
  'https://docs.stripe.com/api/charges/object';
revoke all on function app.apply_charge(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
