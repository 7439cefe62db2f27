create or replace function app.begin_refund(
  p_user_id uuid, p_purchase_id uuid, p_amount_cents bigint, p_reason text, p_request_key text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_refund app.refunds;
  v_account_id text;
  v_left bigint;
begin
  if p_amount_cents <= 0 then
    raise exception using errcode = 'PT400', message = 'amount_invalid',
      hint = 'A refund is a whole number of cents, at least 1; leave it out to refund all that is left.';
  end if;
  if p_reason not in ('duplicate', 'fraudulent', 'requested_by_customer') then
    raise exception using errcode = 'PT400', message = 'reason_invalid',
      hint = 'The reason is duplicate, fraudulent or requested_by_customer.';
  end if;
  if length(p_request_key) not between 1 and 255 then
    raise exception using errcode = 'PT400', message = 'idempotency_key_invalid',
      hint = 'An Idempotency-Key has 1 to 255 characters.';
  end if;
  -- Requests for one purchase stand in line here. Another org's purchase looks like one that does not exist.
  select p.* into v_purchase
    from public.client_purchases as p
    join public.org_members as m on m.org_id = p.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where p.id = p_purchase_id
     for no key update of p;
  if not found then
    raise exception using errcode = 'PT404', message = 'purchase_not_found',
      hint = 'Choose a purchase of your own business.';
  end if;

  if p_request_key is not null then
    select r.* into v_refund
      from app.refunds as r where r.org_id = v_purchase.org_id and r.request_key = p_request_key;
    if found and (v_refund.purchase_id, v_refund.asked_cents, v_refund.reason)
                 is distinct from (p_purchase_id, p_amount_cents, p_reason) then
      raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
        hint = 'This Idempotency-Key was sent with another refund; use a new one.';
    end if;
  else
    -- A second click is the same refund, and so is a retry of one whose answer was lost, however late.
    select r.* into v_refund
      from app.refunds as r
     where r.purchase_id = p_purchase_id and r.asked_cents is not distinct from p_amount_cents
       and r.request_key is null
       and (r.status = 'requested' or (r.status = 'sent' and r.created_at > p_now - interval '10 minutes'))
     order by r.created_at desc limit 1;
  end if;
  if v_refund.id is not null and v_refund.status <> 'requested' then
    return to_jsonb(v_refund);
  end if;
  if v_refund.id is not null then
    -- Stripe forgets an idempotency key after a day; asked again then, it would refund a second time.
    if v_refund.created_at <= p_now - interval '23 hours' then
      raise exception using errcode = 'PT409', message = 'refund_unsettled',
        hint = 'An earlier refund got no answer from Stripe; see in Stripe''s dashboard whether it was made.';
    end if;
    return to_jsonb(v_refund);
  end if;

  if v_purchase.stripe_payment_intent_id is null then
    raise exception using errcode = 'PT409', message = 'not_paid_through_stripe',
      hint = 'Only a payment through Stripe can be refunded here; give the money back by hand and set the status.';
  end if;
  select a.stripe_account_id into v_account_id from public.stripe_accounts as a where a.org_id = v_purchase.org_id;
  if not found then
    raise exception using errcode = 'PT503', message = 'stripe_not_connected',
      hint = 'Connect the Stripe account that took the payment first.';
  end if;
  -- What we asked for, and what was refunded in Stripe's own dashboard and is in the books.
  v_left := v_purchase.amount_paid_cents
    - coalesce((select sum(r.amount_cents) from app.refunds as r
                 where r.purchase_id = p_purchase_id and r.status <> 'failed'), 0)
    + coalesce((select sum(e.amount_cents) from public.money_events as e
                 where e.org_id = v_purchase.org_id and e.client_id = v_purchase.client_id
                   and e.stripe_payment_intent_id = v_purchase.stripe_payment_intent_id and e.type = 'REFUND'
                   and not exists (select from app.refunds as r where r.stripe_refund_id = split_part(e.reference_id, ':', 1))),
               0);
  if v_left <= 0 or p_amount_cents > v_left then
    raise exception using errcode = 'PT409', message = 'refund_exceeds_payment',
      hint = 'Less than that is left of the payment.';
  end if;
  insert into app.refunds (
    org_id, purchase_id, request_key, asked_cents, amount_cents, currency, reason, stripe_account_id,
    stripe_payment_intent_id, refund_application_fee, created_at
  )
  values (
    v_purchase.org_id, p_purchase_id, p_request_key, p_amount_cents, coalesce(p_amount_cents, v_left),
    v_purchase.currency, p_reason, v_account_id, v_purchase.stripe_payment_intent_id,
    -- Stripe refuses to give back a share that was never taken.
    coalesce((select s.application_fee_cents > 0 from app.stripe_payments as s
               where s.org_id = v_purchase.org_id and s.payment_key = v_purchase.stripe_payment_intent_id),
             (select c.application_fee_cents > 0 from app.checkouts as c
               where c.stripe_session_id = v_purchase.stripe_checkout_session_id), true),
    p_now
  )
  -- One purchase's requests wait for each other, those of two with one key do not.
  on conflict (org_id, request_key) do nothing
  returning * into v_refund;
  if not found then
    raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
      hint = 'This Idempotency-Key was sent with another refund; use a new one.';
  end if;
  return to_jsonb(v_refund);
end;
$$;
comment on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) is
  'Records that an owner or staff member (p_user_id, verified by the caller) refunds a payment through Stripe, or part '
  'of it (p_amount_cents null: all that is left), and returns the row of app.refunds, whose id is Stripe''s idempotency '
  'key; status requested: Stripe has to be asked. Never more than is left, one request at a time. The same request is '
  'the same refund: with a p_request_key for good, without one within 10 minutes, or as long as Stripe''s answer is '
  'missing. Books nothing: Stripe''s events do. Raises PT400 amount_invalid, reason_invalid, idempotency_key_invalid; '
  'PT404 purchase_not_found; PT409 idempotency_key_reused, not_paid_through_stripe, refund_exceeds_payment, '
  'refund_unsettled; PT503 stripe_not_connected.';
revoke all on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) to coach_os_sidecar;
