create or replace function app.explain_sms(p_message_id uuid, p_now timestamptz) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
  v_settings public.sms_settings;
  v_timezone text;
  v_when text;
begin
  select m.* into v_message from public.sms_messages as m where m.id = p_message_id;
  if not found or not app.acts_for_org(v_message.org_id) then
    raise exception using errcode = 'PT404', message = 'message_not_found', hint = 'Choose one of your texts.';
  end if;
  select s.* into v_settings from public.sms_settings as s where s.org_id = v_message.org_id;
  select o.timezone into v_timezone from public.orgs as o where o.id = v_message.org_id;
  v_when := app.session_time(v_message.scheduled_for, v_timezone);
  if v_message.status in ('pending', 'queued') then
    return case
      when v_message.scheduled_for <= p_now then 'It is due and is sent as soon as its turn comes.'
      when v_message.error_code = 'quiet_hours' then
        format('It waits for the end of your quiet hours and is sent on %s.', v_when)
      when v_message.error_code = 'client_daily_limit' then
        format('It waits until %s: your settings allow a client %s texts a day.', v_when,
               v_settings.max_sms_per_client_per_day)
      when v_message.error_code = 'org_hourly_limit' then
        format('It waits until %s: your settings allow %s texts an hour.', v_when, v_settings.max_sms_per_hour)
      when v_message.error_code is not null then
        format('It could not be handed over yet (%s) and is tried again on %s.', v_message.error_code, v_when)
      else format('It is due on %s.', v_when)
    end;
  end if;
  return case v_message.status
    when 'sending' then 'It is being sent.'
    when 'sent' then format('It was sent on %s; whether it has arrived is not known yet.',
                            app.session_time(v_message.sent_at, v_timezone))
    when 'delivered' then format('It was delivered on %s.', app.session_time(v_message.delivered_at, v_timezone))
    when 'unknown' then case when v_message.reconcile_at is not null then
      'It is not known whether it was sent; the provider''s list of messages is being looked through.'
    else 'Nobody can tell whether it was sent, so it is not sent again by itself. Ask the client.' end
    else coalesce(
      case v_message.error_code
        when 'sms_disabled' then 'Not sent: texting is switched off in your settings.'
        when 'sms_sender_missing' then 'Not sent: your business has no number to text from.'
        when 'number_suppressed' then
          'Not sent: this number must not be texted, because its owner replied STOP or because it cannot be reached.'
        when 'phone_invalid' then 'Not sent: this is not a phone number that can be texted.'
        when 'phone_missing' then 'Not sent: the client has no phone number any more.'
        when 'confirmations_off' then 'Not sent: confirmations are switched off in your settings.'
        when 'reminders_off' then 'Not sent: reminders are switched off in your settings.'
        when 'follow_ups_off' then 'Not sent: follow-ups are switched off in your settings.'
        when 'client_reminders_off' then 'Not sent: reminders are switched off for this client.'
        when 'client_follow_ups_off' then 'Not sent: follow-ups are switched off for this client.'
        when 'schedule_off' then 'Not sent: its schedule was switched off or deleted.'
        when 'schedule_changed' then 'Not sent: its schedule was changed; a new text takes its place where one is due.'
        when 'booking_moved' then 'Not sent: the session was moved after this was written.'
        when 'booking_cancelled' then 'Not sent: the session was cancelled.'
        when 'booking_reassigned' then 'Not sent: the session was given to another client.'
        when 'booking_reinstated' then 'Not sent: the session takes place after all.'
        when 'booking_no_longer_stands' then
          case when v_message.template_key = 'follow_up' then 'Not sent: the session did not take place, or is gone.'
               else 'Not sent: the session is not confirmed any more, or is gone.' end
        when 'already_confirmed' then 'Not sent: the client had confirmed by then.'
        when 'superseded' then 'Not sent: a later reminder of the same session was due as well.'
        when 'too_late' then 'Not sent: when its turn came, it was too late to be of use.'
        when 'quiet_hours_too_late' then 'Not sent: it would have been of no use after the end of your quiet hours.'
        when 'client_daily_limit' then 'Not sent: your settings allow a client no texts.'
        when 'client_daily_limit_too_late' then
          format('Not sent: the client had had %s texts that day, and the next day would have been too late.',
                 v_settings.max_sms_per_client_per_day)
        when 'org_hourly_limit' then 'Not sent: your settings allow no texts.'
        when 'org_hourly_limit_too_late' then
          'Not sent: your settings did not allow more texts that hour, and later would have been too late.'
        -- https://www.twilio.com/docs/api/errors
        when '21211' then 'Not sent: this is no valid phone number.'
        when '21610' then 'Not sent: the owner of this number replied STOP.'
        when '21614' then 'Not sent: this number cannot receive texts.'
        when '30003' then 'Not delivered: the phone was switched off or out of reach.'
        when '30004' then 'Not delivered: the phone''s owner or carrier blocks such texts.'
        when '30005' then 'Not delivered: this number does not exist or is out of service.'
        when '30006' then 'Not delivered: a landline, or a carrier that cannot be reached.'
        when '30007' then 'Not delivered: the carrier took it for spam.'
      end,
      format('Not %s (%s).', case when v_message.provider_message_id is null then 'sent' else 'delivered' end,
             coalesce(v_message.error_code, 'no reason was given'))
    )
  end;
end;
$$;
comment on function app.explain_sms(uuid, timestamptz) is
  'What public.explain_sms() promises, at the instant p_now.';
revoke all on function app.explain_sms(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.explain_sms(uuid, timestamptz) to authenticated, service_role;

create or replace function public.explain_sms(p_message_id uuid) returns text
  language sql stable security invoker set search_path = ''
begin atomic
  select app.explain_sms(p_message_id, now());
end;
comment on function public.explain_sms(uuid) is
  'What has become of a text, in a sentence for the coach: why it was not sent, or until when it waits and for what, with '
  'times in the org''s zone. PT404 message_not_found, also for another org''s.';
revoke all on function public.explain_sms(uuid) from public, anon, authenticated, service_role;
grant execute on function public.explain_sms(uuid) to authenticated, service_role;
