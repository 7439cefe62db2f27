create or replace function app.settle_sms(
  p_message_id uuid, p_outcome text, p_provider_message_id text default null, p_error_code text default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  if p_outcome is null or p_outcome not in ('sent', 'failed', 'retry', 'unknown') then
    raise exception using errcode = 'PT400', message = 'outcome_invalid';
  end if;
  update public.sms_messages as m
     set status = case when p_outcome = 'retry' then 'queued' else p_outcome end,
         provider_message_id = p_provider_message_id,
         error_code = p_error_code,
         sent_at = case when p_outcome = 'sent' then p_now end,
         failed_at = case when p_outcome = 'failed' then p_now end,
         scheduled_for = case when p_outcome = 'retry' then p_now + interval '1 minute' else m.scheduled_for end,
         locked_until = null
   where m.id = p_message_id and (m.status = 'sending' or (m.status = 'unknown' and p_outcome = 'sent'))
  returning m.* into v_message;
  if not found then
    return false;
  end if;
  if p_outcome = 'sent' then
    perform app.note_asked(v_message, p_now);
  end if;
  return true;
end;
$$;
comment on function app.settle_sms(uuid, text, text, text, timestamptz) is
  'Records what became of a claimed text: sent, failed (final), retry, or unknown (the provider was called and no '
  'answer came; it is not sent again blindly, but may turn out to be sent). False: the text was not being sent.';
revoke all on function app.settle_sms(uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_sms(uuid, text, text, text, timestamptz) to coach_os_worker;
