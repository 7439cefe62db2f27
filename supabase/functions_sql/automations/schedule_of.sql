create or replace function app.schedule_of(p_trigger jsonb) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if p_trigger ->> 'type' = 'schedule' and jsonb_typeof(p_trigger -> 'schedule') = 'string' then
    return p_trigger ->> 'schedule';
  elsif p_trigger ->> 'type' = 'event' and p_trigger ->> 'event' = 'inactivity' then
    return 'daily';  -- that nothing happens is no event of its own: it is looked for once a day
  elsif p_trigger ->> 'type' = 'event' and p_trigger ->> 'event' in ('risk_red', 'payment_failed') then
    return null;
  end if;
  raise exception using errcode = 'PT400', message = 'trigger_invalid',
    hint = 'A trigger is {"type": "schedule", "schedule": …} or {"type": "event", "event": …}, where the event is '
           'inactivity, risk_red or payment_failed.';
end;
$$;
comment on function app.schedule_of(jsonb) is
  'The schedule (see app.next_due()) by which an automation with this trigger is looked at; null: only when its event '
  'happens. Error: PT400 trigger_invalid. Whether it is a schedule at all, app.next_due() says.';
revoke all on function app.schedule_of(jsonb) from public, anon, authenticated, service_role;
