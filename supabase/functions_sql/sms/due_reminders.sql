create or replace function app.due_reminders(p_from timestamptz, p_now timestamptz)
  returns table (due_at timestamptz, booking public.bookings, schedule public.sms_schedules)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_mins integer := -1;
  v_ahead interval;
begin
  -- One offset after the other, from the index of those in use; at each, the bookings that start that far ahead. What is
  -- decided already, as most of the last minutes' is, is left out before anything is worked out.
  loop
    select s.mins_offset into v_mins
      from public.sms_schedules as s
     where s.type = 'pre_session' and s.enabled and s.mins_offset > v_mins
     order by s.mins_offset
     limit 1;
    exit when not found;
    v_ahead := make_interval(mins => v_mins);
    return query
    with undecided as materialized (
      select b, s
        from public.bookings as b
        join public.sms_schedules as s
          on s.org_id = b.org_id and s.type = 'pre_session' and s.enabled and s.mins_offset = v_mins
       where b.status = 'confirmed' and b.start_time > p_from + v_ahead and b.start_time <= p_now + v_ahead
         and b.start_time > p_now
         -- A booking or a schedule that was not there at its moment has missed it.
         and b.start_time - v_ahead > b.text_version_at and b.start_time - v_ahead > s.timing_since
         and not exists (
           select from public.sms_messages as m
            where m.idempotency_key = format('reminder:%s:%s:%s', s.id, b.id, b.text_version)
         )
    )
    select (u.b).start_time - v_ahead, u.b, u.s
      from undecided as u
      join public.clients as c on c.id = (u.b).client_id and c.phone ~ '\S'
      join public.sms_settings as t on t.org_id = (u.b).org_id and t.enabled and t.twilio_phone_number is not null
     where app.switch_problem('reminder', t, c) is null
       and p_now < app.reminder_use_ends((u.b).start_time - v_ahead, (u.b).start_time, t.timezone, t)
       -- After a stop, of several only the one whose moment came last.
       and not exists (
         select from public.sms_schedules as n
          where n.org_id = (u.b).org_id and n.type = 'pre_session' and n.enabled and n.mins_offset < v_mins
            and (u.b).start_time - make_interval(mins => n.mins_offset) <= p_now
            and (u.b).start_time - make_interval(mins => n.mins_offset)
                > greatest((u.b).text_version_at, n.timing_since)
       );
  end loop;
  -- The unconfirmed warning: 26 hours ahead, to who was asked a while ago and has not answered.
  v_ahead := interval '26 hours';
  return query
  with undecided as materialized (
    select b
      from public.bookings as b
     where b.status = 'confirmed' and b.start_time > p_from + v_ahead and b.start_time <= p_now + v_ahead
       and b.start_time > p_now and b.start_time - v_ahead > b.text_version_at
       and b.client_confirmed is not true and b.confirmation_sent_at <= p_now - interval '2 hours'
       and not exists (
         select from public.sms_messages as m
          where m.idempotency_key = format('unconfirmed:%s:%s', b.id, b.text_version)
       )
  )
  select (u.b).start_time - v_ahead, u.b, null::public.sms_schedules
    from undecided as u
    join public.clients as c on c.id = (u.b).client_id and c.phone ~ '\S'
    join public.sms_settings as t on t.org_id = (u.b).org_id and t.enabled and t.twilio_phone_number is not null
   where app.switch_problem('unconfirmed_warning', t, c) is null
     and p_now < app.reminder_use_ends((u.b).start_time - v_ahead, (u.b).start_time, t.timezone, t);
end;
$$;
comment on function app.due_reminders(timestamptz, timestamptz) is
  'The reminders, and warnings of sessions that nobody has confirmed (schedule is null), whose moment is after p_from and '
  'by p_now, that are still of use at p_now and not decided on yet.';
revoke all on function app.due_reminders(timestamptz, timestamptz) from public, anon, authenticated, service_role;
