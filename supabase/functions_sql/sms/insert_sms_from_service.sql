create or replace function app.insert_sms_from_service(
  p_org_id uuid, p_client_id uuid, p_template_key text, p_variables jsonb, p_scheduled_for timestamptz,
  p_related_entity_type text, p_related_entity_id uuid, p_idempotency_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_template public.sms_templates;
  v_message_id uuid;
  v_refusal text;
begin
  select t.* into v_template
    from public.sms_templates as t
   where t.org_id = p_org_id and t.template_key = p_template_key and t.is_active
   order by t.version desc
   limit 1;
  if not found then
    v_refusal := 'template_not_found';
  elsif exists (
    select from public.clients as c
     where c.id = p_client_id and c.org_id = p_org_id and c.phone ~ '\S' and c.phone_e164 is null
  ) then
    v_refusal := 'phone_invalid';
  else
    select i.message_id, i.refusal into v_message_id, v_refusal
      from app.insert_sms_direct(
        p_org_id, p_client_id,
        app.render_sms_template(
          v_template.body,
          jsonb_build_object(
            'client_name', (select split_part(btrim(c.full_name), ' ', 1) from public.clients as c
                             where c.id = p_client_id and c.org_id = p_org_id),
            'coach_name', app.coach_name(p_org_id)
          ) || case jsonb_typeof(p_variables) when 'object' then p_variables else '{}' end
        ),
        p_scheduled_for,
        p_related_entity_type, p_related_entity_id, p_idempotency_key, p_template_key, v_template.id, p_variables
      ) as i;
  end if;
  if v_refusal is not null then
    raise exception using
      errcode = case
        when v_refusal like '%\_not\_found' then 'PT404'
        when v_refusal like '%\_invalid' then 'PT400'
        else 'PT409'
      end,
      message = v_refusal,
      hint = 'The text was not queued; docs/errors.md says what this code means.';
  end if;
  return v_message_id;
end;
$$;
comment on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text) is
  'What public.insert_sms_from_service() promises.';
revoke all on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;

create or replace function public.insert_sms_from_service(
  p_org_id uuid, p_client_id uuid, p_template_key text, p_variables jsonb default '{}',
  p_scheduled_for timestamptz default now(), p_related_entity_type text default null,
  p_related_entity_id uuid default null, p_idempotency_key text default null
) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.insert_sms_from_service(p_org_id, p_client_id, p_template_key, p_variables,
                                     coalesce(p_scheduled_for, now()), p_related_entity_type, p_related_entity_id,
                                     p_idempotency_key);
end;
comment on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text) is
  'Queues a text to an org''s client with the words of the newest active version of a template, from p_scheduled_for '
  'on (default now), filled in from p_variables; client_name and coach_name need not be among them. Its id, always. '
  'Errors: PT404 template_not_found, client_not_found, booking_not_found; PT400 phone_invalid (the client''s number '
  'cannot be read), sms_body_invalid; PT409 phone_missing, '
  'number_suppressed, sms_disabled, sms_sender_missing, sms_already_queued (the key was used before).';
revoke all on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;
