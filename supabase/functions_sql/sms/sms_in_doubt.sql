create or replace function app.sms_in_doubt(p_now timestamptz, p_limit integer)
  returns table (
    message_id uuid, attempt integer, to_phone text, from_phone text, body text, org_id uuid, account_sid text,
    secret text, attempted_at timestamptz
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Claimed long ago and never settled: its sender died. Twilio may have the text, so it is not sent again blindly.
  update public.sms_messages as m
     set status = 'unknown', error_code = 'interrupted', reconcile_at = p_now, locked_until = null
    from (
      select d.id
        from public.sms_messages as d
       where d.status = 'sending' and d.locked_until < p_now
       order by d.locked_until
       limit p_limit
         for no key update skip locked
    ) as died
   where m.id = died.id;
  return query
  with due as (
    select m.id
      from public.sms_messages as m
     where m.status = 'unknown' and m.reconcile_at <= p_now
     order by m.reconcile_at
     limit p_limit
       for no key update skip locked
  ),
  handed as (
    -- Nobody else looks for it meanwhile, and whoever dies looking is followed by another one.
    update public.sms_messages as m
       set reconcile_at = p_now + interval '5 minutes'
      from due as d
     where m.id = d.id
    returning m.id, m.attempts, m.to_phone, m.from_phone, m.body, m.org_id, m.account_sid,
              coalesce(m.attempted_at, m.created_at) as attempted_at
  )
  select h.id, h.attempts, h.to_phone, h.from_phone, h.body, h.org_id, h.account_sid, a.secret, h.attempted_at
    from handed as h
    left join app.twilio_accounts as a on a.org_id = h.org_id and a.account_sid = h.account_sid;
end;
$$;
comment on function app.sms_in_doubt(timestamptz, integer) is
  'Texts of which it is not known whether Twilio took them, each to one caller, who looks through Twilio''s list and '
  'settles them (app.settle_sms_batch): those whose sender died, and those it gave no clear answer about. secret: null '
  'with an account_sid when the org has that account no more.';
revoke all on function app.sms_in_doubt(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.sms_in_doubt(timestamptz, integer) to coach_os_worker;
