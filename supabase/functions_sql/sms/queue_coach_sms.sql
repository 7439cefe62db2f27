create or replace function app.queue_coach_sms(
  p_org_id uuid, p_kind text, p_values jsonb, p_entity_type text, p_entity_id uuid, p_key text, p_now timestamptz
) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  select q.message_id
    from app.sms_words(p_org_id, p_kind) as w,
         app.queue_sms(p_org_id, null, app.render_sms_template(w.words, p_values), p_now, p_entity_type, p_entity_id,
                       p_key, p_kind, w.template_id, p_to_coach => true) as q;
$$;
comment on function app.queue_coach_sms(uuid, text, jsonb, text, uuid, text, timestamptz) is
  'Writes a text to the coach to the outbox, once per key, due at p_now, with the org''s words for its kind filled in '
  'from p_values. Null: not queued, for a reason that app.queue_sms() knows.';
revoke all on function app.queue_coach_sms(uuid, text, jsonb, text, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
