create or replace function app.forget_twilio_account(p_org_id uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_had boolean;
begin
  perform app.check_owner(auth.uid(), p_org_id);
  delete from app.twilio_accounts as a where a.org_id = p_org_id;
  v_had := found;
  if v_had then
    -- The number is the account's, not the platform's.
    update public.sms_settings as s
       set twilio_account_sid = null, twilio_phone_number = null
     where s.org_id = p_org_id;
  end if;
  return v_had;
end;
$$;
comment on function app.forget_twilio_account(uuid) is 'What public.forget_twilio_account() promises.';
revoke all on function app.forget_twilio_account(uuid) from public, anon, authenticated, service_role;
grant execute on function app.forget_twilio_account(uuid) to authenticated;

create or replace function public.forget_twilio_account(p_org_id uuid) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.forget_twilio_account(p_org_id);
end;
comment on function public.forget_twilio_account(uuid) is
  'For the owner: the org''s own Twilio account is forgotten, with its number; it texts again when the platform gives it '
  'one. False: it had none. Error: PT404 org_not_found.';
revoke all on function public.forget_twilio_account(uuid) from public, anon, authenticated, service_role;
grant execute on function public.forget_twilio_account(uuid) to authenticated;
