-- An account that its owner has disconnected is not the platform's to use any more: connecting again makes another one.
set lock_timeout = '5s';

alter table public.stripe_accounts add column disconnected_at timestamptz;
comment on column public.stripe_accounts.disconnected_at is
  'Since when Stripe refuses the platform this account; null: it does not. Written by Stripe''s events.';

-- Made anew by functions_sql with another answer.
-- squawk-ignore ban-drop-function
drop function app.begin_connect(uuid, uuid);
