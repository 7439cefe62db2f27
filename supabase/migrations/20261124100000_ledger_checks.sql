-- One check in place of five, with the same promises: app.ledger_entry_is_sound() says why.
set lock_timeout = '5s';

alter table public.session_ledger
  -- What they promised, the new one does.
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_entry_type_check,
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_sessions_used_after_check,
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_delta_check,
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_total_delta_check,
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_booking_entries_alternate,
  add constraint session_ledger_entry_is_sound check (app.ledger_entry_is_sound(session_ledger)) not valid;
