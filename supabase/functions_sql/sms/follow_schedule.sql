create or replace function app.follow_schedule() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_now timestamptz := now();
  v_waited uuid[];
  v_booking public.bookings;
begin
  if tg_op <> 'INSERT' then
    with void as (
      update public.sms_messages as m
         set status = 'cancelled', idempotency_key = null,
             error_code = case when tg_op = 'UPDATE' and new.enabled then 'schedule_changed' else 'schedule_off' end
       where m.schedule_id = old.id and m.status in ('pending', 'queued')
      returning m.related_entity_id
    )
    select array_agg(v.related_entity_id) into v_waited from void as v;
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if not new.enabled then
    return null;
  end if;
  for v_booking in
    select b.*
      from public.bookings as b
     where b.org_id = new.org_id
       and case new.type
             -- A reminder that fell due and waits is due in its new words; what is still to come is the tick's.
             when 'pre_session' then b.id = any (v_waited) and b.status = 'confirmed' and b.start_time > v_now
                                     and b.start_time - make_interval(mins => new.mins_offset) <= v_now
             else b.status = 'completed'
                  and (b.id = any (v_waited)
                       or (b.start_time > v_now - make_interval(mins => new.mins_offset) - interval '24 hours'
                           and b.end_time + make_interval(mins => new.mins_offset) > v_now))
           end
     order by b.end_time, b.id
  loop
    if new.type = 'pre_session' then
      perform app.queue_reminder(v_booking, new, v_now);
    else
      perform app.queue_follow_up(v_booking, new, v_now);
    end if;
  end loop;
  return null;
end;
$$;
comment on function app.follow_schedule() is
  'A schedule that is edited, switched off or deleted takes back its texts that wait; edited or switched on it decides '
  'anew, by its new words and time: on what waited, and on what falls due from now on.';
revoke all on function app.follow_schedule() from public, anon, authenticated, service_role;

create or replace trigger sms_schedules_follow_insert
  after insert on public.sms_schedules
  for each row when (new.enabled and new.type = 'post_session') execute function app.follow_schedule();
create or replace trigger sms_schedules_follow_update
  after update of type, mins_offset, body, enabled on public.sms_schedules
  for each row when (
    (new.type, new.mins_offset, new.body, new.enabled) is distinct from (old.type, old.mins_offset, old.body, old.enabled)
  )
  execute function app.follow_schedule();
create or replace trigger sms_schedules_follow_delete
  before delete on public.sms_schedules
  for each row execute function app.follow_schedule();
