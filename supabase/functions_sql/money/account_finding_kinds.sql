create or replace function app.account_finding_kinds() returns text[]
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return '{account_access_lost,key_of_other_mode,stripe_unavailable}';
end;
$$;
comment on function app.account_finding_kinds() is
  'The kinds of findings that say that an account could not be compared with Stripe: app.reconciliation_failed().';
revoke all on function app.account_finding_kinds() from public, anon, authenticated, service_role;
