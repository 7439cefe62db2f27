create or replace function app.switch_problem(
  p_kind text, p_settings public.sms_settings, p_client public.clients
) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_kind record := app.sms_kind(p_kind);
begin
  return case
    when v_kind.setting = 'send_booking_confirmations' and not p_settings.send_booking_confirmations
      then 'confirmations_off'
    when v_kind.setting = 'send_session_reminders' and not p_settings.send_session_reminders then 'reminders_off'
    when v_kind.setting = 'send_feedback_requests' and not p_settings.send_feedback_requests then 'follow_ups_off'
    when v_kind.client_setting = 'sms_reminder_enabled' and not p_client.sms_reminder_enabled
      then 'client_reminders_off'
    when v_kind.client_setting = 'sms_followup_enabled' and not p_client.sms_followup_enabled
      then 'client_follow_ups_off'
  end;
end;
$$;
comment on function app.switch_problem(text, public.sms_settings, public.clients) is
  'Why the switches of the org or the client do not let a kind of text be sent (docs/errors.md); null: they do.';
revoke all on function app.switch_problem(text, public.sms_settings, public.clients)
  from public, anon, authenticated, service_role;
