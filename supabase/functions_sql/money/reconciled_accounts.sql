create or replace function app.reconciled_accounts() returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query select r.account_id from app.reconciliations as r order by r.account_id = 'platform', r.account_id;
end;
$$;
comment on function app.reconciled_accounts() is
  'Every account whose money is compared with Stripe, for app.claim_reconciliation(); the platform''s own last.';
revoke all on function app.reconciled_accounts() from public, anon, authenticated, service_role;
grant execute on function app.reconciled_accounts() to coach_os_worker;
