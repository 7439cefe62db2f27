create or replace function app.session_discrepancies()
  returns table (purchase_id uuid, sessions_used integer, ledger_sum bigint)
  language sql stable security definer set search_path = ''
as $$
  select p.id, p.sessions_used, coalesce(sum(l.delta), 0)
    from public.client_purchases as p
    left join public.session_ledger as l on l.purchase_id = p.id
   group by p.id
  having p.sessions_used <> coalesce(sum(l.delta), 0);
$$;
comment on function app.session_discrepancies() is
  'Packs whose counter is not the sum of their ledger entries. Always empty; anything else is a bug.';
revoke all on function app.session_discrepancies() from public, anon, authenticated, service_role;
grant execute on function app.session_discrepancies() to coach_os_sidecar, coach_os_worker;
