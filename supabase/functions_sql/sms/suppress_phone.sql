create or replace function app.suppress_phone(p_message public.sms_messages, p_error_code text, p_source text)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_error_code in ('21610', '21211', '21614') then
    insert into public.sms_suppression (org_id, phone, reason, source, client_id)
    values (p_message.org_id, p_message.to_phone,
            case p_error_code when '21610' then 'opt_out' else 'invalid_number' end, p_source, p_message.client_id)
    on conflict (org_id, phone) do nothing;
  end if;
end;
$$;
comment on function app.suppress_phone(public.sms_messages, text, text) is
  'After an error that says never to text this number again: 21610 (it opted out), 21211 (no number), 21614 (no mobile). '
  'Of any other the number is not to blame. p_source: api_error or webhook. Source: https://www.twilio.com/docs/api/errors';
revoke all on function app.suppress_phone(public.sms_messages, text, text)
  from public, anon, authenticated, service_role;
