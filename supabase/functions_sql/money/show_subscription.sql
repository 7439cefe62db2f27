create or replace function app.show_subscription(p_org_id uuid, p_client_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.subscriptions as r (
    org_id, client_id, offer_id, stripe_customer_id, stripe_subscription_id, status, price_cents
  )
  select s.org_id, s.client_id, s.offer_id, s.customer_id, s.subscription_id, t.status, s.price_cents
    from app.stripe_subscriptions as s
   cross join lateral (
           select case
             when s.object_status is null then coalesce(s.inferred_status, 'none')
             when s.object_status = 'canceled' or s.inferred_at is null or s.inferred_at <= s.object_at
             then s.object_status
             else s.inferred_status
           end as status
         ) as t
   where s.org_id = p_org_id and s.client_id = p_client_id
   -- One that runs before one that ended, the newest before an older one.
   order by t.status in ('active', 'past_due') desc, coalesce(s.started_at, s.first_seen_at) desc, s.subscription_id desc
   limit 1
  on conflict (org_id, client_id) do update
     set offer_id = coalesce(excluded.offer_id, r.offer_id),
         stripe_customer_id = coalesce(excluded.stripe_customer_id, r.stripe_customer_id),
         stripe_subscription_id = excluded.stripe_subscription_id,
         status = excluded.status,
         price_cents = coalesce(excluded.price_cents, r.price_cents)
   where (r.stripe_subscription_id, r.status) is distinct from (excluded.stripe_subscription_id, excluded.status)
      or excluded.offer_id <> r.offer_id or (r.offer_id is null and excluded.offer_id is not null)
      or excluded.stripe_customer_id is distinct from r.stripe_customer_id
      or excluded.price_cents is distinct from r.price_cents;
end;
$$;
comment on function app.show_subscription(uuid, uuid) is
  'Writes the one subscription that public.subscriptions shows for a client: of those Stripe told of, one that runs, else '
  'the newest. A canceled one stays so, whatever its invoices say later.';
revoke all on function app.show_subscription(uuid, uuid) from public, anon, authenticated, service_role;
