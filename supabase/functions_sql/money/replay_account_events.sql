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
