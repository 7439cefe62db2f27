create or replace function app.require_timezone(p_timezone text) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  if exists (select from app.timezones as z where z.name = p_timezone) then
    return p_timezone;
  end if;
  -- Perhaps a zone newer than the table. Not capitalised are the server's own: localtime, posixrules, posix/…
  if p_timezone ~ '^[A-Z]' and exists (select from pg_catalog.pg_timezone_names as z where z.name = p_timezone) then
    return p_timezone;
  end if;
  -- `at time zone` takes more: abbreviations, any spelling, and POSIX strings such as 'UTC+3' or 'Mars/Phobos5', whose
  -- sign means the opposite of what it says and whose name means nothing.
  raise exception using errcode = 'PT400', message = 'timezone_unknown',
    hint = 'Use an IANA name, for example Australia/Brisbane.';
end;
$$;
comment on function app.require_timezone(text) is
  'The name itself, when it is that of an IANA zone this Postgres knows, spelled as IANA spells it. '
  'Error: PT400 timezone_unknown, also for null.';
revoke all on function app.require_timezone(text) from public, anon, authenticated, service_role;
