-- What a text is about, until when it is of use, how many segments it costs, and how far the reminders are written.
set lock_timeout = '5s';

alter table public.bookings
  add column text_version integer not null default 1,
  add column text_version_at timestamptz not null default now();
comment on column public.bookings.text_version is
  'Counts what makes earlier texts about this booking untrue: another start, another client, cancelled, put back. Kept '
  'by app.count_text_version(), whatever the caller sends.';
comment on column public.bookings.text_version_at is
  'Since when text_version holds. A reminder whose moment was before is not sent: the confirmation has just said it.';
-- A transaction of its own for `concurrently` is not to be had here; the index holds only what is still to come.
-- squawk-ignore require-concurrent-index-creation
create index bookings_upcoming_idx on public.bookings (start_time) where status = 'confirmed';

alter table public.sms_messages
  add column booking_version integer,
  add column schedule_id uuid,
  add column expires_at timestamptz,
  add column claimed_at timestamptz,
  add column segments integer;
comment on column public.sms_messages.booking_version is
  'bookings.text_version when this was written. The booking has another one now: it no longer holds.';
comment on column public.sms_messages.schedule_id is
  'The sms_schedules row whose words these are. No key: it stays when the schedule is deleted.';
comment on column public.sms_messages.expires_at is
  'From then on it is of no use to whom it is for, and is not sent. Null: always of use.';
comment on column public.sms_messages.claimed_at is 'When it was last handed to a sender; the limits count by it.';
comment on column public.sms_messages.segments is 'How many parts the carrier sends and bills it as (app.sms_segments).';
-- What the limits count: the texts of a client's day, and of an org's hour.
-- squawk-ignore require-concurrent-index-creation
create index sms_messages_client_claimed_idx on public.sms_messages (client_id, claimed_at) where claimed_at is not null;
-- squawk-ignore require-concurrent-index-creation
create index sms_messages_org_claimed_idx on public.sms_messages (org_id, claimed_at) where claimed_at is not null;
-- What a change of a schedule touches: only what waits.
-- squawk-ignore require-concurrent-index-creation
create index sms_messages_waiting_schedule_idx on public.sms_messages (schedule_id)
  where status in ('pending', 'queued') and schedule_id is not null;

alter table public.sms_schedules add column timing_since timestamptz not null default now();
comment on column public.sms_schedules.timing_since is
  'When this schedule got its type and offset, or was switched on. What fell due before is not sent. Kept by '
  'app.check_sms_words().';
-- Which offsets there are, and whose.
-- squawk-ignore require-concurrent-index-creation
create index sms_schedules_offset_idx on public.sms_schedules (mins_offset, org_id)
  where type = 'pre_session' and enabled;

alter table public.sms_settings add column urgent_kinds text[] not null default '{}';
alter table public.sms_settings add constraint sms_settings_urgent_kinds_check check (
  urgent_kinds <@ array['booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning',
                        'follow_up', 'portal_link', 'client_booked', 'client_cancelled', 'onboarding_completed']
) not valid;
comment on column public.sms_settings.urgent_kinds is
  'Kinds of text (app.sms_kind) that do not wait for the end of quiet hours.';
grant insert (urgent_kinds), update (urgent_kinds) on public.sms_settings to authenticated;

alter table public.sms_templates
  add constraint sms_templates_body_length_check check (length(body) <= 1600) not valid; -- Twilio's limit

-- One row: how far app.queue_reminders() has come. Where it stands makes a tick cheap; what is due does not hang on it.
create table app.reminder_progress (
  only_row boolean primary key default true check (only_row),
  queued_until timestamptz not null
);
comment on table app.reminder_progress is 'The instant up to which app.queue_reminders() has written what was due.';
insert into app.reminder_progress (queued_until) values (now());
