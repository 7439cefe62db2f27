create or replace function app.check_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.require_timezone(new.timezone);
  -- A zone that this server learned after the table was filled.
  insert into app.timezones (name) values (new.timezone) on conflict (name) do nothing;
  return new;
end;
$$;
comment on function app.check_timezone() is
  'Refuses an org time zone that is not an IANA name Postgres knows: see app.require_timezone.';
revoke all on function app.check_timezone() from public, anon, authenticated, service_role;

create or replace trigger orgs_timezone_is_known
  before insert or update of timezone on public.orgs
  for each row execute function app.check_timezone();
