create or replace function app.send_soon() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  begin
    perform app.defer_job('sms.send_due');
  exception when others then
    -- Trouble with the job tables must not undo the booking that wrote this text; the tick will send it.
    raise warning 'sms.send_due was not enqueued (%)', sqlstate;
  end;
  return null;
end;
$$;
comment on function app.send_soon() is 'A text due at once leaves at once, not at the next minute''s tick.';
revoke all on function app.send_soon() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_send_soon
  after insert on public.sms_messages
  for each row when (new.scheduled_for <= now()) execute function app.send_soon();
