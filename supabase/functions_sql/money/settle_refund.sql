create or replace function app.settle_refund(
  p_refund_id uuid, p_stripe_refund_id text, p_status text, p_now timestamptz
)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- A refund that failed stays failed, whatever arrives after: https://docs.stripe.com/refunds#failed-refunds
  update app.refunds as r
     set status = p_status, stripe_refund_id = coalesce(p_stripe_refund_id, r.stripe_refund_id), settled_at = p_now
   where r.id = p_refund_id and r.status <> 'failed' and r.status <> p_status;
end;
$$;
comment on function app.settle_refund(uuid, text, text, timestamptz) is
  'Notes what became of a refund that was asked for: sent (Stripe has it, under p_stripe_refund_id) or failed (no money '
  'went, what was left of the payment is left again). Idempotent; for Stripe''s answer and its later events.';
revoke all on function app.settle_refund(uuid, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_refund(uuid, text, text, timestamptz) to coach_os_sidecar;
