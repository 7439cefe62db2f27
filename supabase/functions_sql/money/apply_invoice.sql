create or replace function app.apply_invoice(p_org_id uuid, p_invoice jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_invoice ->> 'id';
  v_subscription_id text := app.subscription_of_invoice(p_invoice);
  v_client_id uuid := app.client_of_stripe(p_org_id, p_invoice);
  v_amount bigint := (p_invoice ->> 'amount_paid')::bigint;
  v_listed jsonb := p_invoice -> 'payments' -> 'data';
  v_part jsonb;
  v_key text;
begin
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  if v_subscription_id is not null then
    perform app.note_subscription(
      p_org_id, v_subscription_id, p_at,
      app.client_of_stripe(p_org_id, p_invoice -> 'parent' -> 'subscription_details'),
      app.stripe_id(p_invoice -> 'customer'), p_inferred_status => 'active'
    );
  end if;
  if v_amount = 0 or p_invoice -> 'paid_out_of_band' = 'true' then
    return 'applied';  -- no money came through Stripe
  end if;
  if jsonb_typeof(v_listed) = 'array' then
    for v_part in select l.value from jsonb_array_elements(v_listed) as l loop
      v_key := coalesce(
        app.stripe_id(v_part -> 'payment' -> 'payment_intent'), app.stripe_id(v_part -> 'payment' -> 'charge')
      );
      -- A payment record is money that went another way.
      if v_key is not null and coalesce(v_part ->> 'status', 'paid') = 'paid' then
        perform app.note_payment(
          p_org_id, v_key, p_at, coalesce((v_part ->> 'amount_paid')::bigint, v_amount), p_invoice ->> 'currency',
          v_client_id, app.stripe_id(v_part -> 'payment' -> 'charge'), v_id,
          p_subscription_id => v_subscription_id
        );
      end if;
    end loop;
    if jsonb_array_length(v_listed) = 0 then
      v_key := v_id;
    end if;
  elsif p_invoice ?| '{payment_intent,charge}' then
    v_key := coalesce(app.stripe_id(p_invoice -> 'payment_intent'), app.stripe_id(p_invoice -> 'charge'), v_id);
  end if;
  if jsonb_typeof(v_listed) is distinct from 'array' and v_key is not null or v_key = v_id then
    perform app.note_payment(
      p_org_id, v_key, p_at, v_amount, p_invoice ->> 'currency', v_client_id,
      app.stripe_id(p_invoice -> 'charge'), v_id, p_subscription_id => v_subscription_id
    );
  end if;
  -- Also where another event said which payments it has: what they did not know, they do now.
  insert into app.stripe_payments as p (org_id, payment_key, invoice_id, subscription_id, client_id, lookup_at)
  values (
    p_org_id, v_id, v_id, v_subscription_id,
    coalesce(v_client_id, (
      select s.client_id from app.stripe_subscriptions as s
       where s.org_id = p_org_id and s.subscription_id = v_subscription_id
    )),
    case when jsonb_typeof(v_listed) is distinct from 'array' and v_key is null and not exists (
      select from app.stripe_payments as k
       where k.org_id = p_org_id and k.invoice_id = v_id and k.payment_key <> v_id
    ) then p_at end
  )
  on conflict (org_id, payment_key) do update
     set subscription_id = coalesce(p.subscription_id, excluded.subscription_id),
         client_id = coalesce(p.client_id, excluded.client_id),
         lookup_at = case when jsonb_typeof(v_listed) = 'array' or v_key is not null then null else p.lookup_at end;
  for v_key in
    select p.payment_key from app.stripe_payments as p
     where p.org_id = p_org_id and p.invoice_id = v_id and p.payment_key <> v_id
     order by p.payment_key
  loop
    perform app.note_payment(
      p_org_id, v_key, p_client_id => v_client_id, p_subscription_id => v_subscription_id
    );
  end loop;
  return 'applied';
end;
$$;
comment on function app.apply_invoice(uuid, jsonb, timestamptz) is
  'A paid invoice is as many payments as it lists, each by its payment intent; one of an API version before 2025-03-31 '
  'names its intent or charge, and without either is a payment itself. The events of later versions list none: which '
  'they are is told by invoice_payment.paid, or asked for by the worker (app.fees_to_fetch()). Its subscription runs. '
  'Source: https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices';
revoke all on function app.apply_invoice(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
