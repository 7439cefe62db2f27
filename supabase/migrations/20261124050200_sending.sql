-- Sending: how often a text was tried, when Twilio is asked what became of it, and the accounts that orgs bring.
set lock_timeout = '5s';

alter table public.sms_messages
  add column attempts integer not null default 0,
  add column attempted_at timestamptz,
  add column reconcile_at timestamptz,
  add column account_sid text,
  add constraint sms_messages_attempts_check check (attempts >= 0) not valid,
  add constraint sms_messages_reconcile_unknown_check
    check (reconcile_at is null or status = 'unknown') not valid;
comment on column public.sms_messages.attempts is 'How often Twilio was, or may have been, called.';
comment on column public.sms_messages.attempted_at is 'When the last of these began.';
comment on column public.sms_messages.reconcile_at is
  'Of an unknown text: when Twilio''s list of messages is looked through for it next; null: no more, it stays unknown.';
comment on column public.sms_messages.account_sid is
  'The org''s own Twilio account that it was sent through; null: the platform''s.';
-- squawk-ignore require-concurrent-index-creation
create index sms_messages_reconcile_idx on public.sms_messages (reconcile_at)
  where status = 'unknown' and reconcile_at is not null;

create table app.twilio_accounts (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  account_sid text not null check (account_sid ~ '^AC[0-9a-f]{32}$'),
  secret text not null,
  updated_at timestamptz not null
);
comment on table app.twilio_accounts is
  'The Twilio account of an org that brings its own; others text through the platform''s.';
comment on column app.twilio_accounts.secret is
  'The account''s auth token, encrypted by the sidecar with a key that is in no database (sidecar/sms/credentials.py).';
create index twilio_accounts_account_sid_idx on app.twilio_accounts (account_sid);

comment on column public.sms_settings.twilio_account_sid is
  'The org''s own Twilio account; null: the platform''s. Written with the account, through POST /twilio-account.';

-- What Expo took and will say more of.
create table app.push_tickets (
  ticket_id text primary key check (length(ticket_id) <= 200),
  push_token_id uuid not null references public.push_tokens (id) on delete cascade,
  sent_at timestamptz not null,
  check_at timestamptz not null
);
comment on table app.push_tickets is
  'Pushes that Expo has taken: when it is asked whether they reached the device, which it tells for a day.';
create index push_tickets_push_token_id_idx on app.push_tickets (push_token_id);
create index push_tickets_check_at_idx on app.push_tickets (check_at);

-- Made anew by functions_sql with more parameters.
-- squawk-ignore ban-drop-function
drop function app.receive_sms(text, text, text, text, timestamptz);
-- squawk-ignore ban-drop-function
drop function app.record_sms_status(text, text, text, uuid, timestamptz);
