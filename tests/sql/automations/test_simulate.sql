-- The dry run: who may ask, for when, and that nothing is left of it. That it says what really happens:
-- tests/py/automations/test_simulation.py.
begin;
select plan(19);

select tests.full_org('ada');
select tests.org('eve', 'America/New_York');
delete from public.automations;
insert into public.automations (id, org_id, name, trigger, actions, guardrails)
values (tests.id('automation', 'all'), tests.id('org', 'ada'), 'All',
        '{"type": "schedule", "schedule": "0 20 * * *"}',
        '[{"type": "send_message", "params": {"body": "Hi"}}, {"type": "send_sms", "params": {"body": "Hi"}},
          {"type": "tag_client", "params": {"tag": "x"}}, {"type": "notify_trainer", "params": {"body": "Hi"}},
          {"type": "send_push", "params": {"body": "Hi"}}]',
        '{"max_per_client_per_week": 1}'),
       (tests.id('automation', 'eve'), tests.id('org', 'eve'), 'Hers', '{"type": "schedule", "schedule": "0 20 * * *"}',
        '[{"type": "tag_client", "params": {"tag": "x"}}]', '{}');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update app.risk_days set scored_on = '2027-02-28';

select throws_ok(
  format($$select * from app.simulate_automations(%L, %L, %L)$$, tests.id('org', 'ada'), p.f, p.t), 'PT400', 'period_invalid', p.why)
  from (values ('2027-03-02'::timestamptz, '2027-03-01'::timestamptz, 'it ends before it begins'),
               ('2027-03-01', '2027-04-01 00:00:01', 'more than 31 days'), (null, '2027-03-01', 'no beginning'),
               ('2027-03-01', null, 'no end'), ('-infinity', 'infinity', 'for ever')) as p (f, t, why);
select throws_ok($$select * from app.simulate_automations(gen_random_uuid(), '2027-03-01', '2027-03-02')$$, 'PT404', 'org_not_found', 'no org');
select is((select count(*) from app.simulate_automations(tests.id('org', 'ada'), '2027-03-01', '2027-03-01')), 0::bigint, 'no time: nothing');

-- A digest of every row of every table.
create function pg_temp.everything() returns text language plpgsql as $$
declare
  v_table record;
  v_all text := '';
  v_one text;
begin
  for v_table in select schemaname, tablename from pg_tables where schemaname in ('public', 'app', 'procrastinate') order by 1, 2 loop
    execute format('select md5(coalesce(string_agg(t::text, '''' order by t::text), '''')) from %I.%I as t', v_table.schemaname, v_table.tablename) into v_one;
    v_all := v_all || v_one;
  end loop;
  return md5(v_all);
end;
$$;
create temp table before as select pg_temp.everything() as digest;
create temp table simulated as
select * from app.simulate_automations(tests.id('org', 'ada'), '2027-03-01 00:00+10', '2027-03-03 00:00+10');
select is(pg_temp.everything(), (select digest from before), 'nothing is left of it in any table');
select results_eq(
  $$select due_at, fires_at, automation_id, automation_name, client_name, status, reason, jsonb_array_length(actions) from simulated$$,
  $$values ('2027-03-01 20:00+10'::timestamptz, '2027-03-01 20:00+10'::timestamptz, tests.id('automation', 'all'), 'All', 'Client Of ada', 'ok', null, 5),
           ('2027-03-01 20:00+10', '2027-03-01 20:00+10', tests.id('automation', 'all'), 'All', 'Other Client Of ada', 'ok', null, 5),
           ('2027-03-02 20:00+10', '2027-03-02 20:00+10', tests.id('automation', 'all'), 'All', 'Client Of ada', 'skipped', 'Weekly limit reached', 0),
           ('2027-03-02 20:00+10', '2027-03-02 20:00+10', tests.id('automation', 'all'), 'All', 'Other Client Of ada', 'skipped', 'Weekly limit reached', 0)$$,
  'what would be done, and what would be held back and why');
select is((select count(*) from app.simulate_automations(tests.id('org', 'ada'), '2027-03-01 20:00+10', '2027-03-02 20:00+10')), 2::bigint,
  'from, until before');
select is((select count(*) from app.simulate_automations(tests.id('org', 'ada'), '2026-03-01 00:00+10', '2026-03-02 00:00+10')), 2::bigint,
  'of a time that is over: what would have been done');
-- What is overdue now, comes first; asked about later, it is taken for done.
update public.automations set next_due_at = now() - interval '3 days' where id = tests.id('automation', 'all');
select results_eq(
  $$select distinct due_at, fires_at from app.simulate_automations(tests.id('org', 'ada'), now(), now() + interval '1 second')$$,
  $$values (now() - interval '3 days', now())$$, 'what is overdue is made up for at once');
select is((select min(due_at) from app.simulate_automations(tests.id('org', 'ada'), '2027-03-01 00:00+10', '2027-03-02 00:00+10')),
  '2027-03-01 20:00+10'::timestamptz, 'but not a year from now');

select tests.act_as('ada staff');
select is((select count(*) from public.simulate_automations(tests.id('org', 'ada'), '2027-03-01 00:00+10', '2027-03-02 00:00+10')), 2::bigint, 'staff may ask');
select throws_ok($$select * from public.simulate_automations(tests.id('org', 'eve'), '2027-03-01', '2027-03-02')$$, 'PT404', 'org_not_found', 'not about another org');
select tests.act_as('ada books');
select throws_ok($$select * from public.simulate_automations(tests.id('org', 'ada'), '2027-03-01', '2027-03-02')$$, 'PT404', 'org_not_found', 'who reads the books may not');
select tests.act_as('ada client');
select throws_ok($$select * from public.simulate_automations(tests.id('org', 'ada'), '2027-03-01', '2027-03-02')$$, 'PT404', 'org_not_found', 'nor a client');
select tests.act_as_anon();
select throws_ok($$select * from public.simulate_automations(tests.id('org', 'ada'), '2027-03-01', '2027-03-02')$$, '42501', null, 'nor anybody');
select tests.act_as_role('coach_os_sidecar');
select is((select count(*) from app.simulate_automations(tests.id('org', 'eve'), '2027-03-01 12:00Z', '2027-03-02 12:00Z')), 1::bigint, 'the command may, about any');
select tests.act_as_admin();
select * from finish();
rollback;
