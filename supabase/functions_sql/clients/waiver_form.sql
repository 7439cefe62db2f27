create or replace function app.waiver_form(p_token uuid, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_waiver public.client_waivers;
  v_client public.clients;
  v_org public.orgs;
  v_text text;
begin
  select w.* into v_waiver from public.client_waivers as w where w.token = p_token;
  if not found then
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is not, or no longer, valid; ask for a new one.';
  end if;
  if v_waiver.status = 'expired' or (v_waiver.status = 'sent' and v_waiver.expires_at <= p_now) then
    return jsonb_build_object('status', 'expired');
  end if;
  select c.* into v_client from public.clients as c where c.id = v_waiver.client_id;
  select o.* into v_org from public.orgs as o where o.id = v_waiver.org_id;
  v_text := case v_waiver.status when 'signed' then v_waiver.signed_text else v_org.waiver_template end;
  return jsonb_build_object(
    'status', v_waiver.status,
    'name', v_waiver.name,
    'signed_at', v_waiver.signed_at,
    'waiver_template', v_text,
    'waiver_version', app.text_version(v_text),
    'org', jsonb_build_object('name', v_org.name),
    'client', jsonb_build_object(
      'full_name', v_client.full_name, 'email', v_client.email, 'phone', v_client.phone,
      'date_of_birth', v_client.date_of_birth, 'address_line1', v_client.address_line1,
      'address_line2', v_client.address_line2, 'city', v_client.city, 'state', v_client.state,
      'postcode', v_client.postcode
    )
  );
end;
$$;
comment on function app.waiver_form(uuid, timestamptz) is 'What public.waiver_form() promises, at the instant p_now.';
revoke all on function app.waiver_form(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.waiver_form(uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.waiver_form(p_token uuid) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.waiver_form(p_token, now());
end;
comment on function public.waiver_form(uuid) is
  'What the page of a waiver link shows. Sent or signed: {status, name, signed_at, waiver_template, waiver_version, org: '
  '{name}, client: {full_name, email, phone, date_of_birth, address_line1, address_line2, city, state, postcode}}; of a '
  'signed one the text as it was signed. Revoked or over: {status: "expired"} and nothing else. Errors: PT404 '
  'token_not_found.';
revoke all on function public.waiver_form(uuid) from public, anon, authenticated, service_role;
grant execute on function public.waiver_form(uuid) to anon, authenticated, service_role;
