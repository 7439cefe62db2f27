-- From 20261124000100 to 20261124000101 no trigger told of a counter that somebody edited: it is told now. By then that
-- trigger's own lock has waited for every such edit.
set lock_timeout = '5s';

alter table public.session_ledger disable trigger session_ledger_by_counter_only;
insert into public.session_ledger (org_id, purchase_id, entry_type, delta, sessions_used_after, reason)
select p.org_id, p.id, 'adjustment', p.sessions_used - d.ledger_sum, p.sessions_used, 'edited_during_migration'
  from app.session_discrepancies() as d
  join public.client_purchases as p on p.id = d.purchase_id;
alter table public.session_ledger enable trigger session_ledger_by_counter_only;
