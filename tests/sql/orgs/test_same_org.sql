-- Rows that refer to each other belong to the same org, and stay with it. Read from the catalogue: a new foreign key or
-- a new table with an org fails here until its trigger is there.
begin;
select plan(16);

select tests.full_org('ada');
select tests.full_org('eve');
create temp table samples as select * from tests.samples('ada');
create temp table others as select * from tests.samples('eve');
grant select on samples, others to public;

-- Every column that names a row of another table with an org, itself in a table with an org. The mirrors of the time
-- zone name the org, by two columns.
create temp view links as
select c.conrelid::regclass as table_id, t.relname as table_name, a.attname as column_name, r.relname as refers_to,
       c.confrelid, c.conkey[1] as attnum
  from pg_constraint as c
  join pg_class as t on t.oid = c.conrelid
  join pg_class as r on r.oid = c.confrelid
  join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
 where c.contype = 'f' and t.relnamespace = 'public'::regnamespace and r.relnamespace = 'public'::regnamespace
   and r.relname <> 'orgs'
   -- Nobody but a trigger of the pack writes entries, with the pack's org, for a booking found in it: test_use_session.sql.
   and t.relname <> 'session_ledger'
   and exists (select from pg_attribute as o where o.attrelid = t.oid and o.attname = 'org_id' and not o.attisdropped)
   and exists (select from pg_attribute as o where o.attrelid = r.oid and o.attname = 'org_id' and not o.attisdropped);
grant select on links to public;
select is_empty(
  $$select conrelid::regclass, conname from pg_constraint
     where contype = 'f' and connamespace = 'public'::regnamespace and cardinality(conkey) > 1
       and conname not in ('booking_settings_timezone_is_the_orgs', 'sms_settings_timezone_is_the_orgs')$$,
  'no key has two columns but the time zone''s mirrors: the API could not embed by it');
select is_empty(
  $$select t.table_name from tests.tables() as t
     where not exists (select from pg_attribute as a where a.attrelid = format('public.%I', t.table_name)::regclass
                          and a.attname = 'org_id' and not a.attisdropped)
       and t.table_name not in ('orgs', 'measurement_types', 'platform_admins', 'sms_attempts')$$,
  'every other table says whose a row is');
select is_empty(
  $$select t.table_name from tests.tables() as t
     join pg_attribute as a on a.attrelid = format('public.%I', t.table_name)::regclass and a.attname = 'org_id'
     where not exists (select from pg_constraint as c where c.contype = 'f' and c.conrelid = a.attrelid
                          and c.confrelid = 'public.orgs'::regclass and c.conkey = array[a.attnum]
                          and c.confdeltype = 'c')
       -- These go with their org by a trigger (test_audit.sql) and with their pack.
       and t.table_name not in ('audit_events', 'session_ledger')$$,
  'by a key to orgs, and goes with its org');

-- The triggers, by the catalogue: enabled, per row, before insert and before update of the column.
create temp view checks as
select g.tgrelid, g.tgname, g.tgtype, g.tgattr,
       array_remove(string_to_array(encode(g.tgargs, 'escape'), '\000'), '') as args
  from pg_trigger as g
 where g.tgfoid = 'app.check_same_org()'::regprocedure and g.tgenabled in ('O', 'A') and g.tgqual is null;
select isnt_empty('select 1 from links', 'there are columns to check');
select is_empty(
  $$select l.table_name, l.column_name, l.refers_to from links as l
     where not exists (
       select from checks as k, generate_series(1, cardinality(k.args), 2) as i
        where k.tgrelid = l.table_id and k.args[i] = l.column_name and k.args[i + 1] = l.refers_to
          and k.tgtype & 1 = 1 and k.tgtype & 2 = 2 and k.tgtype & 4 = 4 and k.tgtype & 16 = 16
          and (cardinality(k.tgattr::smallint[]) = 0 or l.attnum = any (k.tgattr::smallint[])))$$,
  'a trigger checks every one of them on insert and update');
select is_empty(
  $$select k.tgrelid::regclass, k.args[i] from checks as k, generate_series(1, cardinality(k.args), 2) as i
     where not exists (select from links as l where l.table_id = k.tgrelid and l.column_name = k.args[i]
                          and l.refers_to = k.args[i + 1])$$,
  'and nothing that is not there');

-- And by trying: ada's rows are given, one column after the other, a row of eve's. Rights are not in the way.
create function pg_temp.message_of(p_statement text) returns text language plpgsql as $$
declare
  v_returned text;
begin
  if p_statement like '% returning %' then
    execute p_statement into v_returned;
  else
    execute p_statement;
  end if;
  raise exception using errcode = 'TT000', message = concat_ws(' ', 'done', v_returned);
exception when others then
  return case sqlstate when 'TT000' then sqlerrm else sqlstate || ' ' || sqlerrm end;
end;
$$;
create temp table trials as
select l.table_name, l.column_name, s.row_id, s.sample, o.sample ->> 'id' as of_eve,
       format('update public.%I set %I = %L where ctid = %L', l.table_name, l.column_name, o.sample ->> 'id', s.row_id)
         as update_statement,
       tests.copy_of(l.table_name, s.sample || jsonb_build_object(l.column_name, o.sample ->> 'id')) as insert_statement,
       tests.copy_of(l.table_name, s.sample || jsonb_build_object(l.column_name, gen_random_uuid())) as unknown_statement,
       tests.copy_of(l.table_name, s.sample) as own_statement
  from links as l
  join lateral (select * from samples where table_name = l.table_name order by row_id limit 1) as s on true
  join lateral (select * from others where table_name = l.refers_to order by row_id limit 1) as o on true;
grant select on trials to public;
select is((select count(*) from trials), (select count(*) from links), 'every column is tried');
select is_empty(
  $$select table_name, column_name, m from trials, pg_temp.message_of(insert_statement) as m
     where m <> format('PT404 %s_not_found', column_name)$$,
  'a new row does not name another org''s row');
select is_empty(
  $$select table_name, column_name, m from trials, pg_temp.message_of(unknown_statement) as m
     where m <> format('PT404 %s_not_found', column_name)$$,
  'and is told the same as about a row that does not exist');
select is_empty(
  $$select table_name, column_name, m from trials, pg_temp.message_of(update_statement) as m
     where m <> format('PT404 %s_not_found', column_name)$$, 'nor does a row that is there');
select is_empty(
  $$select t.table_name, l.column_name, m from trials as t join links as l using (table_name, column_name),
           pg_temp.message_of(format('update public.%I set %2$I = %2$I where ctid = %3$L', t.table_name,
                                     l.column_name, t.row_id)) as m
     where m <> 'done'$$, 'what it names of its own org stays welcome');

select tests.act_as_role('service_role');
select is_empty(
  $$select table_name, column_name, m from trials, unnest(array[insert_statement, update_statement]) as s,
           pg_temp.message_of(s) as m
     where m <> format('PT404 %s_not_found', column_name)
       and not (table_name = 'money_events' and m like '42501 %')$$,
  'that holds for service_role, whom no policy stops');
select tests.act_as('ada');
select is_empty(
  $$select table_name, column_name, m from trials, unnest(array[insert_statement, update_statement]) as s,
           pg_temp.message_of(s) as m
     where m <> format('PT404 %s_not_found', column_name)
       and m not like '42501 permission denied for table %'
       and not (table_name = 'push_tokens' and m = 'done')$$,
  'and for a coach; a push token is the client''s, a coach reaches none');

-- Whoever may not write in an org at all learns nothing about what it has: the answer is row security's.
select tests.act_as('eve');
select is_empty(
  $$select table_name, column_name, m from trials,
           unnest(array[own_statement, insert_statement, unknown_statement]) as s, pg_temp.message_of(s) as m
     where m not in (format('42501 new row violates row-level security policy for table "%s"', table_name),
                     format('42501 permission denied for table %s', table_name))$$,
  'a coach of another org is not told whose a row is');

-- A row stays with its org.
select tests.act_as_admin();
create temp table moves as
select s.table_name,
       format('update public.%I set org_id = %L where ctid = %L', s.table_name, tests.id('org', 'eve'), s.row_id) as statement
  from samples as s
  join pg_attribute as a on a.attrelid = format('public.%I', s.table_name)::regclass and a.attname = 'org_id';
grant select on moves to public;
select is_empty(
  $$select table_name, m from moves, pg_temp.message_of(statement) as m
     where m <> case table_name when 'session_ledger' then 'PT403 ledger_is_append_only'
                                when 'audit_events' then 'PT403 audit_is_append_only' else 'PT403 org_is_fixed' end$$,
  'no row moves to another org, whoever asks');
select tests.act_as_role('service_role');
select is_empty(
  $$select table_name, m from moves, pg_temp.message_of(statement) as m
     where m <> 'PT403 org_is_fixed'
       and not (table_name in ('session_ledger', 'money_events', 'audit_events') and m like '42501 %')$$,
  'not even service_role');

select * from finish();
rollback;
