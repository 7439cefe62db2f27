create or replace function app.keep_reply(p_client_id uuid, p_org_id uuid, p_body text, p_now timestamptz)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.message_threads (org_id, client_id) values (p_org_id, p_client_id)
  on conflict (org_id, client_id) do nothing;
  insert into public.messages (org_id, thread_id, created_at, sender_type, body)
  select t.org_id, t.id, p_now, 'client', p_body
    from public.message_threads as t
   where t.org_id = p_org_id and t.client_id = p_client_id;
  insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
  values (p_org_id, p_client_id, 'sms', 'inbound', 'Text from the client', p_body, p_now);
end;
$$;
comment on function app.keep_reply(uuid, uuid, text, timestamptz) is
  'A client''s text where the coach reads it: unread in their conversation, and on the client''s page.';
revoke all on function app.keep_reply(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
