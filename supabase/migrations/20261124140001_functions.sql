-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/money/account_connected.sql
create or replace function app.account_connected(p_org_id uuid, p_stripe_account_id text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Of two at once the second waits here for the first, and then finds its row.
  insert into public.stripe_accounts as a (org_id, stripe_account_id) values (p_org_id, p_stripe_account_id)
  on conflict (org_id) do update
     set stripe_account_id = excluded.stripe_account_id
   where a.disconnected_at is not null;
  return (select a.stripe_account_id from public.stripe_accounts as a where a.org_id = p_org_id);
end;
$$;
comment on function app.account_connected(uuid, text) is
  'Notes the account that Stripe made for an org, unless it has one that is not disconnected; returns the one it has. '
  'What the account may do is false until Stripe''s account.updated says otherwise.';
revoke all on function app.account_connected(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.account_connected(uuid, text) to coach_os_sidecar;
-- <<< functions_sql/money/account_connected.sql

-- >>> functions_sql/money/apply_account.sql
create or replace function app.apply_account(p_org_id uuid, p_account jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_charges boolean := coalesce((p_account ->> 'charges_enabled')::boolean, false);
  v_payouts boolean := coalesce((p_account ->> 'payouts_enabled')::boolean, false);
  v_details boolean := coalesce((p_account ->> 'details_submitted')::boolean, false);
begin
  -- Two of the same second cannot be put in order; what an account may do, it is asked for step by step, so the one that
  -- may more is the later one.
  update public.stripe_accounts as a
     set charges_enabled = v_charges or (a.stripe_updated_at is not distinct from p_at and a.charges_enabled),
         payouts_enabled = v_payouts or (a.stripe_updated_at is not distinct from p_at and a.payouts_enabled),
         details_submitted = v_details or (a.stripe_updated_at is not distinct from p_at and a.details_submitted),
         disconnected_at = null,
         stripe_updated_at = p_at
   where a.org_id = p_org_id and a.stripe_account_id = p_account ->> 'id'
     and (a.stripe_updated_at is null or a.stripe_updated_at <= p_at)
     -- In the second in which it was disconnected, that was the last that was said.
     and a.disconnected_at is distinct from p_at;
  return 'applied';
end;
$$;
comment on function app.apply_account(uuid, jsonb, timestamptz) is
  'What the connected account may do, as the newest of its events says. Source: '
  'https://docs.stripe.com/api/accounts/object';
revoke all on function app.apply_account(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_account.sql

-- >>> functions_sql/money/apply_disconnection.sql
create or replace function app.apply_disconnection(p_org_id uuid, p_account_id text, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.stripe_accounts as a
     set charges_enabled = false, payouts_enabled = false, disconnected_at = p_at, stripe_updated_at = p_at
   where a.org_id = p_org_id and a.stripe_account_id = p_account_id
     and (a.stripe_updated_at is null or a.stripe_updated_at <= p_at);
  return 'applied';
end;
$$;
comment on function app.apply_disconnection(uuid, text, timestamptz) is
  'An owner has disconnected their account: here it may do nothing any more, and POST /connect makes another one. Source: '
  'https://docs.stripe.com/api/events/types#event_types-account.application.deauthorized';
revoke all on function app.apply_disconnection(uuid, text, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_disconnection.sql

-- >>> functions_sql/money/apply_stripe_event.sql
create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event -> 'data' -> 'object';
  v_at timestamptz;
begin
  if not app.is_booked_event(v_type) then
    return 'ignored';
  end if;
  v_at := to_timestamp((p_event ->> 'created')::bigint);
  if v_at is null or jsonb_typeof(v_object -> 'id') is distinct from 'string' then
    raise exception using errcode = 'PT422', message = 'event_incomplete',
      hint = 'An event says when it was made, and its object has an id.';
  end if;
  return case
    when v_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded')
      then app.apply_checkout_session(p_org_id, v_object, v_at)
    when v_type = 'payment_intent.succeeded' then app.apply_payment_intent(p_org_id, v_object, v_at)
    when v_type in ('charge.succeeded', 'charge.captured') then app.apply_charge(p_org_id, v_object, v_at)
    when v_type = 'charge.refunded' then app.apply_charge_refunds(p_org_id, v_object, v_at)
    when v_type in ('refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated')
      then app.apply_refund(p_org_id, v_object, v_at)
    when v_type like 'charge.dispute.%' then app.apply_dispute(p_org_id, v_object, v_at, v_type)
    when v_type in ('invoice.paid', 'invoice.payment_succeeded') then app.apply_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice.payment_failed' then app.apply_failed_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice_payment.paid' then app.apply_invoice_payment(p_org_id, v_object, v_at)
    when v_type like 'customer.subscription.%' and v_object ->> 'object' = 'subscription'
      then app.apply_subscription(p_org_id, v_object, v_at)
    when v_type in ('payout.paid', 'payout.failed') then app.apply_payout(p_org_id, v_object, v_at, v_type)
    when v_type = 'application_fee.refunded' then app.apply_fee_refunds(p_org_id, v_object, v_at)
    when v_type = 'account.updated' then app.apply_account(p_org_id, v_object, v_at)
    -- The event's object is our application.
    when v_type = 'account.application.deauthorized'
      then app.apply_disconnection(p_org_id, p_event ->> 'account', v_at)
    else 'ignored'
  end;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its object. Returns applied, or ignored when it changes nothing here. The books '
  'end the same for every order in which the events come, and however often. Raises PT422 event_incomplete and what those '
  'functions raise. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_stripe_event.sql

-- >>> functions_sql/money/begin_connect.sql
create or replace function app.begin_connect(p_user_id uuid, p_org_id uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_account public.stripe_accounts;
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  select a.* into v_account from public.stripe_accounts as a where a.org_id = p_org_id;
  return jsonb_build_object(
    'account_id', case when v_account.disconnected_at is null then v_account.stripe_account_id end,
    'idempotency_key', concat_ws('-', 'connect', p_org_id, v_account.stripe_account_id)
  );
end;
$$;
comment on function app.begin_connect(uuid, uuid) is
  'Of an org whose owner p_user_id (verified by the caller) is, account_id: its connected account; null: it has none, or '
  'its owner disconnected it and another one is to be made, under idempotency_key: the same for every click until then. '
  'Raises PT404 org_not_found.';
revoke all on function app.begin_connect(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.begin_connect(uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/money/begin_connect.sql

-- >>> functions_sql/money/replay_account_events.sql
create or replace function app.replay_account_events() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if new.stripe_account_id = old.stripe_account_id then
      return new;
    end if;
    -- What was said of another account says nothing of this one.
    new.charges_enabled := false;
    new.payouts_enabled := false;
    new.details_submitted := false;
    new.disconnected_at := null;
  end if;
  new.stripe_updated_at := null;
  -- Deliveries for an account that nobody owns share this lock: app.apply_webhook_event().
  perform pg_advisory_xact_lock(hashtextextended('stripe account ' || new.stripe_account_id, 0));
  update app.webhook_events as e
     set next_attempt_at = now()
   where e.account_id = new.stripe_account_id and e.status in ('failed', 'unmatched');
  return new;
end;
$$;
comment on function app.replay_account_events() is
  'What Stripe said of an account before an org was connected to it is applied with the worker''s next '
  'tick; until then one that takes another''s place may do nothing.';
revoke all on function app.replay_account_events() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_replay_events
  before insert or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.replay_account_events();
-- <<< functions_sql/money/replay_account_events.sql
