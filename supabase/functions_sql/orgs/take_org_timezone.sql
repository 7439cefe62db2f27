create or replace function app.take_org_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- No org: the foreign key says so. Not null, so that row security speaks first.
  new.timezone := coalesce((select o.timezone from public.orgs as o where o.id = new.org_id), 'Australia/Brisbane');
  return new;
end;
$$;
comment on function app.take_org_timezone() is
  'A settings row that is inserted without a time zone takes its org''s; otherwise the column''s default would become '
  'everybody''s (app.mirror_timezone).';
revoke all on function app.take_org_timezone() from public, anon, authenticated, service_role;

create or replace trigger booking_settings_take_timezone before insert on public.booking_settings
  for each row when (new.timezone = '') execute function app.take_org_timezone();
create or replace trigger sms_settings_take_timezone before insert on public.sms_settings
  for each row when (new.timezone = '') execute function app.take_org_timezone();
