create or replace function app.record_sms_status(
  p_provider_message_id text, p_status text, p_error_code text default null, p_message_id uuid default null,
  p_now timestamptz default now(), p_account_sid text default null
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  -- Twilio can be quicker than our own note of its answer, or the only one to tell of a text whose answer was lost.
  perform app.settle_sms(m.id, 'sent', p_provider_message_id, null, p_now)
     from public.sms_messages as m
    where m.id = p_message_id and m.provider_message_id is null
      and m.account_sid is not distinct from p_account_sid;
  select m.* into v_message
    from public.sms_messages as m
   where m.provider_message_id = p_provider_message_id and m.account_sid is not distinct from p_account_sid
     for no key update;
  if not found then
    return false;
  end if;
  insert into public.sms_events
    (message_id, org_id, provider_message_id, event_type, event_status, error_code, dedupe_key, processed_at)
  values (v_message.id, v_message.org_id, p_provider_message_id, 'status', p_status, p_error_code,
          format('status:%s:%s', p_provider_message_id, p_status), p_now)
  on conflict (dedupe_key) do nothing;
  -- Upwards only: sent, failed, delivered. A receipt from the phone outweighs a failure, whichever is told first, so
  -- every order of the callbacks ends the same.
  if p_status in ('delivered', 'read') and v_message.status in ('sent', 'failed') then
    update public.sms_messages as m
       set status = 'delivered', delivered_at = p_now, failed_at = null, error_code = null
     where m.id = v_message.id;
  elsif p_status in ('undelivered', 'failed', 'canceled') and v_message.status = 'sent' then
    update public.sms_messages as m
       set status = 'failed', failed_at = p_now, error_code = p_error_code
     where m.id = v_message.id;
    perform app.suppress_phone(v_message, p_error_code, 'webhook');
  end if;
  return true;
end;
$$;
comment on function app.record_sms_status(text, text, text, uuid, timestamptz, text) is
  'Applies a Twilio status callback, once per message and status; the text ends in the same state for every order of '
  'them. p_message_id: our own id, as the callbacks address carries it. p_account_sid: the org''s own account whose '
  'signature the callback has, null for the platform''s: it speaks for its own texts only. False: no text of ours. '
  'Source: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values';
revoke all on function app.record_sms_status(text, text, text, uuid, timestamptz, text)
  from public, anon, authenticated, service_role;
grant execute on function app.record_sms_status(text, text, text, uuid, timestamptz, text)
  to coach_os_sidecar, coach_os_worker;
