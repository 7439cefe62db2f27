create or replace function app.record_sms_status(
  p_provider_message_id text, p_status text, p_error_code text default null, p_message_id uuid default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  select m.* into v_message
    from public.sms_messages as m
   where m.provider_message_id = p_provider_message_id or (m.id = p_message_id and m.provider_message_id is null)
     for update;
  if not found then
    return false;
  end if;
  -- Twilio can be quicker than our own note of its answer, or the only one to tell of a text whose answer was lost.
  perform app.settle_sms(v_message.id, 'sent', p_provider_message_id, null, p_now);
  insert into public.sms_events
    (message_id, org_id, provider_message_id, event_type, event_status, error_code, dedupe_key, processed_at)
  values (v_message.id, v_message.org_id, p_provider_message_id, 'status', p_status, p_error_code,
          format('status:%s:%s', p_provider_message_id, p_status), p_now)
  on conflict (dedupe_key) do nothing;
  -- Final states stand: a late callback never turns delivered into failed or back.
  update public.sms_messages as m
     set status = case when p_status = 'delivered' then 'delivered' else 'failed' end,
         delivered_at = case when p_status = 'delivered' then p_now end,
         failed_at = case when p_status <> 'delivered' then p_now end,
         error_code = p_error_code
   where m.id = v_message.id and m.status = 'sent' and p_status in ('delivered', 'undelivered', 'failed');
  return true;
end;
$$;
comment on function app.record_sms_status(text, text, text, uuid, timestamptz) is
  'Applies a Twilio status callback, once per message and status, never against a final state. p_message_id: our own '
  'id, as the callbacks address carries it. False: no text of ours has either id. Source: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values';
revoke all on function app.record_sms_status(text, text, text, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.record_sms_status(text, text, text, uuid, timestamptz) to coach_os_sidecar;
