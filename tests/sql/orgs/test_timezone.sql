-- INFRA-02: one org time zone. orgs.timezone and its two mirrors never differ at commit, whichever is written.
begin;
select plan(26);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'Europe/Berlin');
do $$
begin
  insert into public.org_members (org_id, user_id, role)
  values (tests.id('org', 'ada'), tests.person('books'), 'accountant_readonly');
end;
$$;
create temp view zones as
select o.timezone as org, b.timezone as booking, s.timezone as sms
  from public.orgs as o
  join public.booking_settings as b on b.org_id = o.id
  join public.sms_settings as s on s.org_id = o.id
 where o.id = tests.id('org', 'ada');
grant select on zones to public;

select results_eq('select * from zones', $$values ('Australia/Brisbane', 'Australia/Brisbane', 'Australia/Brisbane')$$,
  'from birth all three are equal');

-- Writing any of the three changes all, as the coach, at once.
select tests.act_as('ada');
update public.orgs set timezone = 'America/New_York' where id = tests.id('org', 'ada');
select tests.act_as_admin();
select results_eq('select * from zones', $$values ('America/New_York', 'America/New_York', 'America/New_York')$$,
  'writing orgs.timezone changes both mirrors');
select tests.act_as('ada');
update public.booking_settings set timezone = 'Asia/Tokyo', slot_duration_mins = 45
 where org_id = tests.id('org', 'ada');
select tests.act_as_admin();
select results_eq('select * from zones', $$values ('Asia/Tokyo', 'Asia/Tokyo', 'Asia/Tokyo')$$,
  'writing booking_settings.timezone changes all three');
select is((select slot_duration_mins from public.booking_settings where org_id = tests.id('org', 'ada')), 45,
  'and what was written with it stays');
select tests.act_as('ada');
update public.sms_settings set timezone = 'Pacific/Apia' where org_id = tests.id('org', 'ada');
select tests.act_as_admin();
select results_eq('select * from zones', $$values ('Pacific/Apia', 'Pacific/Apia', 'Pacific/Apia')$$,
  'writing sms_settings.timezone changes all three');
select lives_ok('set constraints all immediate', 'and the commit may come');
set constraints all deferred;

-- The ways of the existing frontend: upserts, and whole rows with values loaded earlier.
select tests.act_as('ada');
insert into public.sms_settings (org_id, enabled, timezone) values (tests.id('org', 'ada'), true, 'Australia/Perth')
on conflict (org_id) do update set enabled = excluded.enabled, timezone = excluded.timezone;
select tests.act_as_admin();
select results_eq('select * from zones', $$values ('Australia/Perth', 'Australia/Perth', 'Australia/Perth')$$,
  'an upsert of a mirror changes all three');
update public.booking_settings set timezone = 'Europe/Paris' where org_id = tests.id('org', 'ada');
update public.sms_settings set timezone = 'Europe/Rome' where org_id = tests.id('org', 'ada');
select results_eq('select * from zones', $$values ('Europe/Rome', 'Europe/Rome', 'Europe/Rome')$$,
  'different writes in one transaction: the last one wins everywhere');
update public.orgs set timezone = 'Europe/Oslo' where id = tests.id('org', 'ada');
update public.booking_settings set timezone = 'Europe/Rome' where org_id = tests.id('org', 'ada');
select results_eq('select * from zones', $$values ('Europe/Rome', 'Europe/Rome', 'Europe/Rome')$$,
  'also when it writes an older value back');
delete from public.sms_settings where org_id = tests.id('org', 'ada');
insert into public.sms_settings (org_id, timezone) values (tests.id('org', 'ada'), 'Asia/Kathmandu');
select results_eq('select * from zones', $$values ('Asia/Kathmandu', 'Asia/Kathmandu', 'Asia/Kathmandu')$$,
  'a mirror row inserted anew changes all three');
delete from public.sms_settings where org_id = tests.id('org', 'ada');
insert into public.sms_settings (org_id, enabled) values (tests.id('org', 'ada'), true);
select results_eq('select * from zones', $$values ('Asia/Kathmandu', 'Asia/Kathmandu', 'Asia/Kathmandu')$$,
  'without a zone it takes the org''s');
delete from public.booking_settings where org_id = tests.id('org', 'ada');
insert into public.booking_settings (org_id) values (tests.id('org', 'ada'));
select results_eq('select * from zones', $$values ('Asia/Kathmandu', 'Asia/Kathmandu', 'Asia/Kathmandu')$$,
  'either does');
select lives_ok('set constraints all immediate', 'and the commit may come');
set constraints all deferred;
select is((select timezone from public.orgs where id = tests.id('org', 'eve')), 'Europe/Berlin',
  'none of this reaches another org');

-- Only IANA names, through every door.
select tests.act_as('ada');
select throws_ok($$update public.orgs set timezone = 'Mars/Phobos'$$, 'PT400', 'timezone_unknown', 'orgs');
select throws_ok($$update public.booking_settings set timezone = 'UTC+3'$$, 'PT400', 'timezone_unknown', 'booking settings');
select throws_ok($$update public.sms_settings set timezone = ''$$, 'PT400', 'timezone_unknown', 'text settings');
select throws_ok($$update public.sms_settings set timezone = null$$, '23502',
  'null value in column "timezone" of relation "sms_settings" violates not-null constraint', 'never null');

-- Only those who may change the org.
select tests.act_as('eve');
update public.orgs set timezone = 'Asia/Dubai' where id = tests.id('org', 'ada');
update public.booking_settings set timezone = 'Asia/Dubai' where org_id = tests.id('org', 'ada');
update public.sms_settings set timezone = 'Asia/Dubai' where org_id = tests.id('org', 'ada');
select tests.act_as('books');
update public.orgs set timezone = 'Asia/Dubai' where id = tests.id('org', 'ada');
update public.booking_settings set timezone = 'Asia/Dubai' where org_id = tests.id('org', 'ada');
update public.sms_settings set timezone = 'Asia/Dubai' where org_id = tests.id('org', 'ada');
select tests.act_as_admin();
select results_eq('select * from zones', $$values ('Asia/Kathmandu', 'Asia/Kathmandu', 'Asia/Kathmandu')$$,
  'a stranger and an accountant change none of the three');

-- The keys themselves, with the triggers that keep them out of the way: a commit that would leave the three different
-- fails, whatever went wrong above the constraint.
select is_empty(
  $$select t from (values ('booking_settings'), ('sms_settings')) as x (t)
     where not exists (
       select from pg_constraint as c
        where c.conrelid = format('public.%I', t)::regclass and c.confrelid = 'public.orgs'::regclass
          and c.contype = 'f' and c.convalidated and c.condeferrable and c.condeferred
          and cardinality(c.conkey) = 2 and c.confupdtype = 'c')$$,
  'both mirrors have a deferred two-column key that follows the org');
set constraints all immediate;
set constraints all deferred;
alter table public.booking_settings disable trigger booking_settings_timezone_mirror;
alter table public.sms_settings disable trigger sms_settings_timezone_mirror;
update public.booking_settings set timezone = 'Asia/Tokyo' where org_id = tests.id('org', 'ada');
select throws_ok('set constraints all immediate', '23503',
  'insert or update on table "booking_settings" violates foreign key constraint "booking_settings_timezone_is_the_orgs"',
  'a commit with a different booking_settings.timezone is refused');
update public.booking_settings set timezone = 'Asia/Kathmandu' where org_id = tests.id('org', 'ada');
select lives_ok('set constraints all immediate', 'equal again: accepted');
set constraints all deferred;
update public.sms_settings set timezone = 'Asia/Tokyo' where org_id = tests.id('org', 'ada');
select throws_ok('set constraints all immediate', '23503',
  'insert or update on table "sms_settings" violates foreign key constraint "sms_settings_timezone_is_the_orgs"',
  'a commit with a different sms_settings.timezone is refused');
update public.sms_settings set timezone = 'Asia/Kathmandu' where org_id = tests.id('org', 'ada');
update public.booking_settings set timezone = 'Europe/Berlin' where org_id = tests.id('org', 'ada');
select throws_ok('set constraints all immediate', '23503',
  'insert or update on table "booking_settings" violates foreign key constraint "booking_settings_timezone_is_the_orgs"',
  'also when another org has that zone');
update public.booking_settings set timezone = 'Asia/Kathmandu' where org_id = tests.id('org', 'ada');
select lives_ok('set constraints all immediate', 'equal again: accepted');
set constraints all deferred;
select lives_ok($$delete from public.orgs where id = tests.id('org', 'eve')$$, 'the keys let an org go with its mirrors');

select * from finish();
rollback;
