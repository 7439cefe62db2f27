create or replace function app.stripe_lines(p_object jsonb)
  returns table (type public.money_event_type, reference_id text, amount_cents bigint, currency text)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_kind text := p_object ->> 'object';
  v_status text := p_object ->> 'status';
  v_amount bigint := (p_object ->> 'amount')::bigint;
  v_parts jsonb := case jsonb_typeof(p_object -> 'balance_transactions') when 'array'
                   then p_object -> 'balance_transactions' else '[]' end;
begin
  reference_id := p_object ->> 'id';
  currency := lower(p_object ->> 'currency');
  if v_kind in ('charge', 'payment_intent') then
    if v_kind = 'charge' then
      -- One that failed says nothing of its intent, which another may have paid.
      if v_status is distinct from 'succeeded' or p_object -> 'captured' = 'false' then
        return;
      end if;
      reference_id := coalesce(app.stripe_id(p_object -> 'payment_intent'), reference_id);
      v_amount := coalesce((p_object ->> 'amount_captured')::bigint, v_amount);
    else
      v_amount := case v_status when 'succeeded' then (p_object ->> 'amount_received')::bigint else 0 end;
    end if;
    type := 'INCOME';
    amount_cents := v_amount;
    return next;
    type := 'PLATFORM_FEE';
    amount_cents := case when v_amount > 0 then -coalesce((p_object ->> 'application_fee_amount')::bigint, 0) else 0 end;
    return next;
  elsif v_kind = 'refund' then
    type := 'REFUND';
    amount_cents := case v_status when 'succeeded' then -v_amount else 0 end;
    return next;
  elsif v_kind = 'payout' then
    type := 'PAYOUT';
    amount_cents := case v_status when 'paid' then -v_amount else 0 end;
    return next;
  elsif v_kind = 'fee_refund' then
    type := 'PLATFORM_FEE';
    amount_cents := v_amount;
    return next;
  elsif v_kind = 'invoice' then
    type := 'INCOME';
    amount_cents := case v_status when 'paid' then (p_object ->> 'amount_paid')::bigint else 0 end;
    return next;
  elsif v_kind = 'checkout.session' then
    type := 'INCOME';
    amount_cents := case p_object ->> 'payment_status' when 'paid' then (p_object ->> 'amount_total')::bigint else 0 end;
    return next;
  elsif v_kind = 'dispute' then
    -- Taken when there is a movement out, given back when there is one in.
    type := 'ADJUSTMENT';
    select v_amount * (count(*) filter (where (t.value ->> 'amount')::bigint > 0)
                       - count(*) filter (where (t.value ->> 'amount')::bigint < 0))
      into amount_cents
      from jsonb_array_elements(v_parts) as t;
    return next;
    type := 'FEE';
    for amount_cents, currency in
      select -sum((t.value ->> 'fee')::bigint), lower(t.value ->> 'currency')
        from jsonb_array_elements(v_parts) as t group by lower(t.value ->> 'currency')
    loop
      return next;
    end loop;
  end if;
end;
$$;
comment on function app.stripe_lines(jsonb) is
  'What the books should hold of an object as Stripe shows it: what its events, all of them, come to (a reversal included). '
  'Amounts as in money_events. Sources: https://docs.stripe.com/api/charges/object, /refunds/object, /payouts/object, '
  '/disputes/object, /fee_refunds/object';
revoke all on function app.stripe_lines(jsonb) from public, anon, authenticated, service_role;
