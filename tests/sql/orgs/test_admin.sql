-- The platform's admin pages: every read and write of theirs, and that they count another business's clients without
-- reading them.
begin;
select plan(43);

select tests.full_org('ada');
select tests.full_org('eve');
select tests.platform_admin('root');
insert into public.platform_admins (user_id, email, role)
values (tests.person('helper'), 'helper@platform.example.com', 'support'),
       (tests.person('reader'), 'reader@platform.example.com', 'readonly');
update public.orgs set created_at = '2026-01-01Z' where id = tests.id('org', 'ada');
update public.orgs set created_at = '2026-02-01Z' where id = tests.id('org', 'eve');
insert into public.clients (org_id, full_name) select tests.id('org', 'eve'), 'More' from generate_series(1, 3);

-- Who is one: the menu's own question.
select tests.act_as('root');
select isnt_empty($$select id from public.platform_admins where user_id = md5('person root')::uuid$$, 'an admin finds their row');
select tests.act_as('ada');
select is_empty($$select id from public.platform_admins where user_id = md5('person ada')::uuid$$, 'a coach finds none');

-- The list.
select tests.act_as('root');
select results_eq(
  $$select id, name, owner_email collate "default", clients_count, subscriptions_count, commission_rate
      from public.admin_orgs()$$,
  $$values (tests.id('org', 'eve'), 'eve', 'eve@example.com', 5::bigint, 2::bigint, 0.05),
           (tests.id('org', 'ada'), 'ada', 'ada@example.com', 2, 2, 0.05)$$,
  'every org, newest first, with its owner and how many clients and subscriptions');
select results_eq($$select slug, created_at from public.admin_orgs() where id = tests.id('org', 'ada')$$,
  $$select slug, created_at from public.orgs where id = tests.id('org', 'ada')$$, 'the rest as the table has it');
select results_eq($$select org_id from public.org_earnings order by org_name$$,
  $$values (tests.id('org', 'ada')), (tests.id('org', 'eve'))$$, 'with the earnings of each');
select is_empty('select 1 from public.clients', 'a client''s row stays with the business');
select is_empty('select 1 from public.subscriptions', 'so does a subscription');

-- A new org, as the page makes it: without a slug, for somebody else.
create temp table made (id uuid, name text, slug text, commission_rate numeric);
select lives_ok(
  $$with o as (insert into public.orgs (name, commission_rate) values ('For Zoe', 0.08) returning *)
    insert into made select o.id, o.name, o.slug, o.commission_rate from o$$, 'an admin makes an org');
select is((select slug from made) ~ '^org-.', true, 'it gets a slug');
select is((select commission_rate from made), 0.08, 'and the rate the admin chose');
select results_eq($$select name, owner_email, clients_count, subscriptions_count from public.admin_orgs() limit 1$$,
  $$values ('For Zoe', null::text, 0::bigint, 0::bigint)$$, 'it is listed first, without an owner, and empty');
select lives_ok($$insert into public.branding (org_id, display_name, primary_color) select id, name, '#0ea5e9' from made$$,
  'then the page sets its branding');
select lives_ok($$insert into public.booking_settings (org_id) select id from made$$, 'its settings');
select lives_ok($$insert into public.org_payout_settings (org_id) select id from made$$, 'and how it is paid');
select tests.act_as_admin();
select results_eq('select b.primary_color from public.branding as b join made on made.id = b.org_id',
  $$values ('#0ea5e9')$$, 'the branding is the one set');
select is((select count(*) from public.booking_settings as b join made on made.id = b.org_id), 1::bigint,
  'of settings there is one row');

-- One org.
select tests.act_as('root');
select results_eq('select id, name from public.orgs where id = tests.id(''org'', ''ada'')',
  $$values (tests.id('org', 'ada'), 'ada')$$, 'the org');
select results_eq(
  $$select user_id, role::text collate "default", email collate "default" from public.admin_org_members(p_org_id => tests.id('org', 'ada'))
     order by email$$,
  $$values (md5('person ada')::uuid, 'owner', 'ada@example.com'), (md5('person ada books')::uuid, 'accountant_readonly',
            'ada books@example.com'), (md5('person ada staff')::uuid, 'staff', 'ada staff@example.com')
     order by 3$$,
  'its members, as what, with the e-mail they sign in with');
select isnt_empty('select 1 from public.admin_org_members(tests.id(''org'', ''ada'')) where id is not null and created_at is not null',
  'and since when');
select is_empty('select 1 from public.admin_org_members(gen_random_uuid())', 'no org, no members');
select is_empty('select 1 from public.org_members', 'the table itself stays the org''s');
select results_eq($$select org_name from public.org_earnings where org_id = tests.id('org', 'ada')$$, $$values ('ada')$$,
  'its earnings, one row');
select results_eq($$select status from public.org_payouts where org_id = tests.id('org', 'ada') order by created_at desc$$,
  $$values ('pending')$$, 'its payouts');
select lives_ok(
  $$insert into public.org_payouts (org_id, period_start, period_end, gross_amount_cents, commission_cents, net_amount_cents,
                                    status, payout_reference)
    values (tests.id('org', 'ada'), '2026-02-01', '2026-02-28', 10000, 500, 9500, 'processing', 'PAY-1')$$,
  'a payout is begun');
select lives_ok($$update public.org_payouts set status = 'paid', paid_at = now() where payout_reference = 'PAY-1'$$, 'and paid');
select results_eq($$select status, paid_at is not null from public.org_payouts where payout_reference = 'PAY-1'$$,
  $$values ('paid', true)$$, 'as it says');
select lives_ok($$update public.orgs set commission_rate = 0.1 where id = tests.id('org', 'ada')$$, 'the rate is changed');
select throws_ok(format($$update public.orgs set %s where id = tests.id('org', 'ada')$$, w), 'PT403', 'org_is_the_coachs', why)
  from (values
    ('name = ''Theirs''', 'not its name'), ('waiver_template = ''I waive all''', 'nor what its clients sign'),
    ('commission_rate = 0.2, slug = ''theirs''', 'nor its address, along with the rate'),
    ('timezone = ''Asia/Tokyo''', 'nor its time zone')) as v (w, why);
select is((select commission_rate from public.admin_orgs() where id = tests.id('org', 'ada')), 0.1, 'as the list says');
select isnt_empty($$select 1 from public.money_events where org_id = tests.id('org', 'ada')$$, 'and the books are read');

-- Nobody else: also not who supports or only watches the platform, until somebody says what they may see.
create function pg_temp.refused(p_person text) returns text language plpgsql as $$
begin
  perform tests.act_as(p_person);
  perform 1 from public.admin_orgs();
  return 'answered';
exception when others then
  begin
    perform tests.act_as(p_person);
    perform 1 from public.admin_org_members(tests.id('org', 'ada'));
    return 'answered';
  exception when others then
    perform tests.act_as_admin();
    return sqlstate || ' ' || sqlerrm;
  end;
end;
$$;
select is(pg_temp.refused(p), 'PT403 platform_admin_required', p || ' is not answered')
  from unnest(array['ada', 'ada staff', 'ada books', 'ada client', 'nobody', 'helper', 'reader']) as p;
select tests.act_as_role('authenticated');
select throws_ok('select public.admin_orgs()', 'PT403', 'platform_admin_required', 'nor is a token without a user');
select tests.act_as_anon();
select throws_ok('select public.admin_orgs()', '42501', 'permission denied for function admin_orgs', 'nor a visitor');
select throws_ok($$select public.admin_org_members(tests.id('org', 'ada'))$$, '42501',
  'permission denied for function admin_org_members', 'about members neither');
select tests.act_as_admin();

select * from finish();
rollback;
