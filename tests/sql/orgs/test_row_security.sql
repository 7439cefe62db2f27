-- Who may do what. Everything is read from the catalogue, so a new table, policy, grant or
-- function is covered, or fails here, from its first day.
begin;
select plan(61);

select tests.full_org('ada');
select tests.full_org('eve');

create temp table samples as select * from tests.samples('ada');
grant select on samples to public;
select is_empty('select table_name from samples where sample is null',
  'tests.full_org() has a row in every table (a new table needs one there)');

-- Row security and policies.
select is_empty(
  $$select c.relname from pg_class as c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity$$,
  'row security is on for every table in public');
select is_empty(
  $$select c.relname from pg_class as c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm', 'f')
       and not (c.relkind = 'v' and coalesce(c.reloptions @> array['security_invoker=on'], false))$$,
  'no view in public reads with another''s rights; no materialised view, no foreign table');
select is_empty($$select tablename, policyname from pg_policies where schemaname = 'public' and roles <> '{authenticated}'$$,
  'every policy is for authenticated, and for it alone');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public' and (cmd = 'ALL' or permissive <> 'PERMISSIVE')$$,
  'every policy is for one command');
select is_empty(
  $$select tablename, cmd from pg_policies where schemaname = 'public' group by 1, 2 having count(*) > 1$$,
  'one policy per table and command');
select is_empty(
  $$select table_name from tests.tables()
     where not exists (select from pg_policies as p where p.schemaname = 'public' and p.tablename = table_name
                          and p.cmd = 'SELECT')$$,
  'every table has a policy to read it by');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public'
       and ((cmd in ('INSERT', 'UPDATE') and with_check is null) or (cmd <> 'INSERT' and qual is null)
            or coalesce(qual, '') = 'true' or coalesce(with_check, '') = 'true')$$,
  'a policy says what it is about: using, and with check on writes, never true');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public'
       and (coalesce(qual, '') || coalesce(with_check, '')) !~ '= ANY \(ARRAY\(\s*SELECT app\.my_(writable_)?org_ids'$$,
  'membership is looked up once per query, not per row');

-- anon.
select is_empty(
  $$select c.relname from pg_class as c
     where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and (has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate, references, trigger')
            or has_any_column_privilege('anon', c.oid, 'select, insert, update, references'))$$,
  'anon has no right on any table');
select is_empty(
  $$select c.relname from pg_class as c where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace)
       and case when c.relkind = 'S' then has_sequence_privilege('anon', c.oid, 'usage, select, update') end$$,
  'nor on a sequence');
select is_empty($$select tests.executable('anon', 'public')$$, 'anon may execute nothing in public');
select is_empty($$select tests.executable('anon', 'app')$$, 'nor in app');
select tests.act_as_anon();
select is_empty($$select * from tests.reach('select', 'ada') where outcome <> '42501'$$, 'anon cannot select');
select is_empty($$select * from tests.reach('insert', 'ada') where outcome <> '42501'$$, 'nor insert');
select is_empty($$select * from tests.reach('update', 'ada') where outcome <> '42501'$$, 'nor update');
select is_empty($$select * from tests.reach('delete', 'ada') where outcome <> '42501'$$, 'nor delete');
select tests.act_as_admin();

-- Functions.
select is_empty($$select p.oid::regprocedure from pg_proc as p
  where p.pronamespace = 'public'::regnamespace and p.prosecdef$$, 'no function in public runs with its owner''s rights');
select is_empty(
  $$select p.oid::regprocedure from pg_proc as p
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
       and not exists (select from unnest(p.proconfig) as c where c like 'search_path=%')$$,
  'every function has a search_path of its own');
select results_eq(
  $$select p.oid::regprocedure::text, c collate "default" from pg_proc as p, unnest(p.proconfig) as c
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace) and c like 'search_path=%'
       and c <> 'search_path=""'$$,
  $$values ('app.defer_job(text)', 'search_path=procrastinate, pg_temp')$$,
  'and it is empty, but for the one wrapper around the job library');
select is_empty(
  $$select p.oid::regprocedure from pg_proc as p
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
       and (p.proacl is null or exists (select from aclexplode(p.proacl) as a where a.grantee = 0))$$,
  'no function is open to everyone');
select is_empty(
  $$select p.proname from pg_proc as p where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
     group by p.pronamespace, p.proname having count(*) > 1$$, 'no function is overloaded');
select is_empty(
  $$select p.oid::regprocedure from pg_proc as p
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
       and obj_description(p.oid, 'pg_proc') is null$$, 'every function says what it promises');
select results_eq($$select tests.executable('authenticated', 'public')$$,
  $$values ('calendar_range(text, date, text, integer)'), ('create_org(text, text)'), ('release_session(uuid, uuid)'),
           ('use_session(uuid, uuid)')$$, 'authenticated may execute just these in public');
select results_eq($$select tests.executable('authenticated', 'app')$$,
  $$values ('calendar_range(text, date, text, integer)'), ('create_org(text, text)'), ('my_org_ids()'),
           ('my_writable_org_ids()'), ('release_session(uuid, uuid)'),
           ('use_session(uuid, uuid, timestamp with time zone)')$$,
  'and just what those and the policies call, in app');
select results_eq($$select tests.executable('service_role', 'public')$$,
  $$values ('calendar_range(text, date, text, integer)'), ('release_session(uuid, uuid)'),
           ('use_session(uuid, uuid)')$$, 'service_role may execute just these in public');
select is_empty(
  $$select r from unnest(array['anon', 'authenticated', 'service_role']) as r
     where has_schema_privilege(r, 'app', 'usage') or has_schema_privilege(r, 'procrastinate', 'usage')
        or has_schema_privilege(r, 'public', 'create')$$,
  'no API role reaches app or the job tables by name, or creates anything in public');
select tests.act_as('ada');
select throws_ok($$select app.use_session(tests.id('pack', 'ada'), null, '2020-01-01')$$,
  '42501', 'permission denied for schema app', 'so a coach cannot choose the clock of app.use_session()');
select throws_ok($$select * from app.webhook_events$$, '42501', 'permission denied for schema app',
  'nor read a webhook''s payload');
select tests.act_as_admin();

-- Tables: grants as a whole.
select results_eq(
  $$select g.table_name::text collate "default",
           string_agg(g.privilege_type, ' ' order by g.privilege_type) collate "default"
      from information_schema.role_table_grants as g
     where g.table_schema in ('public', 'app') and g.grantee = 'authenticated' group by 1 order by 1$$,
  $$values ('booking_settings', 'INSERT SELECT UPDATE'), ('bookings', 'INSERT SELECT UPDATE'),
           ('branding', 'SELECT UPDATE'), ('client_purchases', 'DELETE INSERT SELECT UPDATE'),
           ('clients', 'INSERT SELECT UPDATE'), ('money_events', 'SELECT'), ('offers', 'DELETE INSERT SELECT UPDATE'),
           ('org_members', 'SELECT'), ('orgs', 'SELECT'), ('session_ledger', 'SELECT'),
           ('session_types', 'DELETE INSERT SELECT UPDATE'), ('sms_events', 'SELECT'), ('sms_messages', 'SELECT'),
           ('sms_schedules', 'DELETE INSERT SELECT UPDATE'), ('sms_settings', 'INSERT SELECT UPDATE'),
           ('sms_suppression', 'SELECT'), ('stripe_accounts', 'SELECT')$$,
  'authenticated: the grants of every table');
select results_eq(
  $$select a.attname::text collate "default" from pg_attribute as a
     where a.attrelid = 'public.orgs'::regclass and a.attnum > 0
       and has_column_privilege('authenticated', a.attrelid, a.attnum, 'update') order by 1$$,
  $$values ('name'), ('onboarding_completed'), ('proforma_disclaimer'), ('slug'), ('timezone'), ('waiver_template')$$,
  'of its org a coach changes these columns, not the platform''s commission');
select is_empty(
  $$select g.table_name, g.grantee, g.privilege_type from information_schema.role_table_grants as g
     where g.table_schema in ('public', 'app') and g.grantee in ('authenticated', 'service_role', 'PUBLIC')
       and (g.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') or g.is_grantable = 'YES'
            or g.grantee = 'PUBLIC' or g.table_schema = 'app')$$,
  'no API role truncates, references, adds triggers, passes rights on, or has any in app');
select is_empty(
  $$select g.table_name, g.privilege_type from information_schema.role_table_grants as g
     where g.table_schema = 'public' and g.grantee = 'service_role' and g.table_name = 'session_ledger'
       and g.privilege_type <> 'SELECT'$$, 'not even service_role writes the ledger');

-- What will be made tomorrow is closed until somebody opens it.
set local role postgres;
create table public.tomorrow (id integer);
create function public.tomorrow() returns integer language sql as 'select 1';
create function app.tomorrow() returns integer language sql as 'select 1';
reset role;
select is_empty(
  $$select r from unnest(array['anon', 'authenticated', 'service_role', 'coach_os_sidecar', 'coach_os_worker']) as r
     where has_table_privilege(r, 'public.tomorrow', 'select, insert, update, delete')
        or has_function_privilege(r, 'public.tomorrow()', 'execute')
        or has_function_privilege(r, 'app.tomorrow()', 'execute')$$,
  'a new table or function opens to nobody by itself');
drop table public.tomorrow;
drop function public.tomorrow();
drop function app.tomorrow();

-- The owner, as a check on what the checks below see.
select tests.act_as('ada');
select is_empty($$select * from tests.reach('select', 'ada') where outcome in ('0', '42501')$$, 'an owner reads every table');
select is_empty(
  $$select * from tests.reach('update', 'ada')
     where has_table_privilege(format('public.%I', table_name), 'update') and outcome in ('0', '42501')$$,
  'and updates where there is a grant to');
select is_empty(
  $$select * from tests.reach('insert', 'ada')
     where has_table_privilege(format('public.%I', table_name), 'insert') and outcome = '42501'$$,
  'and inserts where there is a grant to');
select tests.act_as('ada staff');
select is_empty(
  $$select * from tests.reach('update', 'ada')
     where has_table_privilege(format('public.%I', table_name), 'update') and outcome in ('0', '42501')$$,
  'staff do, too');

-- A stranger: the owner of another org.
select tests.act_as('eve');
select is_empty($$select * from tests.reach('select', 'ada') where outcome <> '0'$$, 'a stranger sees no row of any table');
select is_empty($$select * from tests.reach('update', 'ada') where outcome not in ('0', '42501')$$, 'and updates none');
select is_empty($$select * from tests.reach('delete', 'ada') where outcome not in ('0', '42501')$$, 'and deletes none');
select is_empty($$select * from tests.reach('insert', 'ada') where outcome <> '42501'$$, 'and inserts none');
select is_empty($$select * from tests.reach('move', 'eve', 'ada') where outcome <> '42501'$$,
  'and gives none of her own to another org');
select is_empty($$select * from tests.reach('move', 'ada', 'eve') where outcome not in ('0', '42501')$$,
  'nor takes one of another org''s');
select throws_ok(
  $$insert into public.org_members (org_id, user_id, role) values (tests.id('org', 'ada'), md5('person eve')::uuid, 'owner')$$,
  '42501', 'permission denied for table org_members', 'nobody makes themselves a member');
select throws_ok($$update public.org_members set role = 'owner'$$,
  '42501', 'permission denied for table org_members', 'or more than they are');
select tests.act_as('nobody');
select is_empty($$select * from tests.reach('select', 'ada') where outcome <> '0'$$, 'a user without an org sees nothing');
select tests.act_as_role('authenticated');
select is_empty($$select * from tests.reach('select', 'ada') where outcome <> '0'$$, 'nor does a token without a user');

-- accountant_readonly.
select tests.act_as('ada books');
select is_empty(
  $$select * from tests.reach('select', 'ada')
     where table_name in ('money_events', 'client_purchases', 'offers', 'orgs', 'stripe_accounts')
       and outcome in ('0', '42501')$$, 'an accountant reads the money');
select is_empty($$select * from tests.reach('select', 'eve') where outcome <> '0'$$, 'of the own org');
select is_empty($$select * from tests.reach('update', 'ada') where outcome not in ('0', '42501')$$, 'and updates nothing');
select is_empty($$select * from tests.reach('delete', 'ada') where outcome not in ('0', '42501')$$, 'deletes nothing');
select is_empty($$select * from tests.reach('insert', 'ada') where outcome <> '42501'$$, 'inserts nothing');
select results_eq(
  $$select public.use_session(tests.id('pack', 'ada')), public.release_session(tests.id('pack', 'ada'))$$,
  $$values (false, -1)$$, 'and neither uses nor gives back a session');
select tests.act_as_admin();

-- Sidecar and worker: functions by name, no table, no more.
select is_empty(
  $$select r, c.oid::regclass from unnest(array['coach_os_sidecar', 'coach_os_worker']) as r, pg_class as c
     where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'auth'::regnamespace)
       and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and (has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate, references, trigger')
            or has_any_column_privilege(r, c.oid, 'select, insert, update, references'))$$,
  'sidecar and worker have no right on any table');
select results_eq($$select tests.executable('coach_os_sidecar', 'app')$$,
  $$values ('begin_checkout(uuid, uuid, uuid)'), ('checkout_opened(uuid, text)'),
           ('receive_sms(text, text, text, text, timestamp with time zone)'), ('receive_stripe_event(jsonb, boolean)'),
           ('record_sms_status(text, text, text, uuid, timestamp with time zone)'), ('session_discrepancies()')$$,
  'the sidecar may execute just these');
select results_eq($$select tests.executable('coach_os_worker', 'app')$$,
  $$values ('claim_sms(timestamp with time zone, integer)'),
           ('complete_past_bookings(timestamp with time zone, integer)'), ('session_discrepancies()'),
           ('settle_sms(uuid, text, text, text, timestamp with time zone)')$$,
  'the worker may execute just these');
select is_empty(
  $$select r, tests.executable(r, 'public') from unnest(array['coach_os_sidecar', 'coach_os_worker']) as r$$,
  'neither calls the coaches'' functions');
select is_empty(
  $$select r.rolname from pg_roles as r
     where r.rolname in ('coach_os_sidecar', 'coach_os_worker')
       and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls or r.rolreplication
            or exists (select from pg_auth_members as m where m.member = r.oid)
            or has_schema_privilege(r.oid, 'app', 'create') or has_schema_privilege(r.oid, 'public', 'create'))$$,
  'neither has an attribute, a membership or a schema to create in that would give it more');
-- The worker owns the job tables and the library's functions. What it can rewrite must not run as somebody stronger.
set local session_replication_role = replica;  -- the library's triggers rely on a search_path
delete from procrastinate.procrastinate_jobs;
set local session_replication_role = origin;
select tests.act_as_role('coach_os_worker');
create or replace function procrastinate.procrastinate_defer_jobs_v1(jobs procrastinate.procrastinate_job_to_defer_v1[])
returns bigint[] language plpgsql as $$
begin
  perform set_config('tests.ran_as', current_user, true);
  return '{}';
end;
$$;
select tests.act_as_admin();
insert into public.sms_messages (org_id, to_phone, from_phone, body)
values (tests.id('org', 'ada'), '+61491570156', '+15005550006', 'Hello');
select is(has_table_privilege(current_setting('tests.ran_as', true), 'public.clients', 'select'), false,
  'SQL that enqueues a job does not lend the library the migrating role''s rights');

-- Foreign keys.
select is_empty(
  $$select c.conrelid::regclass, c.conname from pg_constraint as c
     where c.contype = 'f' and c.connamespace in ('public'::regnamespace, 'app'::regnamespace)
       and not exists (
         select from pg_index as i
          where i.indrelid = c.conrelid and i.indpred is null and i.indisvalid
            and i.indnkeyatts >= cardinality(c.conkey)
            and (select array_agg(k order by k) from unnest((i.indkey::smallint[])[0:cardinality(c.conkey) - 1]) as k)
                = (select array_agg(k order by k) from unnest(c.conkey) as k))$$,
  'every foreign key has an index that leads with its columns');

select * from finish();
rollback;
