create or replace function app.twilio_secrets(p_account_sid text default null)
  returns table (org_id uuid, account_sid text, secret text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select a.org_id, a.account_sid, a.secret
    from app.twilio_accounts as a
   where p_account_sid is null or a.account_sid = p_account_sid
   order by a.updated_at desc, a.org_id;
end;
$$;
comment on function app.twilio_secrets(text) is
  'The encrypted auth tokens of an account that orgs have brought, each org''s own; null: of all accounts.';
revoke all on function app.twilio_secrets(text) from public, anon, authenticated, service_role;
grant execute on function app.twilio_secrets(text) to coach_os_sidecar;
