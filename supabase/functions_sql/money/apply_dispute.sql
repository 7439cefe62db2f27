create or replace function app.apply_dispute(p_org_id uuid, p_dispute jsonb, p_at timestamptz, p_event_type text)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_dispute ->> 'id';
  v_charge_id text := app.stripe_id(p_dispute -> 'charge');
  v_payment_key text := coalesce(app.stripe_id(p_dispute -> 'payment_intent'), v_charge_id, v_id);
  v_status text := coalesce(p_dispute ->> 'status', '');
  v_amount bigint := (p_dispute ->> 'amount')::bigint;
  v_currency text := lower(p_dispute ->> 'currency');
  v_facts text[] := '{}';
  v_fact text;
  v_payment app.stripe_payments;
  v_moved app.stripe_facts;
  v_reference text;
  v_transaction record;
begin
  -- An inquiry is a question of the bank's; no money moves. https://docs.stripe.com/disputes/how-disputes-work#inquiries
  if v_status like 'warning\_%' then
    return 'ignored';
  end if;
  if p_event_type = 'charge.dispute.funds_withdrawn' then
    v_facts := v_facts || 'dispute_withdrawn'::text;
  elsif p_event_type = 'charge.dispute.funds_reinstated' then
    v_facts := v_facts || 'dispute_reinstated'::text;
  end if;
  if v_status in ('lost', 'won') then
    v_facts := v_facts || ('dispute_' || v_status);
  end if;
  if v_facts = '{}' then
    return 'ignored';
  end if;
  v_payment := app.note_payment(p_org_id, v_payment_key, p_charge_id => v_charge_id);
  foreach v_fact in array v_facts loop
    perform app.note_stripe_fact(p_org_id, v_id, v_fact, p_at, v_amount, v_currency, v_payment_key);
  end loop;
  v_reference := case p_event_type
    when 'charge.dispute.funds_withdrawn' then v_id
    when 'charge.dispute.funds_reinstated' then v_id || ':reversal'
  end;
  if v_reference is not null then
    select f.* into v_moved
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = v_facts[1];
    perform app.book_stripe(
      p_org_id, 'ADJUSTMENT', v_reference, v_moved.happened_at,
      case v_reference when v_id then -v_moved.amount_cents else v_moved.amount_cents end, v_moved.currency,
      v_payment.client_id, v_payment_key, v_payment.invoice_id
    );
    if jsonb_typeof(p_dispute -> 'balance_transactions') = 'array' then
      -- The first takes the money, the second gives it back; each may carry a fee, or give one back.
      for v_transaction in
        select sum((t.value ->> 'fee')::bigint)::bigint as fee, lower(t.value ->> 'currency') as currency
          from jsonb_array_elements(p_dispute -> 'balance_transactions') as t
         where case v_reference when v_id then (t.value ->> 'amount')::bigint < 0
                                else (t.value ->> 'amount')::bigint > 0 end
         group by lower(t.value ->> 'currency')
      loop
        perform app.book_stripe(
          p_org_id, 'FEE', v_reference, v_moved.happened_at, -v_transaction.fee, v_transaction.currency,
          v_payment.client_id, v_payment_key, v_payment.invoice_id
        );
      end loop;
    end if;
  end if;
  perform app.settle_stripe_pack(p_org_id, v_payment_key);
  return 'applied';
end;
$$;
comment on function app.apply_dispute(uuid, jsonb, timestamptz, text) is
  'A dispute takes money once (ADJUSTMENT, when the funds are withdrawn) and gives it back once (when they are '
  'reinstated); its fee is a FEE of its own. An inquiry (warning_…) moves nothing. Source: '
  'https://docs.stripe.com/api/disputes/object';
revoke all on function app.apply_dispute(uuid, jsonb, timestamptz, text) from public, anon, authenticated, service_role;
