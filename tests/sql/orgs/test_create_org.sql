begin;
select plan(32);

do $$
begin
  perform tests.person('nia');
  perform tests.person('new');
  perform tests.person('temp');
end;
$$;
create temp table before_all as
select (select count(*) from public.orgs) as orgs, (select count(*) from public.org_members) as members,
       (select count(*) from public.branding) as branding, (select count(*) from public.booking_settings) as bookings,
       (select count(*) from public.sms_settings) as sms, (select count(*) from public.session_types) as types,
       (select count(*) from public.sms_schedules) as schedules;

-- Who may not.
select tests.act_as_anon();
select throws_ok($$select public.create_org('Anon', 'Australia/Brisbane')$$,
  '42501', 'permission denied for function create_org', 'anon has no right to call it');
select tests.act_as_role('authenticated');
select throws_ok($$select public.create_org('Nobody', 'Australia/Brisbane')$$,
  'PT401', 'sign_in_required', 'a token without a user is not signed in');

-- What is refused.
select tests.act_as('nia');
select throws_ok($$select public.create_org('', 'Australia/Brisbane')$$, 'PT400', 'org_name_invalid', 'no name');
select throws_ok($$select public.create_org('   ', 'Australia/Brisbane')$$, 'PT400', 'org_name_invalid', 'a blank name');
select throws_ok($$select public.create_org(null, 'Australia/Brisbane')$$, 'PT400', 'org_name_invalid', 'a null name');
select throws_ok($$select public.create_org(repeat('x', 201), 'Australia/Brisbane')$$,
  'PT400', 'org_name_invalid', 'a name of 201 characters');
select throws_ok($$select public.create_org('Nia', 'Mars/Phobos')$$, 'PT400', 'timezone_unknown', 'an unknown zone');
select throws_ok($$select public.create_org('Nia', 'UTC+3')$$,
  'PT400', 'timezone_unknown', 'a POSIX string, whose sign means the opposite');
select throws_ok($$select public.create_org('Nia', '+10:00')$$, 'PT400', 'timezone_unknown', 'an offset is no zone');
select throws_ok($$select public.create_org('Nia', '')$$, 'PT400', 'timezone_unknown', 'an empty zone');
select throws_ok($$select public.create_org('Nia', null)$$, 'PT400', 'timezone_unknown', 'a null zone');
select throws_ok($$select public.create_org('Nia', 'australia/brisbane')$$,
  'PT400', 'timezone_unknown', 'the name as IANA spells it, so that every reader of the column knows it');
select tests.act_as_admin();
select results_eq(
  $$select (select count(*) from public.orgs), (select count(*) from public.org_members),
           (select count(*) from public.branding), (select count(*) from public.booking_settings),
           (select count(*) from public.sms_settings), (select count(*) from public.session_types),
           (select count(*) from public.sms_schedules)$$,
  'select * from before_all', 'a refusal leaves nothing behind');
-- Fails after the org's own row was written: the furnishing is part of the same whole.
alter table public.sms_schedules add constraint tests_no_schedules check (false) not valid;
select tests.act_as('nia');
select throws_ok($$select public.create_org('Nia', 'Australia/Brisbane')$$, '23514',
  'new row for relation "sms_schedules" violates check constraint "tests_no_schedules"', 'its last step fails');
select tests.act_as_admin();
select is((select count(*) from public.orgs) + (select count(*) from public.org_members),
  (select orgs + members from before_all), 'and the org goes with it');
alter table public.sms_schedules drop constraint tests_no_schedules;

-- All at once.
select tests.act_as('nia');
select is((select o.name from public.create_org('  Nia Coaching ', 'America/New_York') as o), 'Nia Coaching',
  'a coach creates an org; its name is trimmed');
select results_eq('select name, timezone from public.orgs',
  $$values ('Nia Coaching', 'America/New_York')$$, 'and sees it, and no other');
select results_eq('select user_id, role::text from public.org_members',
  $$values (md5('person nia')::uuid, 'owner')$$, 'as its owner');
select results_eq('select display_name from public.branding', $$values ('Nia Coaching')$$, 'branding');
select results_eq('select timezone from public.booking_settings', $$values ('America/New_York')$$, 'booking settings');
select results_eq('select timezone from public.sms_settings', $$values ('America/New_York')$$, 'text settings');
select isnt_empty($$select 1 from public.session_types where slug = 'pt_session' and is_active$$,
  'session types, with the one that the calendar falls back to');
select results_eq('select distinct type from public.sms_schedules where enabled order by type',
  $$values ('post_session'), ('pre_session')$$, 'text schedules: a reminder and a follow-up');
set constraints all immediate;
select pass('and the deferred keys hold');
set constraints all deferred;

-- Once per user.
create temp table first_org as select id, name, timezone from public.orgs;
select results_eq(
  $$select o.id, o.name, o.timezone from public.create_org('Another', 'Asia/Tokyo') as o$$,
  'select id, name, timezone from first_org', 'called again it returns the same org, unchanged');
select is((select count(*) from public.orgs), 1::bigint, 'and there is no second one');
select throws_ok($$select public.create_org('', 'Asia/Tokyo')$$,
  'PT400', 'org_name_invalid', 'bad input is an error the second time, too');

-- Not only owners belong to an org.
select tests.act_as_admin();
insert into public.org_members (org_id, user_id, role) select id, md5('person temp')::uuid, 'staff' from first_org;
select tests.act_as('temp');
select is((select o.id from public.create_org('Mine', 'Asia/Tokyo') as o), (select o.id from public.orgs as o),
  'a staff member gets the org they belong to');

-- Tenants are apart, and the default zone is the product's.
select tests.act_as('new');
select is((select o.timezone from public.create_org(repeat('n', 200)) as o), 'Australia/Brisbane',
  'the zone may be left out; a name of 200 characters is fine');
select is((select count(*) from public.orgs), 1::bigint, 'another coach gets an org of their own');
select tests.act_as_admin();
select is((select count(*) from public.orgs), (select orgs + 2 from before_all), 'two coaches, two orgs');
select is((select count(distinct slug) from public.orgs), (select count(*) from public.orgs), 'each with its own slug');

select * from finish();
rollback;
