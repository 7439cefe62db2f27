create or replace function app.process_referral_signup(p_code text, p_email text, p_name text, p_now timestamptz)
  returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- A lead has a name: without one the address stands for it.
  return app.submit_referral(p_code, coalesce(nullif(btrim(p_name), ''), left(p_email, 200)), p_email, null, null, null,
                             p_now);
end;
$$;
comment on function app.process_referral_signup(text, text, text, timestamptz) is
  'What public.process_referral_signup() promises, at the instant p_now.';
revoke all on function app.process_referral_signup(text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.process_referral_signup(text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.process_referral_signup(p_code text, p_email text, p_name text default null)
  returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.process_referral_signup(p_code, p_email, p_name, now());
end;
comment on function public.process_referral_signup(text, text, text) is
  'submit_referral() for somebody of whom no more is known: lead, referral and count, once per link and e-mail address. '
  'Returns the id of the sign-up, the same however often it is sent. Errors: those of submit_referral().';
revoke all on function public.process_referral_signup(text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.process_referral_signup(text, text, text) to anon, authenticated, service_role;
