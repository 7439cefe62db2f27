-- Within the transaction of a batch an event may wait for somebody who waits for the batch; the timeout, shorter than
-- Postgres' own deadlock_timeout, makes it the one that gives way and is tried again.
create or replace function app.retry_webhook_events(p_now timestamptz, p_limit integer)
  returns table (applied integer, failed integer, unmatched integer)
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_row app.webhook_events;
  v_status text;
begin
  applied := 0;
  failed := 0;
  unmatched := 0;
  for v_row in
    select e.*
      from app.webhook_events as e
     where e.next_attempt_at <= p_now and e.status in ('failed', 'unmatched')
     order by e.event_created_at, e.received_at, e.id
     limit p_limit
       for update skip locked
  loop
    v_status := app.apply_webhook_event(v_row, p_now);
    if v_status = 'failed' then
      failed := failed + 1;
    elsif v_status = 'unmatched' then
      unmatched := unmatched + 1;
    else
      applied := applied + 1;
    end if;
  end loop;
  return next;
end;
$$;
comment on function app.retry_webhook_events(timestamptz, integer) is
  'Tries again the kept events that are due at p_now, p_limit at most, in the order in which Stripe made them, each in a '
  'subtransaction of its own; those that somebody else has are left. Returns how many were applied (or had nothing to '
  'do), failed again and still belong to nobody; all three 0: nothing is due.';
revoke all on function app.retry_webhook_events(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.retry_webhook_events(timestamptz, integer) to coach_os_worker;
