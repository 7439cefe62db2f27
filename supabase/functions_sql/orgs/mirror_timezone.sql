create or replace function app.mirror_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The foreign keys of both mirrors carry the change on to the other one (ON UPDATE CASCADE).
  update public.orgs as o set timezone = new.timezone where o.id = new.org_id and o.timezone <> new.timezone;
  return null;
end;
$$;
comment on function app.mirror_timezone() is
  'Writing a legacy time zone column (booking_settings, sms_settings) changes the org''s one time zone.';
revoke all on function app.mirror_timezone() from public, anon, authenticated, service_role;

create or replace trigger booking_settings_timezone_mirror
  after insert or update of timezone on public.booking_settings
  for each row execute function app.mirror_timezone();
create or replace trigger sms_settings_timezone_mirror
  after insert or update of timezone on public.sms_settings
  for each row execute function app.mirror_timezone();
