create or replace function app.receive_stripe_event(
  p_event jsonb, p_livemode boolean, p_now timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event_id text := p_event ->> 'id';
  v_livemode_matches boolean := p_event -> 'livemode' is not distinct from to_jsonb(p_livemode);
  -- What the platform keeps of an account's payments is told as the platform's own, and names the account.
  v_account_id text := coalesce(p_event ->> 'account', case when p_event ->> 'type' like 'application\_fee.%'
                                                           then app.stripe_id(p_event #> '{data,object,account}') end);
  v_row app.webhook_events;
begin
  if jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_event_id) not between 1 and 255
     or jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(p_event ->> 'type') not between 1 and 255
     or jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'event_malformed',
      hint = 'A Stripe event has an id, a type and data.object.';
  end if;
  -- A second delivery waits on the unique key for the first; it then finds the row and, unless the first one
  -- failed or found no org, has nothing to do. The row and what it causes commit together.
  insert into app.webhook_events as e (
    provider, event_id, event_type, account_id, payload, event_created_at, status, reason, received_at, processed_at
  )
  values (
    'stripe', v_event_id, p_event ->> 'type', v_account_id, p_event,
    case when p_event ->> 'created' ~ '^\d{1,10}$' then to_timestamp((p_event ->> 'created')::bigint) end,
    'ignored', case when not v_livemode_matches then 'livemode_mismatch' end, p_now, p_now
  )
  on conflict (provider, event_id) do nothing
  returning e.* into v_row;
  if not found then
    select e.* into v_row
      from app.webhook_events as e
     where e.provider = 'stripe' and e.event_id = v_event_id
       for update;
    if v_row.status not in ('failed', 'unmatched') then
      return 'duplicate';
    end if;
    -- Signed anew, so what it says now is Stripe's word, too.
    update app.webhook_events as e
       set payload = p_event, event_type = p_event ->> 'type', account_id = v_account_id
     where e.id = v_row.id
    returning e.* into v_row;
  end if;
  if not v_livemode_matches then
    update app.webhook_events as e
       set status = 'ignored', reason = 'livemode_mismatch', next_attempt_at = null
     where e.id = v_row.id and e.status <> 'ignored';
    return 'ignored';
  end if;
  return app.apply_webhook_event(v_row, p_now);
end;
$$;
comment on function app.receive_stripe_event(jsonb, boolean, timestamptz) is
  'Stores a verified Stripe event and applies it, in one transaction, once per event id. Returns applied, '
  'duplicate, ignored, unmatched (no org owns the account) or failed (kept, with a reason, and tried again by '
  'app.retry_webhook_events()). p_livemode: what this endpoint is for; an event of the other mode books nothing. '
  'For the webhook, and for app.missing_stripe_events(). Raises PT400 event_malformed. Source: '
  'https://docs.stripe.com/webhooks';
revoke all on function app.receive_stripe_event(jsonb, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_stripe_event(jsonb, boolean, timestamptz) to coach_os_sidecar, coach_os_worker;
