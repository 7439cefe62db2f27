create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event -> 'data' -> 'object';
  v_at timestamptz;
begin
  if not app.is_booked_event(v_type) then
    return 'ignored';
  end if;
  v_at := to_timestamp((p_event ->> 'created')::bigint);
  if v_at is null or jsonb_typeof(v_object -> 'id') is distinct from 'string' then
    raise exception using errcode = 'PT422', message = 'event_incomplete',
      hint = 'An event says when it was made, and its object has an id.';
  end if;
  return case
    when v_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded')
      then app.apply_checkout_session(p_org_id, v_object, v_at)
    when v_type = 'payment_intent.succeeded' then app.apply_payment_intent(p_org_id, v_object, v_at)
    when v_type in ('charge.succeeded', 'charge.captured') then app.apply_charge(p_org_id, v_object, v_at)
    when v_type = 'charge.refunded' then app.apply_charge_refunds(p_org_id, v_object, v_at)
    when v_type in ('refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated')
      then app.apply_refund(p_org_id, v_object, v_at)
    when v_type like 'charge.dispute.%' then app.apply_dispute(p_org_id, v_object, v_at, v_type)
    when v_type in ('invoice.paid', 'invoice.payment_succeeded') then app.apply_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice.payment_failed' then app.apply_failed_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice_payment.paid' then app.apply_invoice_payment(p_org_id, v_object, v_at)
    when v_type like 'customer.subscription.%' and v_object ->> 'object' = 'subscription'
      then app.apply_subscription(p_org_id, v_object, v_at)
    when v_type in ('payout.paid', 'payout.failed') then app.apply_payout(p_org_id, v_object, v_at, v_type)
    when v_type = 'application_fee.refunded' then app.apply_fee_refunds(p_org_id, v_object, v_at)
    when v_type = 'account.updated' then app.apply_account(p_org_id, v_object, v_at)
    -- The event's object is our application.
    when v_type = 'account.application.deauthorized'
      then app.apply_disconnection(p_org_id, p_event ->> 'account', v_at)
    else 'ignored'
  end;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its object. Returns applied, or ignored when it changes nothing here. The books '
  'end the same for every order in which the events come, and however often. Raises PT422 event_incomplete and what those '
  'functions raise. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
