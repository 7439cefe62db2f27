-- The constraints of the migration before, for the rows that were there already.
set lock_timeout = '5s';

alter table public.bookings validate constraint bookings_uncovered_reason_check;
alter table public.bookings validate constraint bookings_times_are_finite;
alter table public.bookings validate constraint bookings_last_a_day_at_most;
alter table public.booking_settings validate constraint booking_settings_late_cancel_check;
alter table public.client_purchases validate constraint client_purchases_used_of_a_total;
alter table public.session_ledger validate constraint session_ledger_delta_check;
alter table public.session_ledger validate constraint session_ledger_booking_entries_alternate;
alter table public.session_ledger validate constraint session_ledger_total_delta_check;
