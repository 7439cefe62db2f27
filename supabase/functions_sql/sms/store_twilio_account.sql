create or replace function app.store_twilio_account(
  p_user_id uuid, p_org_id uuid, p_account_sid text, p_secret text, p_phone text, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_owner(p_user_id, p_org_id);
  insert into app.twilio_accounts as a (org_id, account_sid, secret, updated_at)
  values (p_org_id, p_account_sid, p_secret, p_now)
  on conflict (org_id) do update
     set account_sid = excluded.account_sid, secret = excluded.secret, updated_at = excluded.updated_at;
  update public.sms_settings as s
     set twilio_account_sid = p_account_sid, twilio_phone_number = p_phone
   where s.org_id = p_org_id;
  return true;
exception when unique_violation then
  raise exception using errcode = 'PT409', message = 'number_taken',
    hint = 'Another business texts from this number; choose another one of your account.';
end;
$$;
comment on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz) is
  'From now on the org texts through its own Twilio account and from p_phone, a number of that account. The caller has '
  'checked both with Twilio, and p_secret is the auth token, encrypted. Raises PT404 org_not_found unless p_user_id is '
  'an owner; PT409 number_taken.';
revoke all on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz) to coach_os_sidecar;
