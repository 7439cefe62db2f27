create or replace function app.apply_fee_refunds(p_org_id uuid, p_fee jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_charge_id text := app.stripe_id(p_fee -> 'charge');
  v_refund jsonb;
  v_given_at timestamptz;
  v_payment app.stripe_payments;
  v_status text := 'ignored';
begin
  if v_charge_id is null or jsonb_typeof(p_fee -> 'refunds' -> 'data') is distinct from 'array' then
    return 'ignored';
  end if;
  -- Of this and the event that first tells of the charge, one sees what the other did: app.place_fee_refunds().
  perform app.lock_stripe_object(p_org_id, 'fee of ' || v_charge_id);
  select p.* into v_payment
    from app.stripe_payments as p where p.org_id = p_org_id and p.charge_id = v_charge_id
   order by p.payment_key limit 1;
  for v_refund in select r.value from jsonb_array_elements(p_fee -> 'refunds' -> 'data') as r loop
    v_given_at := coalesce(to_timestamp((v_refund ->> 'created')::bigint), p_at);
    perform app.note_stripe_fact(
      p_org_id, v_refund ->> 'id', 'fee_refunded', v_given_at, (v_refund ->> 'amount')::bigint,
      v_refund ->> 'currency', v_charge_id
    );
    perform app.book_stripe(
      p_org_id, 'PLATFORM_FEE', v_refund ->> 'id', v_given_at, (v_refund ->> 'amount')::bigint,
      lower(v_refund ->> 'currency'), v_payment.client_id, v_payment.payment_key, v_payment.invoice_id
    );
    v_status := 'applied';
  end loop;
  return v_status;
end;
$$;
comment on function app.apply_fee_refunds(uuid, jsonb, timestamptz) is
  'What the platform gave back of its share of a payment (p_fee: the application fee, with its refunds): a PLATFORM_FEE of '
  'the opposite sign for each refund of the fee, by its own amount. amount_refunded, the running total, books nothing. '
  'Source: https://docs.stripe.com/api/fee_refunds/object, https://docs.stripe.com/api/application_fees/object';
revoke all on function app.apply_fee_refunds(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
