create or replace function app.insert_sms_direct(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz, p_related_entity_type text,
  p_related_entity_id uuid, p_idempotency_key text, p_template_key text default null, p_template_id uuid default null,
  p_variables jsonb default null, out message_id uuid, out refusal text
)
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  refusal := case
    when coalesce(p_body, '') !~ '\S' or length(p_body) > 1600 then 'sms_body_invalid' -- Twilio's limit
    when app.is_phone_suppressed(
           p_org_id, (select c.phone from public.clients as c where c.id = p_client_id and c.org_id = p_org_id)
         ) then 'number_suppressed'
    when p_related_entity_type = 'booking' and not exists (
           select from public.bookings as b where b.id = p_related_entity_id and b.org_id = p_org_id
         ) then 'booking_not_found'
  end;
  if refusal is null then
    select q.message_id, q.refusal into message_id, refusal
      from app.queue_sms(p_org_id, p_client_id, p_body, p_scheduled_for, p_related_entity_type, p_related_entity_id,
                         p_idempotency_key, p_template_key, p_template_id, p_variables) as q;
  end if;
end;
$$;
comment on function app.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb) is
  'A text that somebody outside asks for: app.queue_sms(), and its refusals, after sms_body_invalid (blank, or longer '
  'than 1600 characters), number_suppressed, booking_not_found (related to a booking that is not the org''s).';
revoke all on function app.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function app.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb)
  to service_role;

create or replace function public.insert_sms_direct(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz default now(),
  p_related_entity_type text default null, p_related_entity_id uuid default null,
  p_idempotency_key text default null
) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select i.message_id
    from app.insert_sms_direct(p_org_id, p_client_id, p_body, coalesce(p_scheduled_for, now()), p_related_entity_type,
                               p_related_entity_id, p_idempotency_key) as i;
end;
comment on function public.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text) is
  'Queues a text to an org''s client, from p_scheduled_for on (default now). Its id; null when it was not queued: '
  'client missing or of another org, no phone, number suppressed, texting off or without a sender, body blank or '
  'longer than 1600 characters, a booking of another org, or p_idempotency_key used before.';
revoke all on function public.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text) to service_role;
