-- The counter no longer follows the entry, the entry follows the counter: app.write_ledger_entry() writes one for every
-- change. Until the functions of the next migration are there, using a session fails; nothing is counted twice.
set lock_timeout = '5s';

drop trigger session_ledger_apply on public.session_ledger;
-- squawk-ignore ban-drop-function
drop function app.apply_ledger_entry();
-- dropped functions_sql/sessions/apply_ledger_entry.sql
drop trigger client_purchases_record_direct_change on public.client_purchases;
-- squawk-ignore ban-drop-function
drop function app.record_direct_change();
-- dropped functions_sql/sessions/record_direct_change.sql
-- squawk-ignore ban-drop-function
drop function app.take_session(uuid, uuid, timestamptz);

-- An entry's org is its pack's, and its booking was found in that org under a lock.
drop trigger session_ledger_same_org on public.session_ledger;
alter table public.session_ledger
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_org_id_fkey;
comment on column public.session_ledger.org_id is
  'The org of its pack. No foreign key: that of the pack says it, and to share the org''s row with every other session used costs more than the rest.';
