-- The constraint of the migration before, for the rows that were there already.
set lock_timeout = '5s';

alter table app.stripe_facts validate constraint stripe_facts_fact_check;
