create or replace function app.apply_refund(p_org_id uuid, p_refund jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_refund ->> 'id';
  v_charge_id text := app.stripe_id(p_refund -> 'charge');
  v_payment_key text := coalesce(app.stripe_id(p_refund -> 'payment_intent'), v_charge_id, v_id);
  v_status text := p_refund ->> 'status';
  v_payment app.stripe_payments;
  v_given app.stripe_facts;
  v_failed app.stripe_facts;
begin
  if coalesce(v_status, '') not in ('succeeded', 'failed', 'canceled') then
    return 'ignored';
  end if;
  v_payment := app.note_payment(p_org_id, v_payment_key, p_charge_id => v_charge_id);
  perform app.note_stripe_fact(
    p_org_id, v_id, case v_status when 'succeeded' then 'refund_succeeded' else 'refund_failed' end,
    case v_status when 'succeeded' then coalesce(to_timestamp((p_refund ->> 'created')::bigint), p_at) else p_at end,
    (p_refund ->> 'amount')::bigint, p_refund ->> 'currency', v_payment_key
  );
  select f.* into v_given
    from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'refund_succeeded';
  if found then
    perform app.book_stripe(
      p_org_id, 'REFUND', v_id, v_given.happened_at, -v_given.amount_cents, v_given.currency, v_payment.client_id,
      v_payment_key, v_payment.invoice_id
    );
    select f.* into v_failed
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'refund_failed';
    if found then
      perform app.book_stripe(
        p_org_id, 'REFUND', v_id || ':reversal', v_failed.happened_at, v_given.amount_cents, v_given.currency,
        v_payment.client_id, v_payment_key, v_payment.invoice_id
      );
    end if;
  end if;
  perform app.settle_refund(
    r.id, v_id, case when bool_or(f.fact = 'refund_failed') then 'failed' else 'sent' end, p_at
  )
    from app.refunds as r, app.stripe_facts as f
   where r.id = app.id_in_metadata(p_refund, 'refund_id') and r.org_id = p_org_id
     and f.org_id = p_org_id and f.object_id = v_id
   group by r.id;
  perform app.settle_stripe_pack(p_org_id, v_payment_key);
  return 'applied';
end;
$$;
comment on function app.apply_refund(uuid, jsonb, timestamptz) is
  'A succeeded refund is booked once, by its own amount; one that fails after that is booked back once. Pending ones '
  'wait, one that failed without having succeeded moved nothing. Source: https://docs.stripe.com/api/refunds/object, '
  'https://docs.stripe.com/refunds#failed-refunds';
revoke all on function app.apply_refund(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
