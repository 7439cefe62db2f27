create or replace function app.queue_pending_sms(p_now timestamptz) returns integer
  language sql volatile security definer set search_path = ''
as $$
  with due as (
    select m.id
      from public.sms_messages as m
     where m.status = 'pending' and m.scheduled_for <= p_now
       for update skip locked  -- what a sender holds is on its way already
  ),
  queued as (
    update public.sms_messages as m set status = 'queued' from due as d where m.id = d.id returning m.id
  )
  select count(*)::integer from queued;
$$;
comment on function app.queue_pending_sms(timestamptz) is
  'What public.queue_pending_sms() promises, at the instant p_now.';
revoke all on function app.queue_pending_sms(timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.queue_pending_sms(timestamptz) to service_role;

create or replace function public.queue_pending_sms() returns integer
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.queue_pending_sms(now());
end;
comment on function public.queue_pending_sms() is
  'Marks the pending texts whose time has come as queued, and says how many. The worker sends due texts in either '
  'state; this is for whoever looks at the state.';
revoke all on function public.queue_pending_sms() from public, anon, authenticated, service_role;
grant execute on function public.queue_pending_sms() to service_role;
