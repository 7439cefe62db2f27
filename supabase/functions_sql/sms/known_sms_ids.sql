create or replace function app.known_sms_ids(p_provider_message_ids text[]) returns text[]
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return array(
    select m.provider_message_id
      from public.sms_messages as m
     where m.provider_message_id = any (p_provider_message_ids)
  );
end;
$$;
comment on function app.known_sms_ids(text[]) is 'Those of Twilio''s message ids that a text of ours has already.';
revoke all on function app.known_sms_ids(text[]) from public, anon, authenticated, service_role;
grant execute on function app.known_sms_ids(text[]) to coach_os_worker;
