-- The zone names that a function may take: reading pg_timezone_names costs too much to be done at every call.
set lock_timeout = '5s';

create table app.timezones (
  name text collate "C" primary key
);
comment on table app.timezones is
  'Names that app.require_timezone() need not look up in pg_timezone_names. One that is missing costs time, nothing '
  'else; app.check_timezone() adds those that orgs use.';
-- What is not capitalised is no zone of IANA but of the server: localtime, posixrules, posix/…
insert into app.timezones (name)
select z.name from pg_catalog.pg_timezone_names as z where z.name ~ '^[A-Z]';
