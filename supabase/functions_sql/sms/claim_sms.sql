create or replace function app.claim_sms(p_now timestamptz default now(), p_limit integer default 50)
  returns table (message_id uuid, to_phone text, from_phone text, body text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_due uuid[];
  v_sending integer;
begin
  -- An empty answer means that nothing is due: what only waits or is cancelled does not end the search.
  loop
    select array_agg(d.id) into v_due
      from (
        select m.id
          from public.sms_messages as m
         where m.status in ('pending', 'queued') and m.scheduled_for <= p_now
         order by m.scheduled_for, m.id
         limit p_limit
           for update skip locked
      ) as d;
    exit when v_due is null;
    return query
    with decided as (
      select m.id,
             case
               when s.enabled is not true then 'sms_disabled'
               when app.is_phone_suppressed(m.org_id, m.to_phone) then 'number_suppressed'
               when m.related_entity_type = 'booking'
                    and (b.id is null
                         or (m.template_key = 'booking_confirmation'
                             and (b.status <> 'confirmed' or b.start_time <= p_now))
                         or (m.template_key = 'follow_up' and b.status <> 'completed'))
                 then 'booking_no_longer_stands'
               -- After a long stop of the worker, thanks for last week's session help nobody.
               when m.template_key = 'follow_up' and b.end_time < p_now - interval '48 hours' then 'too_late'
             end as refusal,
             app.next_send_time(p_now, o.timezone, s.quiet_hours_start, s.quiet_hours_end) as allowed_at
        from public.sms_messages as m
        join public.orgs as o on o.id = m.org_id
        left join public.sms_settings as s on s.org_id = m.org_id
        left join public.bookings as b on b.id = m.related_entity_id and m.related_entity_type = 'booking'
       where m.id = any (v_due)
    ),
    claimed as (
      update public.sms_messages as m
         set status = case
               when d.refusal is not null then 'cancelled'
               when d.allowed_at > p_now then 'queued'
               else 'sending'
             end,
             error_code = case when d.refusal is null and d.allowed_at > p_now then 'quiet_hours' else d.refusal end,
             scheduled_for = case when d.refusal is null then greatest(d.allowed_at, m.scheduled_for)
                                  else m.scheduled_for end,
             locked_until = case when d.refusal is null and d.allowed_at <= p_now
                                 then p_now + interval '5 minutes' end
        from decided as d
       where m.id = d.id
      returning m.id, m.to_phone, m.from_phone, m.body, m.status
    )
    select c.id, c.to_phone, c.from_phone, c.body from claimed as c where c.status = 'sending';
    get diagnostics v_sending = row_count;
    exit when v_sending > 0;
  end loop;
end;
$$;
comment on function app.claim_sms(timestamptz, integer) is
  'Hands out up to p_limit texts due at p_now, each to one caller, after looking again whether it may be sent: '
  'what may not is cancelled with the reason, what falls into quiet hours waits for their end.';
revoke all on function app.claim_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.claim_sms(timestamptz, integer) to coach_os_worker;
