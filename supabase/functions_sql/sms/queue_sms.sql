create or replace function app.queue_sms(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz, p_related_entity_type text,
  p_related_entity_id uuid, p_idempotency_key text, p_template_key text default null, p_template_id uuid default null,
  p_variables jsonb default null, out message_id uuid, out refusal text
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_to text;
  v_from text;
begin
  -- Whether it may be sent is looked at again when it is (app.claim_sms): what changes until then is honoured there.
  select case
           when c.id is null then 'client_not_found'
           when coalesce(c.phone, '') !~ '\S' then 'phone_missing'
           when s.enabled is not true then 'sms_disabled'
           when s.twilio_phone_number is null then 'sms_sender_missing'
         end,
         c.phone, s.twilio_phone_number
    into refusal, v_to, v_from
    from (values (p_org_id)) as o (id)
    left join public.clients as c on c.id = p_client_id and c.org_id = o.id
    left join public.sms_settings as s on s.org_id = o.id;
  if refusal is not null then
    return;
  end if;
  insert into public.sms_messages as m (
    org_id, client_id, to_phone, from_phone, template_id, template_key, body, variables, related_entity_type,
    related_entity_id, scheduled_for, idempotency_key
  )
  values (
    p_org_id, p_client_id, v_to, v_from, p_template_id, p_template_key, p_body, p_variables, p_related_entity_type,
    p_related_entity_id, p_scheduled_for, p_idempotency_key
  )
  on conflict (idempotency_key) do nothing
  returning m.id into message_id;
  if message_id is null then
    refusal := 'sms_already_queued';
  end if;
end;
$$;
comment on function app.queue_sms(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb) is
  'The one way into the outbox: a text to an org''s client, from the org''s number, once per key (null: no key). '
  'Answers the message''s id, or why there is none: client_not_found (also another org''s), phone_missing, '
  'sms_disabled (or no settings), sms_sender_missing, sms_already_queued. Suppressed numbers are the sender''s to '
  'refuse: there the refusal stays visible, and a START in the meantime counts.';
revoke all on function app.queue_sms(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb)
  from public, anon, authenticated, service_role;
