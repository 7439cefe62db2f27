create or replace function app.settle_stripe_pack(p_org_id uuid, p_payment_key text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_payment app.stripe_payments;
  v_taken_back boolean;
begin
  select p.* into v_payment
    from app.stripe_payments as p where p.org_id = p_org_id and p.payment_key = p_payment_key;
  with objects as (
    select f.object_id, max(f.amount_cents) as amount_cents,
           bool_or(f.fact = 'refund_succeeded') and not bool_or(f.fact = 'refund_failed') as refunded,
           bool_or(f.fact in ('dispute_withdrawn', 'dispute_lost'))
             and not bool_or(f.fact in ('dispute_reinstated', 'dispute_won')) as disputed
      from app.stripe_facts as f
     where f.org_id = p_org_id and f.payment_key = p_payment_key
     group by f.object_id
  )
  select coalesce(bool_or(o.disputed), false)
         or coalesce(v_payment.amount_cents > 0
                     and sum(o.amount_cents) filter (where o.refunded) >= v_payment.amount_cents, false)
    into v_taken_back
    from objects as o;
  if v_taken_back = v_payment.taken_back then
    return v_taken_back;
  end if;
  update app.stripe_payments as p
     set taken_back = v_taken_back
   where p.org_id = p_org_id and p.payment_key = p_payment_key;
  update public.client_purchases as p
     set payment_status = case when v_taken_back then 'refunded' else 'succeeded' end
   where p.org_id = p_org_id
     and (p.stripe_payment_intent_id = p_payment_key
          or (p.stripe_payment_intent_id is null and p.stripe_checkout_session_id = v_payment.checkout_session_id))
     and p.payment_status = case when v_taken_back then 'succeeded' else 'refunded' end;
  return v_taken_back;
end;
$$;
comment on function app.settle_stripe_pack(uuid, text) is
  'A pack whose payment was refunded in full, or taken by a dispute, is refunded: what is used stays used, the rest pays '
  'for nothing any more. It is paid again when a refund failed or the dispute was won. A partial refund changes no '
  'session. Acts only when that changes: what a coach sets by hand stays. '
  'Returns whether it is taken back.';
revoke all on function app.settle_stripe_pack(uuid, text) from public, anon, authenticated, service_role;
