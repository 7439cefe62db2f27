create or replace function app.queue_coach_sms(
  p_org_id uuid, p_kind text, p_body text, p_entity_type text, p_entity_id uuid, p_key text, p_now timestamptz
) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  -- No client_id: it is not a text to the client, and does not count as one.
  insert into public.sms_messages as m (
    org_id, to_phone, from_phone, template_key, body, related_entity_type, related_entity_id, scheduled_for,
    idempotency_key
  )
  select s.org_id, p.phone, s.twilio_phone_number, p_kind, p_body, p_entity_type, p_entity_id, p_now, p_key
    from public.sms_settings as s
    join public.booking_settings as b on b.org_id = s.org_id
    join public.orgs as o on o.id = s.org_id
   cross join app.normal_phone(b.notify_phone, o.country_code) as p (phone)
   where s.org_id = p_org_id and s.enabled and s.twilio_phone_number is not null and p.phone is not null
  on conflict (idempotency_key) do nothing
  returning m.id;
$$;
comment on function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz) is
  'Writes a text to the coach''s own phone (booking_settings.notify_phone) to the outbox, once per key, due at p_now. '
  'Null: not queued (texting off, no sender, no phone of the coach''s, or queued before).';
revoke all on function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
