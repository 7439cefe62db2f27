-- Functions that change their parameters make way for the new ones, which are created right after.
set lock_timeout = '5s';

-- squawk-ignore ban-drop-function
drop function app.queue_sms(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb);
-- squawk-ignore ban-drop-function
drop function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz);
-- squawk-ignore ban-drop-function
drop function app.queue_booking_sms(public.bookings, text, text, timestamptz, text);
