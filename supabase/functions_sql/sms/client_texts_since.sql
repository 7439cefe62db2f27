create or replace function app.client_texts_since(p_client_id uuid, p_since timestamptz) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return (
    select count(*)
      from public.sms_messages as m
     where m.client_id = p_client_id and m.claimed_at >= p_since
       and (m.status in ('sending', 'sent', 'delivered', 'unknown') or m.provider_message_id is not null)
  );
end;
$$;
comment on function app.client_texts_since(uuid, timestamptz) is
  'How many texts to a client have been handed to Twilio since then, or may have been; one that it refused does not count.';
revoke all on function app.client_texts_since(uuid, timestamptz) from public, anon, authenticated, service_role;
