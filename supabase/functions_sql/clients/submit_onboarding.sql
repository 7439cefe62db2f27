create or replace function app.submit_onboarding(
  p_token uuid, p_answers jsonb, p_waiver_version text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_new public.clients;
  v_org public.orgs;
  v_token_sha256 bytea := app.token_hash(p_token);
  v_answers_sha256 bytea := sha256(convert_to(p_answers::text, 'UTF8'));
  v_used app.used_onboarding_tokens;
  v_text text;
begin
  -- A second submission waits here for the first, and then finds the link used.
  select c.* into v_client from public.clients as c where c.onboarding_token = p_token for update;
  if not found then
    select u.* into v_used from app.used_onboarding_tokens as u where u.token_sha256 = v_token_sha256;
    if not found then
      raise exception using errcode = 'PT404', message = 'token_not_found',
        hint = 'This link is not, or no longer, valid; ask for a new one.';
    end if;
    -- Other answers are not stored, so it must not look as if they were.
    if v_used.answers_sha256 is distinct from v_answers_sha256 then
      raise exception using errcode = 'PT409', message = 'onboarding_already_completed',
        hint = 'This form was sent before; ask your coach to change what is not right.';
    end if;
    return jsonb_build_object('status', 'completed');
  end if;
  select o.* into v_org from public.orgs as o where o.id = v_client.org_id;
  v_new := jsonb_populate_record(v_client, app.clean_onboarding(
    p_answers, app.format_local(p_now, v_org.timezone, 'YYYY-MM-DD')::date, v_org.country_code));
  v_text := app.waiver_to_sign(v_client.org_id, p_waiver_version);
  update public.clients as c
     set full_name = v_new.full_name, email = v_new.email, phone = v_new.phone,
         date_of_birth = v_new.date_of_birth, gender = v_new.gender,
         address_line1 = v_new.address_line1, address_line2 = v_new.address_line2, city = v_new.city,
         state = v_new.state, postcode = v_new.postcode,
         height_cm = v_new.height_cm, weight_kg = v_new.weight_kg, target_weight_kg = v_new.target_weight_kg,
         goals = v_new.goals, health_conditions = v_new.health_conditions, injuries = v_new.injuries,
         medications = v_new.medications, dietary_restrictions = v_new.dietary_restrictions,
         emergency_contact_name = v_new.emergency_contact_name,
         emergency_contact_phone = v_new.emergency_contact_phone,
         onboarding_completed_at = p_now, onboarding_token = null
   where c.id = v_client.id;
  insert into public.client_waivers (
    org_id, client_id, name, status, source, sent_at, signed_at, signed_text, signed_version, signed_ip, created_at
  )
  values (v_client.org_id, v_client.id, 'Onboarding Waiver', 'signed', 'onboarding', p_now, p_now,
          v_text, app.text_version(v_text), app.request_ip(), p_now);
  -- A coach may give out the same link again: then this use counts.
  insert into app.used_onboarding_tokens as u (token_sha256, client_id, answers_sha256, used_at)
  values (v_token_sha256, v_client.id, v_answers_sha256, p_now)
  on conflict (token_sha256) do update
     set client_id = excluded.client_id, answers_sha256 = excluded.answers_sha256, used_at = excluded.used_at;
  if app.queue_coach_sms(
       v_client.org_id, 'onboarding_completed', jsonb_build_object('client_name', v_new.full_name), 'client',
       v_client.id, format('onboarding_completed:%s:%s', v_client.id, extract(epoch from p_now)), p_now
     ) is not null then
    insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
    values (v_client.org_id, v_client.id, 'sms', 'outbound', 'Onboarding Completed Notification',
            'The coach was told by text that the onboarding form is completed.', p_now);
  end if;
  return jsonb_build_object('status', 'completed');
end;
$$;
comment on function app.submit_onboarding(uuid, jsonb, text, timestamptz) is
  'What public.submit_onboarding() promises, at the instant p_now.';
revoke all on function app.submit_onboarding(uuid, jsonb, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.submit_onboarding(uuid, jsonb, text, timestamptz) to anon, authenticated, service_role;

create or replace function public.submit_onboarding(p_token uuid, p_answers jsonb, p_waiver_version text default null)
  returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.submit_onboarding(p_token, p_answers, p_waiver_version, now());
end;
comment on function public.submit_onboarding(uuid, jsonb, text) is
  'Stores a client''s answers, signs the org''s waiver, uses the link up and tells the coach by text where that is '
  'possible: all or nothing. A field that is left out stays as it is; an empty one becomes null. p_waiver_version: as '
  'onboarding_form() told, so that nobody signs a text they were not shown. Returns {status: "completed"}, also when '
  'the same answers come again, which changes nothing. Errors: PT404 token_not_found, PT400 answers_invalid, '
  'answer_unknown or <field>_invalid, PT409 waiver_changed, PT409 onboarding_already_completed (other answers).';
revoke all on function public.submit_onboarding(uuid, jsonb, text) from public, anon, authenticated, service_role;
grant execute on function public.submit_onboarding(uuid, jsonb, text) to anon, authenticated, service_role;
