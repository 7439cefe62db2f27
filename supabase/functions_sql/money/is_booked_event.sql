create or replace function app.is_booked_event(p_type text) returns boolean
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return p_type in (
    'checkout.session.completed', 'checkout.session.async_payment_succeeded', 'payment_intent.succeeded',
    'charge.succeeded', 'charge.captured', 'charge.refunded', 'refund.created', 'refund.updated', 'refund.failed',
    'charge.refund.updated', 'invoice.paid', 'invoice.payment_succeeded', 'invoice.payment_failed',
    'invoice_payment.paid', 'payout.paid', 'payout.failed', 'account.updated',
    'account.application.deauthorized', 'application_fee.refunded'
  ) or p_type like 'charge.dispute.%' or p_type like 'customer.subscription.%';
end;
$$;
comment on function app.is_booked_event(text) is
  'Whether events of this type can change anything here: those that app.apply_stripe_event() has a function for, and that '
  'the webhook endpoint is to be sent. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.is_booked_event(text) from public, anon, authenticated, service_role;
