create or replace function app.note_payment(
  p_org_id uuid, p_payment_key text, p_paid_at timestamptz default null, p_amount_cents bigint default null,
  p_currency text default null, p_client_id uuid default null, p_charge_id text default null,
  p_invoice_id text default null, p_checkout_session_id text default null, p_subscription_id text default null,
  p_application_fee_cents bigint default null
) returns app.stripe_payments
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_payment app.stripe_payments;
begin
  if p_paid_at is not null and (p_amount_cents is null or p_currency is null) then
    raise exception using errcode = 'PT422', message = 'payment_incomplete',
      hint = 'A payment that is paid has an amount and a currency.';
  end if;
  perform app.lock_stripe_object(p_org_id, p_payment_key);
  insert into app.stripe_payments as p (
    org_id, payment_key, paid_at, amount_cents, currency, client_id, charge_id, invoice_id, checkout_session_id,
    subscription_id, application_fee_cents, lookup_at
  )
  values (
    p_org_id, p_payment_key, p_paid_at, p_amount_cents, lower(p_currency),
    coalesce(p_client_id, (
      select s.client_id from app.stripe_subscriptions as s
       where s.org_id = p_org_id and s.subscription_id = p_subscription_id
    )),
    p_charge_id, p_invoice_id, p_checkout_session_id, p_subscription_id, p_application_fee_cents,
    -- Only what was charged has a balance transaction to ask for.
    case when p_amount_cents > 0 and p_payment_key ~ '^(pi|ch|py)_' then p_paid_at end
  )
  on conflict (org_id, payment_key) do update
     set paid_at = least(p.paid_at, excluded.paid_at),
         amount_cents = coalesce(p.amount_cents, excluded.amount_cents),
         currency = coalesce(p.currency, excluded.currency),
         client_id = coalesce(p.client_id, excluded.client_id),
         charge_id = coalesce(p.charge_id, excluded.charge_id),
         invoice_id = coalesce(p.invoice_id, excluded.invoice_id),
         checkout_session_id = coalesce(p.checkout_session_id, excluded.checkout_session_id),
         subscription_id = coalesce(p.subscription_id, excluded.subscription_id),
         application_fee_cents = greatest(p.application_fee_cents, excluded.application_fee_cents),
         lookup_at = case when p.paid_at is null then excluded.lookup_at else p.lookup_at end
  returning p.* into v_payment;
  perform app.book_payment(v_payment);
  perform app.place_fee_refunds(v_payment);
  if v_payment.client_id is not null or v_payment.invoice_id is not null then
    -- A refund or dispute that came before who paid, or for what, was known.
    update public.money_events as e
       set client_id = coalesce(e.client_id, v_payment.client_id),
           stripe_invoice_id = coalesce(e.stripe_invoice_id, v_payment.invoice_id)
      from app.stripe_facts as f
     where f.org_id = p_org_id and f.payment_key = p_payment_key
       and e.org_id = p_org_id and e.source = 'stripe' and e.type in ('REFUND', 'ADJUSTMENT', 'FEE')
       and e.reference_id in (f.object_id, f.object_id || ':reversal')
       and (e.client_id is null and v_payment.client_id is not null
            or e.stripe_invoice_id is null and v_payment.invoice_id is not null);
  end if;
  v_payment.taken_back := app.settle_stripe_pack(p_org_id, p_payment_key);
  return v_payment;
end;
$$;
comment on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) is
  'Adds what an event knows to what is known of a payment, and books it once it is paid (p_paid_at: when the event was '
  'made). What is known is never overwritten, the instant is the earliest: the same for every order of the events. Raises '
  'PT422 payment_incomplete.';
revoke all on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) from public, anon, authenticated, service_role;
