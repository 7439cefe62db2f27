create or replace function app.settle_sms(
  p_message_id uuid, p_outcome text, p_provider_message_id text default null, p_error_code text default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return app.settle_sms_batch(
    jsonb_build_array(jsonb_build_object(
      'message_id', p_message_id, 'outcome', p_outcome, 'provider_message_id', p_provider_message_id,
      'error_code', p_error_code)),
    p_now) = 1;
end;
$$;
comment on function app.settle_sms(uuid, text, text, text, timestamptz) is
  'app.settle_sms_batch() for one text, whichever attempt is under way. False: the text was not being sent.';
revoke all on function app.settle_sms(uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_sms(uuid, text, text, text, timestamptz) to coach_os_worker;
