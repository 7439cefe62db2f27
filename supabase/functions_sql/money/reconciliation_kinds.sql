create or replace function app.reconciliation_kinds() returns text[]
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return '{not_in_books,differs_from_stripe,unknown_to_stripe}';
end;
$$;
comment on function app.reconciliation_kinds() is
  'The kinds of findings, one an object, that comparing the books with Stripe can make: app.stripe_discrepancies().';
revoke all on function app.reconciliation_kinds() from public, anon, authenticated, service_role;
