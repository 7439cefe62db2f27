create or replace function app.apply_payout(p_org_id uuid, p_payout jsonb, p_at timestamptz, p_event_type text)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_payout ->> 'id';
  v_paid app.stripe_facts;
  v_failed app.stripe_facts;
begin
  perform app.lock_stripe_object(p_org_id, v_id);
  perform app.note_stripe_fact(
    p_org_id, v_id, case p_event_type when 'payout.paid' then 'payout_paid' else 'payout_failed' end, p_at,
    (p_payout ->> 'amount')::bigint, p_payout ->> 'currency'
  );
  select f.* into v_paid
    from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_paid';
  if found then
    perform app.book_stripe(p_org_id, 'PAYOUT', v_id, v_paid.happened_at, -v_paid.amount_cents, v_paid.currency);
    -- Which payments it paid out no event carries: Stripe is asked.
    insert into app.stripe_payments (org_id, payment_key, lookup_at)
    values (p_org_id, v_id, v_paid.happened_at)
    on conflict (org_id, payment_key) do nothing;
    select f.* into v_failed
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_failed';
    if found then
      perform app.book_stripe(
        p_org_id, 'PAYOUT', v_id || ':reversal', v_failed.happened_at, v_paid.amount_cents, v_paid.currency
      );
    end if;
  end if;
  return 'applied';
end;
$$;
comment on function app.apply_payout(uuid, jsonb, timestamptz, text) is
  'A payout to the org''s bank is booked once when paid, and booked back once when it fails after that, as the bank may '
  'still return it. Source: https://docs.stripe.com/payouts#payout-failures';
revoke all on function app.apply_payout(uuid, jsonb, timestamptz, text) from public, anon, authenticated, service_role;
