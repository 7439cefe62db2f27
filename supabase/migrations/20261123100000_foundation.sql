-- Schemas, roles and default privileges that everything after this relies on.
set lock_timeout = '5s';

-- `app` is internal: helpers, worker functions, webhook payloads, secrets. Never exposed by the API.
create schema app;
revoke all on schema app from public;
comment on schema app is 'Internal: helper and worker functions, webhook payloads, secrets. Never exposed by the API.';

create schema if not exists extensions;
create extension if not exists pgcrypto with schema extensions;

-- Sidecar and worker log in as roles that may call the functions granted to them by name and read no table.
-- coach_os_enqueuer logs in nowhere: it owns app.defer_job().
-- Roles are the cluster's, not the database's: a second database on one server finds them there.
-- Without a password neither can log in: `alter role … password` is the operator's to do.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['coach_os_sidecar', 'coach_os_worker'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      execute format('create role %I login', v_role);
    end if;
  end loop;
  if not exists (select from pg_catalog.pg_roles where rolname = 'coach_os_enqueuer') then
    create role coach_os_enqueuer nologin;
  end if;
end;
$$;
grant usage on schema app to coach_os_sidecar, coach_os_worker;

-- The job tables are Procrastinate's own: `coach-os jobs install`, run by the worker, fills this schema.
grant coach_os_worker to coach_os_enqueuer with inherit true;
grant coach_os_worker, coach_os_enqueuer to current_user with inherit true, set true;
grant usage on schema app to coach_os_enqueuer;
create schema procrastinate authorization coach_os_worker;
comment on schema procrastinate is 'Job tables of the Procrastinate library, installed by `coach-os jobs install`.';

-- Hosted Supabase opens every new object in `public` to the API roles. Here each right is granted by name.
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
-- Without `in schema`: only a global default can take back what PUBLIC has from the start.
alter default privileges revoke execute on functions from public;
