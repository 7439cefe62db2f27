create or replace function app.note_stripe_fact(
  p_org_id uuid, p_object_id text, p_fact text, p_at timestamptz, p_amount_cents bigint, p_currency text,
  p_payment_key text default null
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.stripe_facts as f (org_id, object_id, fact, happened_at, amount_cents, currency, payment_key)
  values (p_org_id, p_object_id, p_fact, p_at, p_amount_cents, lower(p_currency), p_payment_key)
  on conflict (org_id, object_id, fact) do update
     set happened_at = least(f.happened_at, excluded.happened_at);
end;
$$;
comment on function app.note_stripe_fact(uuid, text, text, timestamptz, bigint, text, text) is
  'Keeps that something happened to a Stripe object, once, at the earliest instant that an event gave.';
revoke all on function app.note_stripe_fact(uuid, text, text, timestamptz, bigint, text, text)
  from public, anon, authenticated, service_role;
