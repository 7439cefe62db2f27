-- What a pack and a slot need so that neither is given away twice: which bookings are charged, which could not be, and
-- what the existing calendar's two-request completion leaves behind.
set lock_timeout = '5s';

alter table public.bookings
  add column forfeited boolean not null default false,
  add column uncovered_reason text;
comment on column public.bookings.forfeited is
  'Charged although it did not take place: a no-show or a late cancellation, by the org''s settings or the coach''s word.';
comment on column public.bookings.uncovered_reason is
  'Why a booking that should have taken a session took none (docs/errors.md); null when it took one or need not. '
  'Kept by app.settle_booking(); public.cover_booking() settles it.';

-- Not valid yet: the next migration looks at the rows that are there, without blocking anybody meanwhile.
alter table public.bookings
  add constraint bookings_uncovered_reason_check check (
    uncovered_reason in ('no_session_left', 'pack_unpaid', 'pack_refunded', 'pack_expired', 'pack_not_the_clients')
  ) not valid,
  add constraint bookings_times_are_finite check (isfinite(start_time) and isfinite(end_time)) not valid,
  -- Also what lets a search for overlaps begin a day before: app.busy_time().
  add constraint bookings_last_a_day_at_most check (end_time - start_time <= interval '24 hours') not valid;

-- A transaction of its own for `concurrently` is not to be had here; the table is an org's calendar, not a log.
-- squawk-ignore require-concurrent-index-creation
create index bookings_uncovered_idx on public.bookings (org_id, start_time) where uncovered_reason is not null;

alter table public.booking_settings
  add column charge_no_show boolean not null default false,
  add column late_cancel text not null default 'refuse';
alter table public.booking_settings
  add constraint booking_settings_late_cancel_check check (late_cancel in ('refuse', 'charge')) not valid;
comment on column public.booking_settings.charge_no_show is 'A no-show takes the session of its pack.';
comment on column public.booking_settings.late_cancel is
  'What a client''s cancellation within cancel_notice_hours of the start does: refuse it, or take it and charge the '
  'session. A coach''s own cancellation charges nothing unless the coach says so (bookings.forfeited).';

-- A booking gives back what it took; when a correction by hand has given it back before, the entry moves nothing.
-- And the coach's edit of sessions_total is an entry like one of sessions_used: both say why the balance is what it is.
alter table public.session_ledger
  -- Each comes back below, wider.
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_delta_check,
  -- squawk-ignore ban-drop-constraint
  drop constraint session_ledger_booking_entries_alternate,
  add column total_delta integer not null default 0;
alter table public.session_ledger
  add constraint session_ledger_delta_check check (
    delta <> 0 or total_delta <> 0 or (entry_type = 'release' and booking_id is not null)
  ) not valid,
  add constraint session_ledger_total_delta_check check (total_delta = 0 or entry_type = 'adjustment') not valid,
  add constraint session_ledger_booking_entries_alternate check (
    (booking_id is null and booking_seq is null)
    or (booking_seq >= 1 and case when booking_seq % 2 = 1 then delta = 1 else delta in (-1, 0) end)
  ) not valid;
comment on column public.session_ledger.reason is
  'Of a booking''s entry: completed, no_show, late_cancellation (taken); reopened, cancelled, other_pack (given back).';

comment on column public.session_ledger.total_delta is
  'Change of the pack''s sessions_total; what it was sold with is sessions_total less the sum of these.';

alter table public.client_purchases
  add column refunded_at timestamptz,
  -- client_purchases_sessions_not_overdrawn says nothing of a pack without a total.
  add constraint client_purchases_used_of_a_total check (sessions_used = 0 or sessions_total is not null) not valid;
comment on column public.client_purchases.refunded_at is 'Since when payment_status is refunded; kept by trigger.';

create table app.completion_credits (
  id bigint generated always as identity primary key,
  purchase_id uuid not null references public.client_purchases (id) on delete cascade,
  user_id uuid,
  created_at timestamptz not null
);
comment on table app.completion_credits is
  'The existing calendar sets a booking to completed, which deducts, and then calls use_session() without saying for '
  'what. Each such update leaves one row, and the next such call by the same user takes it instead of a session. '
  'Good for a minute. No foreign key to the user: null is a service key.';
create index completion_credits_purchase_id_idx on app.completion_credits (purchase_id, user_id);

-- What is open on a few dates, of an org that has given hours and blocks for years of them; null: every week.
-- squawk-ignore require-concurrent-index-creation
create index availability_org_id_specific_date_idx on public.availability (org_id, specific_date);
-- squawk-ignore require-concurrent-index-creation
create index blocked_times_org_id_date_idx on public.blocked_times (org_id, date);

-- Finds who a visitor of the public booking page is, by the e-mail they give.
-- squawk-ignore require-concurrent-index-creation
create index clients_org_id_email_idx on public.clients (org_id, lower(email));
