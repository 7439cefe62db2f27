create or replace function app.read_sms_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_phone text;
begin
  v_phone := app.normal_phone(new.to_phone, (select o.country_code from public.orgs as o where o.id = new.org_id));
  if v_phone is not null then
    new.to_phone := v_phone;
  elsif new.status in ('pending', 'queued') then
    -- Not refused: that would undo the booking which this text is about. It says why it is not sent.
    new.status := 'failed';
    new.error_code := 'phone_invalid';
    new.failed_at := now();
  end if;
  return new;
end;
$$;
comment on function app.read_sms_phone() is
  'Whatever queues a text, it goes to a number in E.164 (app.normal_phone); one that is none fails at once, with the '
  'reason phone_invalid.';
revoke all on function app.read_sms_phone() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_read_phone before insert on public.sms_messages
  for each row when (new.to_phone !~ '^\+[1-9][0-9]{6,14}$') execute function app.read_sms_phone();
