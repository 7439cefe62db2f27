-- The constraints of the migration before, for the rows that were there already.
set lock_timeout = '5s';

alter table public.automations validate constraint automations_due_check;
alter table public.automation_runs validate constraint automation_runs_status_check;
alter table public.automation_runs validate constraint automation_runs_ok_check;
alter table public.automation_runs validate constraint automation_runs_waiting_check;
alter table public.automation_runs validate constraint automation_runs_pending_check;
alter table public.automation_runs validate constraint automation_runs_sending_check;
