create or replace function app.sms_kind(
  p_kind text, out words text, out placeholders text[], out setting text, out client_setting text, out to_coach boolean
)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_booking constant text[] := '{client_name,coach_name,session_datetime,location,sessions_remaining,sessions_booked,session_summary}';
begin
  to_coach := p_kind in ('client_booked', 'client_cancelled', 'onboarding_completed');
  setting := case
    when p_kind in ('booking_confirmation', 'booking_moved', 'booking_cancelled') then 'send_booking_confirmations'
    when p_kind in ('reminder', 'unconfirmed_warning') then 'send_session_reminders'
    when p_kind = 'follow_up' then 'send_feedback_requests'
  end;
  client_setting := case
    when p_kind in ('reminder', 'unconfirmed_warning') then 'sms_reminder_enabled'
    when p_kind = 'follow_up' then 'sms_followup_enabled'
  end;
  placeholders := case
    when p_kind in ('booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning')
      then v_booking
    -- The existing settings page offers feedback_link; there is no such page yet, so it is filled with nothing.
    when p_kind = 'follow_up' then v_booking || '{feedback_link}'::text[]
    when p_kind = 'portal_link' then '{client_name,coach_name,portal_link}'
    when p_kind in ('client_booked', 'client_cancelled') then '{client_name,session_datetime,location}'
    when p_kind = 'onboarding_completed' then '{client_name}'
  end;
  -- All within the GSM-7 alphabet, so that one segment holds 160 characters.
  words := case p_kind
    when 'booking_confirmation' then
      'Hi {{client_name}}, you are booked for {{session_datetime}}. Reply Y to confirm. {{coach_name}}'
    when 'booking_moved' then
      'Hi {{client_name}}, your session has moved to {{session_datetime}}. Reply Y to confirm. {{coach_name}}'
    when 'booking_cancelled' then
      'Hi {{client_name}}, your session on {{session_datetime}} is cancelled. {{coach_name}}'
    when 'reminder' then
      'Hi {{client_name}}, a reminder of your session on {{session_datetime}}. {{coach_name}}'
    when 'unconfirmed_warning' then
      'Hi {{client_name}}, your session on {{session_datetime}} is not confirmed yet. Reply Y to confirm. {{coach_name}}'
    when 'follow_up' then
      'Hi {{client_name}}, thanks for today. {{session_summary}} {{coach_name}}'
    when 'portal_link' then
      'Hi {{client_name}}, book and manage your sessions here: {{portal_link}} {{coach_name}}'
    when 'client_booked' then '{{client_name}} has booked {{session_datetime}}.'
    when 'client_cancelled' then '{{client_name}} has cancelled {{session_datetime}}.'
    when 'onboarding_completed' then '{{client_name}} has completed the onboarding form.'
  end;
end;
$$;
comment on function app.sms_kind(text) is
  'What a kind of text (sms_messages.template_key) is: its words where the org has none of its own, the placeholders '
  'they may use, which column of sms_settings and which of clients switch it off (null: none), and whether it goes to '
  'the coach. Nulls for a key that is not one of ours.';
revoke all on function app.sms_kind(text) from public, anon, authenticated, service_role;
