create or replace function app.onboarding_form(p_token uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_org public.orgs;
begin
  select c.* into v_client from public.clients as c where c.onboarding_token = p_token;
  if not found then
    if exists (select from app.used_onboarding_tokens as u where u.token_sha256 = app.token_hash(p_token)) then
      return jsonb_build_object('status', 'completed');
    end if;
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is not, or no longer, valid; ask for a new one.';
  end if;
  select o.* into v_org from public.orgs as o where o.id = v_client.org_id;
  return jsonb_build_object(
    'status', 'open',
    'waiver_template', v_org.waiver_template,
    'waiver_version', app.text_version(v_org.waiver_template),
    'org', jsonb_build_object('name', v_org.name),
    'client', jsonb_build_object(
      'full_name', v_client.full_name, 'email', v_client.email, 'phone', v_client.phone,
      'date_of_birth', v_client.date_of_birth, 'gender', v_client.gender,
      'address_line1', v_client.address_line1, 'address_line2', v_client.address_line2, 'city', v_client.city,
      'state', v_client.state, 'postcode', v_client.postcode,
      'height_cm', v_client.height_cm, 'weight_kg', v_client.weight_kg, 'target_weight_kg', v_client.target_weight_kg,
      'goals', v_client.goals, 'health_conditions', v_client.health_conditions,
      'emergency_contact_name', v_client.emergency_contact_name,
      'emergency_contact_phone', v_client.emergency_contact_phone
    )
  );
end;
$$;
comment on function app.onboarding_form(uuid) is 'What public.onboarding_form() promises.';
revoke all on function app.onboarding_form(uuid) from public, anon, authenticated, service_role;
grant execute on function app.onboarding_form(uuid) to anon, authenticated, service_role;

create or replace function public.onboarding_form(p_token uuid) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.onboarding_form(p_token);
end;
comment on function public.onboarding_form(uuid) is
  'What the page of an onboarding link shows: {status: "open", waiver_template, waiver_version, org: {name}, client: '
  '{the fields that the form shows filled in}}. Once the form was sent: {status: "completed"} and nothing else. Errors: '
  'PT404 token_not_found.';
revoke all on function public.onboarding_form(uuid) from public, anon, authenticated, service_role;
grant execute on function public.onboarding_form(uuid) to anon, authenticated, service_role;
