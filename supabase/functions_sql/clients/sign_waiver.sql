create or replace function app.sign_waiver(p_token uuid, p_waiver_version text, p_now timestamptz) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_waiver public.client_waivers;
  v_text text;
begin
  select w.* into v_waiver from public.client_waivers as w where w.token = p_token for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is not, or no longer, valid; ask for a new one.';
  end if;
  if v_waiver.status = 'expired' or (v_waiver.status = 'sent' and v_waiver.expires_at <= p_now) then
    raise exception using errcode = 'PT410', message = 'waiver_expired',
      hint = 'This waiver can no longer be signed; ask for a new one.';
  end if;
  if v_waiver.status = 'sent' then
    v_text := app.waiver_to_sign(v_waiver.org_id, p_waiver_version);
    update public.client_waivers as w
       set status = 'signed', signed_at = p_now, signed_text = v_text, signed_version = app.text_version(v_text),
           signed_ip = app.request_ip()
     where w.id = v_waiver.id
    returning w.* into v_waiver;
  end if;
  return jsonb_build_object('status', 'signed', 'signed_at', v_waiver.signed_at);
end;
$$;
comment on function app.sign_waiver(uuid, text, timestamptz) is 'What public.sign_waiver() promises, at the instant p_now.';
revoke all on function app.sign_waiver(uuid, text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.sign_waiver(uuid, text, timestamptz) to anon, authenticated, service_role;

create or replace function public.sign_waiver(p_token uuid, p_waiver_version text default null) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.sign_waiver(p_token, p_waiver_version, now());
end;
comment on function public.sign_waiver(uuid, text) is
  'Signs the waiver of a link and keeps the text that was signed. p_waiver_version: as waiver_form() told, so that '
  'nobody signs a text they were not shown. Returns {status: "signed", signed_at}; a second call answers with the first '
  'signature and changes nothing. Errors: PT404 token_not_found, PT409 waiver_changed, PT410 waiver_expired (revoked, '
  'or over).';
revoke all on function public.sign_waiver(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.sign_waiver(uuid, text) to anon, authenticated, service_role;
