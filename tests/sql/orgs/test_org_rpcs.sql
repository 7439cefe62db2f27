-- What a signed-in user may ask about an org, and the session types every org starts with.
begin;
select plan(24);

select tests.full_org('ada');
select tests.full_org('eve');
select tests.platform_admin('root');
create function tests.types(p_org text) returns setof text language sql as $$
  select format('%s %s %s', t.slug, t.name, t.duration_mins) collate "default" from public.session_types as t
   where t.org_id = tests.id('org', p_org) order by t.sort_order, t.slug;
$$;

-- create_default_session_types().
create temp table at_birth as select t from tests.types('ada') as t;
select isnt_empty('select 1 from at_birth', 'an org is born with session types');
delete from public.bookings where org_id = tests.id('org', 'ada');
delete from public.session_types where org_id = tests.id('org', 'ada');
select tests.act_as('ada staff');
select lives_ok($$select public.create_default_session_types(p_org_id => tests.id('org', 'ada'))$$, 'staff ask for them');
select tests.act_as_admin();
select results_eq($$select * from tests.types('ada')$$, 'select * from at_birth', 'and the same are there again');
update public.session_types set name = 'PT', duration_mins = 45, is_active = false
 where org_id = tests.id('org', 'ada') and slug = 'pt_session';
insert into public.session_types (org_id, name, slug, sort_order) values (tests.id('org', 'ada'), 'Boxing', 'boxing', 9);
delete from public.session_types where org_id = tests.id('org', 'ada') and slug = 'consultation';
select tests.act_as_role('service_role');
select lives_ok($$select public.create_default_session_types(tests.id('org', 'ada'))$$, 'a service-role route does, too');
select lives_ok($$select public.create_default_session_types(tests.id('org', 'ada'))$$, 'as often as it likes');
select tests.act_as_admin();
select results_eq($$select * from tests.types('ada')$$,
  $$values ('pt_session PT 45'), ('short_session Short session 30'), ('consultation Consultation 30'), ('boxing Boxing 60')$$,
  'what is missing comes back, what is there stays as it is');
select is((select is_active from public.session_types where org_id = tests.id('org', 'ada') and slug = 'pt_session'), false,
  'switched off, too');
create temp table of_ada as select t.* from public.session_types as t where t.org_id = tests.id('org', 'ada');
create function pg_temp.refused(p_person text) returns text language plpgsql as $$
begin
  perform tests.act_as(p_person);
  perform public.create_default_session_types(tests.id('org', 'ada'));
  return 'done';
exception when others then
  perform tests.act_as_admin();
  return sqlstate || ' ' || sqlerrm;
end;
$$;
delete from public.session_types where org_id = tests.id('org', 'ada') and slug = 'consultation';
select is(pg_temp.refused(p), 'PT404 org_not_found', p || ' does not')
  from unnest(array['ada books', 'eve', 'ada client', 'nobody', 'root']) as p;
select tests.act_as_role('service_role');
select throws_ok($$select public.create_default_session_types(gen_random_uuid())$$, 'PT404', 'org_not_found', 'no such org');
select throws_ok($$select public.create_default_session_types(null)$$, 'PT404', 'org_not_found', 'none');
select tests.act_as_anon();
select throws_ok($$select public.create_default_session_types(tests.id('org', 'ada'))$$, '42501',
  'permission denied for function create_default_session_types', 'nor a visitor');
select tests.act_as_admin();
select is((select count(*) from public.session_types where org_id = tests.id('org', 'ada')), 3::bigint,
  'and nothing was written for them');

-- is_org_member(), org_role().
create function pg_temp.membership(p_person text, p_org uuid) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform tests.act_as(p_person);
  v_answer := format('%s %s', public.is_org_member(_org => p_org), coalesce(public.org_role(_org => p_org)::text, '-'));
  perform tests.act_as_admin();
  return v_answer;
end;
$$;
select results_eq(
  $$select p, pg_temp.membership(p, tests.id('org', 'ada'))
      from unnest(array['ada', 'ada staff', 'ada books', 'eve', 'ada client', 'nobody', 'root']) with ordinality as x (p, n)
     order by n$$,
  $$values ('ada', 't owner'), ('ada staff', 't staff'), ('ada books', 't accountant_readonly'), ('eve', 'f -'),
           ('ada client', 'f -'), ('nobody', 'f -'), ('root', 'f -')$$,
  'who is a member of ada''s org, and as what');
select is(pg_temp.membership('ada', null), 'f -', 'of no org nobody is');
select is(pg_temp.membership('ada', gen_random_uuid()), 'f -', 'nor of one that does not exist');
select tests.act_as_role('service_role');
select is(public.is_org_member(tests.id('org', 'ada')), false, 'a service-role route is nobody');
select is(public.org_role(tests.id('org', 'ada')), null, 'and has no role');
select tests.act_as_anon();
select throws_ok($$select public.is_org_member(tests.id('org', 'ada'))$$, '42501',
  'permission denied for function is_org_member', 'a visitor asks nothing');
select throws_ok($$select public.org_role(tests.id('org', 'ada'))$$, '42501',
  'permission denied for function org_role', 'of the kind');
select tests.act_as_admin();
select results_eq(
  $$select p.proname::text collate "default", array_to_string(p.proargnames, ' ') collate "default" from pg_proc as p
     where p.pronamespace = 'public'::regnamespace and p.proname in ('is_org_member', 'org_role') order by 1$$,
  $$values ('is_org_member', '_org'), ('org_role', '_org')$$, 'the argument has the contract''s name');

select * from finish();
rollback;
