create or replace function app.reminder_use_ends(
  p_due_at timestamptz, p_start timestamptz, p_timezone text, p_settings public.sms_settings
) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  -- Half a day: a reminder of last evening may still be of use this morning, one of yesterday morning is not.
  return least(
    p_start,
    app.next_send_time(p_due_at, p_timezone, p_settings.quiet_hours_start, p_settings.quiet_hours_end)
      + interval '12 hours'
  );
end;
$$;
comment on function app.reminder_use_ends(timestamptz, timestamptz, text, public.sms_settings) is
  'From when on a reminder that fell due at p_due_at is not sent any more: as its session starts, and 12 hours after the '
  'first moment outside quiet hours at which it could have been sent.';
revoke all on function app.reminder_use_ends(timestamptz, timestamptz, text, public.sms_settings)
  from public, anon, authenticated, service_role;
