create or replace function app.receive_stripe_event(p_event jsonb, p_livemode boolean) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event_id text := p_event ->> 'id';
  v_row app.webhook_events;
  v_status text;
  v_reason text;
begin
  if jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_event_id) not between 1 and 255
     or jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(p_event ->> 'type') not between 1 and 255
     or jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'event_malformed',
      hint = 'A Stripe event has an id, a type and data.object.';
  end if;
  -- A second delivery waits on the unique key for the first; it then finds the row and, unless the first one
  -- failed or found no org, has nothing to do. The row and what it causes commit together.
  insert into app.webhook_events as e (provider, event_id, event_type, account_id, payload, status)
  values ('stripe', v_event_id, p_event ->> 'type', p_event ->> 'account', p_event, 'ignored')
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
  end if;

  select a.org_id into v_row.org_id
    from public.stripe_accounts as a where a.stripe_account_id = v_row.account_id;
  if p_event -> 'livemode' is distinct from to_jsonb(p_livemode) then
    v_status := 'ignored';
    v_reason := 'livemode_mismatch';
  elsif v_row.org_id is null then
    v_status := 'unmatched';
    v_reason := 'account_unknown';
  else
    begin
      v_status := app.apply_stripe_event(v_row.org_id, p_event);
    exception when others then
      -- Kept with our own code only: a constraint's message can carry a person's data.
      v_status := 'failed';
      v_reason := case when sqlstate like 'PT%' then sqlerrm else 'sqlstate_' || sqlstate end;
    end;
  end if;
  update app.webhook_events as e
     set status = v_status, reason = v_reason, org_id = v_row.org_id, processed_at = now()
   where e.id = v_row.id;
  return v_status;
end;
$$;
comment on function app.receive_stripe_event(jsonb, boolean) is
  'Stores a verified Stripe event and applies it, in one transaction, once per event id. Returns applied, '
  'duplicate, ignored, unmatched (no org owns the account) or failed (kept, with a reason). p_livemode: what this '
  'endpoint is for; an event of the other mode books nothing. Source: https://docs.stripe.com/webhooks';
revoke all on function app.receive_stripe_event(jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function app.receive_stripe_event(jsonb, boolean) to coach_os_sidecar;
