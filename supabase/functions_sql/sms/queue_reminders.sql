create or replace function app.queue_reminders(p_now timestamptz default now(), p_limit integer default 500)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_until timestamptz;
  v_from timestamptz := p_now - interval '37 hours';
  v_due record;
  v_settings public.sms_settings;
  v_queued integer := 0;
begin
  select r.queued_until into v_until from app.reminder_progress as r for no key update skip locked;
  if not found then
    return 0;  -- another worker is at it
  end if;
  -- As far back as something may still be of use: quiet hours end within a day, and then half a day. Mostly less far, only
  -- to where the last tick ended, and a little more: a booking may be committed after the moment it was made in, and two
  -- workers' clocks differ. After a clock that was wrong by more has been put right: all of it.
  if v_until <= p_now + interval '5 minutes' then
    v_from := greatest(v_from, v_until - interval '5 minutes');
  end if;
  for v_due in
    select d.due_at, d.booking, d.schedule
      from app.due_reminders(v_from, p_now) as d
     order by d.due_at, (d.booking).id
     limit p_limit
  loop
    if (v_due.schedule).id is not null then
      perform app.queue_reminder(v_due.booking, v_due.schedule, p_now);
    else
      select s.* into v_settings from public.sms_settings as s where s.org_id = (v_due.booking).org_id;
      perform app.queue_booking_sms(
        v_due.booking, 'unconfirmed_warning', 'unconfirmed', v_due.due_at, p_now, null,
        app.reminder_use_ends(v_due.due_at, (v_due.booking).start_time, v_settings.timezone, v_settings)
      );
    end if;
    v_queued := v_queued + 1;
  end loop;
  -- A full batch has left something behind it.
  v_until := case when v_queued = p_limit then v_due.due_at else p_now end;
  update app.reminder_progress as r set queued_until = v_until where r.queued_until <> v_until;
  return v_queued;
end;
$$;
comment on function app.queue_reminders(timestamptz, integer) is
  'Writes up to p_limit reminders and unconfirmed warnings that have come due by p_now to the outbox, and says how many; '
  'as many as p_limit: call again. After a stop of the worker only what is still of use (app.reminder_use_ends). Any '
  'number of callers may run it at once: one works, the others return 0.';
revoke all on function app.queue_reminders(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.queue_reminders(timestamptz, integer) to coach_os_worker;
