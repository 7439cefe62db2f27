create or replace function app.take_sms(p_now timestamptz, p_limit integer)
  returns table (
    message_id uuid, attempt integer, to_phone text, from_phone text, body text, org_id uuid, account_sid text,
    secret text
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_claimed uuid[] := array(select c.message_id from app.claim_sms(p_now, p_limit) as c);
begin
  return query
  update public.sms_messages as m
     set attempts = m.attempts + 1,
         attempted_at = p_now,
         account_sid = a.account_sid,
         -- The number may have changed since it was queued; it must be one of the account's.
         from_phone = coalesce(s.twilio_phone_number, m.from_phone)
    from unnest(v_claimed) as c (id)
    join public.sms_messages as t on t.id = c.id
    left join public.sms_settings as s on s.org_id = t.org_id
    left join app.twilio_accounts as a on a.org_id = t.org_id
   where m.id = c.id
  returning m.id, m.attempts, m.to_phone, m.from_phone, m.body, m.org_id, a.account_sid, a.secret;
end;
$$;
comment on function app.take_sms(timestamptz, integer) is
  'What app.claim_sms() hands out, with the number of the attempt and the account to send it through: account_sid with '
  'its encrypted token, or null for the platform''s. Whoever takes a text sends it within two minutes or not at all: '
  'after five it counts as interrupted (app.sms_in_doubt).';
revoke all on function app.take_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.take_sms(timestamptz, integer) to coach_os_worker;
