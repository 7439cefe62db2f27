create or replace function app.queue_sms(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz, p_related_entity_type text,
  p_related_entity_id uuid, p_idempotency_key text, p_template_key text default null, p_template_id uuid default null,
  p_variables jsonb default null, p_to_coach boolean default false, p_booking_version integer default null,
  p_schedule_id uuid default null, p_expires_at timestamptz default null, out message_id uuid, out refusal text
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_to text;
  v_from text;
begin
  -- Whether it may be sent is looked at again when it is (app.claim_sms): what changes until then is honoured there.
  select case
           when c.id is null and not p_to_coach then 'client_not_found'
           when coalesce(p.phone, '') !~ '\S' then 'phone_missing'
           when s.enabled is not true then 'sms_disabled'
           when s.twilio_phone_number is null then 'sms_sender_missing'
         end,
         p.phone, s.twilio_phone_number
    into refusal, v_to, v_from
    from (values (p_org_id)) as o (id)
    left join public.orgs as g on g.id = o.id
    left join public.clients as c on c.id = p_client_id and c.org_id = o.id
    left join public.sms_settings as s on s.org_id = o.id
    left join public.booking_settings as b on b.org_id = o.id
    -- A coach writes whatever helps into that field; a text needs a number.
   cross join lateral (select case
             -- What cannot be dialled is written down too, and fails with its reason (app.read_sms_phone).
             when not p_to_coach then coalesce(c.phone_e164, c.phone)
             else app.normal_phone(b.notify_phone, g.country_code)
           end) as p (phone);
  if refusal is not null then
    return;
  end if;
  -- What goes to the coach is not the client's: it is not counted as one of their texts.
  insert into public.sms_messages as m (
    org_id, client_id, to_phone, from_phone, template_id, template_key, body, variables, related_entity_type,
    related_entity_id, scheduled_for, idempotency_key, booking_version, schedule_id, expires_at
  )
  values (
    p_org_id, case when not p_to_coach then p_client_id end, v_to, v_from, p_template_id, p_template_key,
    app.cut_sms(p_body), p_variables, p_related_entity_type, p_related_entity_id, p_scheduled_for, p_idempotency_key,
    p_booking_version, p_schedule_id, p_expires_at
  )
  on conflict (idempotency_key) do nothing
  returning m.id into message_id;
  if message_id is null then
    refusal := 'sms_already_queued';
  end if;
end;
$$;
comment on function app.queue_sms(
  uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb, boolean, integer, uuid, timestamptz
) is
  'The one way into the outbox: a text to an org''s client or, p_to_coach, to the coach''s own phone '
  '(booking_settings.notify_phone), from the org''s number, once per key (null: no key). What is too long is cut '
  '(app.cut_sms). Answers the message''s id, or why there is none: client_not_found (also another org''s), '
  'phone_missing, sms_disabled (or no settings), sms_sender_missing, sms_already_queued. Suppressed numbers are the '
  'sender''s to refuse: there the refusal stays visible, and a START in the meantime counts.';
revoke all on function app.queue_sms(
  uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb, boolean, integer, uuid, timestamptz
) from public, anon, authenticated, service_role;
