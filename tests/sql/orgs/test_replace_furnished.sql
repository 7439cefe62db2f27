-- The existing sign-up and the platform's admin page insert an org's settings right after the org, which has them from
-- birth: the insert counts, as long as nobody has touched what was there.
begin;
select plan(15);

do $$
begin
  perform tests.person('nia');
  perform tests.org('eve');
  perform tests.platform_admin('root');
end;
$$;

-- Signing up, as the page does it.
select tests.act_as('nia');
select lives_ok($$insert into public.orgs (id, name) values (tests.id('org', 'nia'), 'Nia')$$, 'a coach signs up');
select lives_ok(
  $$insert into public.branding (org_id, display_name, primary_color) values (tests.id('org', 'nia'), 'Nia!', '#abcdef')$$,
  'and inserts how the business shows itself');
select results_eq($$select display_name, primary_color from public.branding where org_id = tests.id('org', 'nia')$$,
  $$values ('Nia!', '#abcdef')$$, 'which is then so');
select lives_ok(
  $$insert into public.booking_settings (org_id, timezone) values (tests.id('org', 'nia'), 'Australia/Perth')$$,
  'and the settings');
select results_eq(
  $$select o.timezone, b.timezone from public.orgs as o join public.booking_settings as b on b.org_id = o.id
     where o.id = tests.id('org', 'nia')$$,
  $$values ('Australia/Perth', 'Australia/Perth')$$, 'with their time zone');

-- What somebody has touched stays.
select tests.act_as_admin();
create function pg_temp.touched(p_org text) returns void language plpgsql as $$
begin
  update public.orgs set created_at = now() - interval '1 day' where id = tests.id('org', p_org);
end;
$$;
select pg_temp.touched('nia');
select tests.act_as('nia');
select throws_ok(
  $$insert into public.branding (org_id, display_name) values (tests.id('org', 'nia'), 'Again')$$,
  '23505', null, 'how a business shows itself is not replaced once it was changed');
select throws_ok($$insert into public.booking_settings (org_id) values (tests.id('org', 'nia'))$$,
  '23505', null, 'nor are settings');
select lives_ok(
  $$insert into public.branding (org_id, display_name) values (tests.id('org', 'nia'), 'Again')
    on conflict (org_id) do update set display_name = excluded.display_name$$, 'an upsert changes it');
select results_eq($$select display_name, primary_color from public.branding where org_id = tests.id('org', 'nia')$$,
  $$values ('Again', '#abcdef')$$, 'what it names, and no more');

-- Who may not insert takes nothing away.
select throws_ok(
  $$insert into public.branding (org_id, display_name) values (tests.id('org', 'eve'), 'Nia')$$,
  '42501', null, 'a coach of another org inserts nothing');
select throws_ok($$insert into public.booking_settings (org_id) values (tests.id('org', 'eve'))$$,
  '42501', null, 'of either');
select tests.act_as_admin();
select results_eq(
  $$select b.display_name, s.timezone from public.branding as b join public.booking_settings as s using (org_id)
     where org_id = tests.id('org', 'eve')$$,
  $$values ('eve', 'Australia/Brisbane')$$, 'and what was there is there');

-- An admin of the platform opens an org for a coach.
select tests.act_as('root');
select lives_ok($$insert into public.orgs (id, name) values (tests.id('org', 'lou'), 'Lou')$$, 'an admin opens an org');
select lives_ok(
  $$insert into public.branding (org_id, display_name, primary_color) values (tests.id('org', 'lou'), 'Lou', '#0ea5e9');
    insert into public.booking_settings (org_id) values (tests.id('org', 'lou'));
    insert into public.org_payout_settings (org_id) values (tests.id('org', 'lou'))$$, 'and inserts its settings');
select tests.act_as_admin();
select is((select primary_color from public.branding where org_id = tests.id('org', 'lou')), '#0ea5e9',
  'as the page would have them');

select * from finish();
rollback;
