-- The constraint of the migration before, for the rows that were there already.
set lock_timeout = '5s';

alter table app.webhook_events validate constraint webhook_events_status_check;
