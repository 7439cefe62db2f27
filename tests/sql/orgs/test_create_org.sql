begin;
select plan(65);

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


-- The existing sign-up: three inserts, as the user who has just signed up. It gives up when one of the first two fails.
select tests.act_as_admin();
do $$
begin
  perform tests.person('sue');
  perform tests.person('tom');
  perform tests.platform_admin('root');
end;
$$;
create temp table signed_up (id uuid, name text, slug text, commission_rate numeric);
grant all on signed_up to public;
create function pg_temp.sign_up(p_name text, p_slug text) returns void language sql as $$
  with o as (insert into public.orgs (name, slug) values (p_name, p_slug) returning *)
  insert into signed_up select o.id, o.name, o.slug, o.commission_rate from o;
$$;
select tests.act_as('sue');
select lives_ok($$select pg_temp.sign_up('Sue Fit', 'sue-fit')$$, 'the sign-up inserts an org');
select results_eq('select name, slug, commission_rate from signed_up', $$values ('Sue Fit', 'sue-fit', 0.05)$$,
  'and is given the row back');
select results_eq('select name, created_by from public.orgs', $$values ('Sue Fit', md5('person sue')::uuid)$$,
  'which is theirs');
select lives_ok(
  $$insert into public.org_members (org_id, user_id, role) select id, auth.uid(), 'owner' from signed_up$$,
  'it inserts its owner, who is there already, without an error');
select results_eq('select user_id, role::text from public.org_members', $$values (md5('person sue')::uuid, 'owner')$$,
  'and there is one');
select lives_ok($$insert into public.branding (org_id, display_name) select id, name from signed_up$$,
  'and its branding, in place of what is there already');
select is((select display_name from public.branding), 'Sue Fit', 'with the name of the org');
select is((select count(*) from public.booking_settings) + (select count(*) from public.sms_settings)
          + (select count(*) from public.session_types where slug = 'pt_session')
          + (select count(*) from public.sms_schedules), 5::bigint, 'settings rows, session types and schedules, too');
select throws_ok($$insert into public.orgs (name, slug) values ('Sue Two', 'sue-two')$$,
  '23505', 'duplicate key value violates unique constraint "org_members_one_owned_org_key"',
  'a user has one org: a second is refused');
select is((select count(*) from public.orgs), 1::bigint, 'and leaves nothing behind');
select is((select o.slug from public.create_org('Sue Three') as o), 'sue-fit', 'create_org() finds the org of that sign-up');
select tests.act_as_role('authenticated');
select throws_ok($$insert into public.orgs (name, slug) values ('Nobody''s', 'nobodys')$$,
  '42501', 'new row violates row-level security policy for table "orgs"', 'an org is somebody''s');
select tests.act_as('tom');
select throws_ok($$insert into public.orgs (name, slug, created_by) values ('Hers', 'hers', md5('person sue')::uuid)$$,
  '42501', 'permission denied for table orgs', 'and not by somebody else''s word');
select throws_ok($$insert into public.orgs (name, slug) values ('Tom', 'sue-fit')$$,
  '23505', 'duplicate key value violates unique constraint "orgs_slug_key"', 'a slug is one org''s');

-- Nobody lets themselves in.
select throws_ok($$insert into public.org_members (org_id, user_id, role) select id, auth.uid(), 'owner' from signed_up$$,
  '42501', 'new row violates row-level security policy for table "org_members"', 'not as the owner');
select throws_ok($$insert into public.org_members (org_id, user_id, role) select id, auth.uid(), 'staff' from signed_up$$,
  '42501', 'new row violates row-level security policy for table "org_members"', 'not as staff');
select throws_ok(
  $$insert into public.org_members (org_id, user_id, role)
    select id, auth.uid(), 'accountant_readonly' from signed_up$$,
  '42501', 'new row violates row-level security policy for table "org_members"', 'not as the accountant');
select lives_ok($$select pg_temp.sign_up('Tom Fit', 'tom-fit')$$, 'nor with an org of one''s own');
select throws_ok(
  $$insert into public.org_members (org_id, user_id, role)
    select id, auth.uid(), 'staff' from signed_up where slug = 'sue-fit'$$,
  '42501', 'new row violates row-level security policy for table "org_members"', 'in another');
select throws_ok($$update public.org_members set org_id = (select id from signed_up where slug = 'sue-fit')$$,
  '42501', 'permission denied for table org_members', 'a membership does not move');
select throws_ok($$insert into public.org_members (org_id, user_id, role)
    select id, md5('person sue')::uuid, 'owner' from signed_up where slug = 'sue-fit'$$,
  '42501', 'new row violates row-level security policy for table "org_members"',
  'nor does it tell a stranger who is a member');
select tests.act_as('temp');
select throws_ok($$insert into public.org_members (org_id, user_id, role)
    select org_id, md5('person tom')::uuid, 'staff' from public.org_members limit 1$$,
  '42501', 'new row violates row-level security policy for table "org_members"', 'staff let nobody in');
select tests.act_as_admin();
select is((select count(*) from public.org_members where user_id = md5('person tom')::uuid), 1::bigint,
  'and so tom belongs to his own org only');

-- What the platform earns is the platform's to set.
select tests.act_as('sue');
select throws_ok('update public.orgs set commission_rate = 0', 'PT403', 'commission_rate_is_the_platforms',
  'a coach does not change the commission');
select lives_ok($$update public.orgs set commission_rate = 0.05, name = 'Sue Fitness'$$,
  'but may send it back as it was, with the rest of the row');
select throws_ok($$insert into public.orgs (name, commission_rate) values ('Cheap', 0)$$,
  'PT403', 'commission_rate_is_the_platforms', 'nor starts with another one');
select tests.act_as('root');
select lives_ok($$update public.orgs set commission_rate = 0.033 where slug = 'sue-fit'$$,
  'an admin of the platform changes it');
select lives_ok($$insert into public.orgs (name, commission_rate) values ('For Uma', 0.1) returning *$$,
  'and makes an org with one, as the admin page does');
select is((select commission_rate from public.orgs where slug = 'sue-fit'), 0.033, 'it is kept');
select is((select count(*) from public.org_members), 0::bigint, 'of an org made for somebody else the admin is no member');
select is((select o.id from public.create_org('Root Fit') as o), (select o.id from public.create_org('Root Fit') as o),
  'an admin of the platform who is a coach, too, has one org');
select results_eq('select user_id, role::text from public.org_members', $$values (md5('person root')::uuid, 'owner')$$,
  'and owns it');
select tests.act_as_admin();
update public.platform_admins set role = 'support' where user_id = md5('person root')::uuid;
select tests.act_as('root');
select is_empty($$update public.orgs set commission_rate = 0 where slug = 'sue-fit' returning 1$$,
  'support staff of the platform do not change it');
select tests.act_as_admin();

select * from finish();
rollback;
