create or replace function app.claim_sms(p_now timestamptz default now(), p_limit integer default 50)
  returns table (message_id uuid, to_phone text, from_phone text, body text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_due uuid[];
  v_orgs uuid[];
  v_busy uuid[] := '{}';
  v_org uuid;
  v_first boolean := true;
  v_sending integer;
begin
  -- An empty answer means that nothing is due: what only waits or is cancelled does not end the search.
  loop
    select array_agg(d.id), array_agg(distinct d.org_id) into v_due, v_orgs
      from (
        select m.id, m.org_id
          from public.sms_messages as m
         where m.status in ('pending', 'queued') and m.scheduled_for <= p_now and m.org_id <> all (v_busy)
         order by m.scheduled_for, m.created_at, m.id
         limit p_limit
           for update skip locked
      ) as d;
    exit when v_due is null;
    -- Senders count an org's texts in turns; each sees what the one before has claimed. Waited for in one order, and only
    -- by who holds no other turn, so that nobody waits in a circle.
    foreach v_org in array array(select o from unnest(v_orgs) as o order by hashtext(o::text)) loop
      if v_first then
        perform pg_advisory_xact_lock(7061204, hashtext(v_org::text));
      elsif not pg_try_advisory_xact_lock(7061204, hashtext(v_org::text)) then
        v_busy := v_busy || v_org;
      end if;
    end loop;
    v_first := false;
    return query
    with examined as (
      select m.id, m.org_id, m.client_id, m.scheduled_for, m.created_at, m.expires_at, t.twilio_phone_number, o.timezone,
             t.quiet_hours_start, t.quiet_hours_end, t.max_sms_per_client_per_day as per_day,
             t.max_sms_per_hour as per_hour,
             m.template_key = any (t.urgent_kinds) or (m.metadata -> 'quiet_hours_override') = 'true' as urgent,
             case
               when t.enabled is not true then 'sms_disabled'
               when t.twilio_phone_number is null then 'sms_sender_missing'
               when app.is_phone_suppressed(m.org_id, m.to_phone) then 'number_suppressed'
               else coalesce(
                 case when m.related_entity_type = 'booking' then app.booking_text_problem(m, b) end,
                 app.switch_problem(m.template_key, t, c),
                 case when m.schedule_id is not null and s.enabled is not true then 'schedule_off' end,
                 case when m.expires_at <= p_now then 'too_late' end
               )
             end as problem
        from public.sms_messages as m
        join public.orgs as o on o.id = m.org_id
        left join public.sms_settings as t on t.org_id = m.org_id
        left join public.bookings as b on b.id = m.related_entity_id and m.related_entity_type = 'booking'
        left join public.clients as c on c.id = m.client_id
        left join public.sms_schedules as s on s.id = m.schedule_id
       where m.id = any (v_due) and m.org_id <> all (v_busy)
    ),
    awake as (
      select e.*,
             case when e.urgent then p_now
                  else app.next_send_time(p_now, e.timezone, e.quiet_hours_start, e.quiet_hours_end) end as quiet_until
        from examined as e
    ),
    -- So many of a client's day, so many of an org's hour, with those of this batch that go before it.
    days as materialized (
      select d.client_id, app.client_texts_since(d.client_id, d.since) as sent
        from (
          select distinct a.client_id, app.day_start((p_now at time zone a.timezone)::date, a.timezone) as since
            from awake as a
           where a.problem is null and a.quiet_until <= p_now and a.client_id is not null and a.per_day is not null
        ) as d
    ),
    of_clients as (
      select a.id,
             d.sent + row_number() over (partition by a.client_id order by a.scheduled_for, a.created_at, a.id) as n
        from awake as a
        join days as d on d.client_id = a.client_id
       where a.problem is null and a.quiet_until <= p_now
    ),
    hours as materialized (
      select h.org_id, app.org_texts_since(h.org_id, p_now - interval '1 hour') as sent
        from (
          select distinct a.org_id
            from awake as a where a.problem is null and a.quiet_until <= p_now and a.per_hour is not null
        ) as h
    ),
    of_orgs as (
      select a.id,
             h.sent + row_number() over (partition by a.org_id order by a.scheduled_for, a.created_at, a.id) as n
        from awake as a
        join hours as h on h.org_id = a.org_id
        left join of_clients as c on c.id = a.id
       where a.problem is null and a.quiet_until <= p_now and (c.n <= a.per_day) is not false
    ),
    waiting as (
      select a.*,
             case
               when a.problem is not null then null
               when a.quiet_until > p_now then 'quiet_hours'
               when c.n > a.per_day then 'client_daily_limit'
               when o.n > a.per_hour then 'org_hourly_limit'
             end as wait_for,
             case
               when a.quiet_until > p_now then a.quiet_until
               when c.n > a.per_day then app.day_start((p_now at time zone a.timezone)::date + 1, a.timezone)
               when o.n > a.per_hour then app.next_turn(a.org_id, p_now, (o.n - a.per_hour)::integer)
             end as wait_until,
             case when c.n > a.per_day then a.per_day else a.per_hour end = 0 as never
        from awake as a
        left join of_clients as c on c.id = a.id
        left join of_orgs as o on o.id = a.id
    ),
    decided as (
      select w.id, w.twilio_phone_number, u.until,
             case
               when w.problem is not null then w.problem
               when w.wait_for <> 'quiet_hours' and w.never then w.wait_for
               when u.until >= w.expires_at then w.wait_for || '_too_late'
             end as refusal,
             w.wait_for
        from waiting as w
       cross join lateral (
         select case when w.urgent then w.wait_until
                     else app.next_send_time(w.wait_until, w.timezone, w.quiet_hours_start, w.quiet_hours_end)
                end as until
       ) as u
    ),
    claimed as (
      update public.sms_messages as m
         set status = case
               when d.refusal is not null then 'cancelled'
               when d.wait_for is not null then 'queued'
               else 'sending'
             end,
             error_code = coalesce(d.refusal, d.wait_for),
             scheduled_for = case when d.refusal is null then coalesce(d.until, m.scheduled_for) else m.scheduled_for end,
             -- Given up because of its booking or schedule, not because of whom it is for: it may come to hold again.
             idempotency_key = case when d.refusal ~ '^(booking|schedule)_' then null else m.idempotency_key end,
             from_phone = case when coalesce(d.refusal, d.wait_for) is null then d.twilio_phone_number
                               else m.from_phone end,
             locked_until = case when coalesce(d.refusal, d.wait_for) is null then p_now + interval '5 minutes' end,
             claimed_at = case when coalesce(d.refusal, d.wait_for) is null then p_now else m.claimed_at end
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
  'Hands out up to p_limit texts due at p_now, each to one caller, after looking again whether it may be sent: what '
  'holds no more, may not be sent or would come too late is cancelled with the reason; what falls into quiet hours, or '
  'is more than a client''s day or the org''s hour allows, waits for their end (docs/errors.md; app.explain_sms). The '
  'day is the org''s. Any number of callers may run it at once.';
revoke all on function app.claim_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.claim_sms(timestamptz, integer) to coach_os_worker;
