create or replace function app.check_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- `at time zone` would also take POSIX strings such as 'UTC+3', whose sign means the opposite of what it says.
  if not exists (select from pg_catalog.pg_timezone_names as z where z.name = new.timezone) then
    raise exception using errcode = 'PT400', message = 'timezone_unknown',
      hint = 'Use an IANA name, for example Australia/Brisbane.';
  end if;
  return new;
end;
$$;
comment on function app.check_timezone() is 'Refuses an org time zone that is not an IANA name Postgres knows.';
revoke all on function app.check_timezone() from public, anon, authenticated, service_role;

create or replace trigger orgs_timezone_is_known
  before insert or update of timezone on public.orgs
  for each row execute function app.check_timezone();
