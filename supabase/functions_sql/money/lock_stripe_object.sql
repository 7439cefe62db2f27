create or replace function app.lock_stripe_object(p_org_id uuid, p_object text) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_org_id::text || ' ' || p_object, 0));
end;
$$;
comment on function app.lock_stripe_object(uuid, text) is
  'Events about one object of an org''s Stripe account are applied one after the other, until the transaction ends. An '
  'event takes subscriptions before a payment, and one payment only; who takes more limits how long it waits.';
revoke all on function app.lock_stripe_object(uuid, text) from public, anon, authenticated, service_role;
