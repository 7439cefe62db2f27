create or replace function app.apply_webhook_event(p_event app.webhook_events, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
  v_status text;
  v_reason text;
  v_attempts integer := p_event.attempts;
begin
  select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_event.account_id;
  if not found and p_event.account_id is not null then
    -- Who connects this account at this moment (app.replay_account_events) either has committed now, or will find this
    -- event.
    perform pg_advisory_xact_lock_shared(hashtextextended('stripe account ' || p_event.account_id, 0));
    select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_event.account_id;
  end if;
  if v_org_id is null then
    v_status := 'unmatched';
    v_reason := 'account_unknown';
  else
    begin
      v_status := app.apply_stripe_event(v_org_id, p_event.payload);
    exception when others then
      -- Kept with our own code only: a constraint's message can carry a person's data.
      v_status := 'failed';
      v_reason := case when sqlstate like 'PT%' then sqlerrm else 'sqlstate_' || sqlstate end;
      v_attempts := v_attempts + 1;
    end;
  end if;
  update app.webhook_events as e
     set status = v_status, reason = v_reason, org_id = v_org_id, processed_at = p_now, attempts = v_attempts,
         next_attempt_at = case v_status when 'failed' then p_now + app.retry_delay(v_attempts) end
   where e.id = p_event.id;
  return v_status;
end;
$$;
comment on function app.apply_webhook_event(app.webhook_events, timestamptz) is
  'Applies a kept event, whose row the caller has locked, and notes what came of it: applied, ignored, unmatched (no org '
  'owns the account) or failed, with a reason and the time of the next attempt. What a failed one did is undone.';
revoke all on function app.apply_webhook_event(app.webhook_events, timestamptz)
  from public, anon, authenticated, service_role;
