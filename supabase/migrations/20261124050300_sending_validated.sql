-- The constraints of the migration before, for the rows that were there already.
set lock_timeout = '5s';

alter table public.sms_messages
  validate constraint sms_messages_attempts_check,
  validate constraint sms_messages_reconcile_unknown_check;
