create or replace function app.replace_twilio_secret(p_org_id uuid, p_old text, p_new text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update app.twilio_accounts as a set secret = p_new where a.org_id = p_org_id and a.secret = p_old;
  return found;
end;
$$;
comment on function app.replace_twilio_secret(uuid, text, text) is
  'The same token, encrypted with a newer key. False: the owner has brought another one meanwhile, which stays.';
revoke all on function app.replace_twilio_secret(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function app.replace_twilio_secret(uuid, text, text) to coach_os_sidecar;
