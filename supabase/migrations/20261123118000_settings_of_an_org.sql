-- What an org's settings rows take from elsewhere: the time zone from the org, the sender of texts from the platform.
set lock_timeout = '5s';

-- Inserted without a zone, a row took 'Australia/Brisbane' and made it the org's. '' is never stored: a trigger puts the
-- org's own zone in its place (app.take_org_timezone).
alter table public.booking_settings alter column timezone set default '';
alter table public.sms_settings alter column timezone set default '';

-- A number belongs to who was given it: replies to it are theirs, and texts from it are sent on the platform's account.
-- The platform writes it; no screen of a coach does.
revoke insert, update on public.sms_settings from authenticated;
grant insert (
  org_id, enabled, quiet_hours_start, quiet_hours_end, timezone, max_sms_per_client_per_day, max_sms_per_hour,
  send_booking_confirmations, send_session_reminders, send_feedback_requests, reminder_hours_before,
  reminder_mins_before, feedback_hours_after, feedback_mins_after
) on public.sms_settings to authenticated;
-- org_id, because an upsert names it; it never changes (app.keep_org).
grant update (
  org_id, enabled, quiet_hours_start, quiet_hours_end, timezone, max_sms_per_client_per_day, max_sms_per_hour,
  send_booking_confirmations, send_session_reminders, send_feedback_requests, reminder_hours_before,
  reminder_mins_before, feedback_hours_after, feedback_mins_after
) on public.sms_settings to authenticated;
comment on column public.sms_settings.twilio_phone_number is
  'E.164. Sender of the org''s texts; a reply to it belongs to this org. Written by the platform.';
