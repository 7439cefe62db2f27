-- A referral link: its page, its counts, and each sign-up once.
begin;
select plan(74);

select tests.full_org('ada');
select tests.org('eve', 'America/New_York');
delete from public.inquiries;
delete from public.referrals;
insert into public.offers (id, org_id, name, description, offer_type, price_cents, sessions_included, bonus_sessions,
                           session_duration_mins, is_active)
values (tests.id('offer', 'single'), tests.id('org', 'ada'), 'One', 'To try', 'single_session', 9000, null, 0, 45, true),
       (tests.id('offer', 'hidden'), tests.id('org', 'ada'), 'Hidden', null, 'single_session', 1, null, 0, 45, false);
update public.clients set email = 'client@example.com' where id = tests.id('client', 'ada');
update public.offers set bonus_sessions = 2 where id = tests.id('offer', 'ada');
insert into public.referral_links (id, org_id, code, name, description, reward_type, reward_value, is_active, expires_at)
values (tests.id('link', 'open'), tests.id('org', 'ada'), 'OPEN1234', 'Friends', 'internal', 'discount', 20, true, null),
       (tests.id('link', 'other'), tests.id('org', 'ada'), 'OTHER123', 'Flyer', null, 'none', null, true, null),
       (tests.id('link', 'off'), tests.id('org', 'ada'), 'OFF12345', 'Off', null, 'none', null, false, null),
       (tests.id('link', 'unset'), tests.id('org', 'ada'), 'UNSET123', 'Unset', null, 'none', null, null, null),
       (tests.id('link', 'ends'), tests.id('org', 'ada'), 'ENDS1234', 'Ends', null, 'none', null, true, '2026-05-01 10:00Z'),
       (tests.id('link', 'eve'), tests.id('org', 'eve'), 'EVE12345', 'Hers', null, 'none', null, true, null);
create function pg_temp.link(p_name text) returns public.referral_links language sql as $$
  select l.* from public.referral_links as l where l.id = tests.id('link', p_name);
$$;

-- The page.
select tests.act_as_anon();
select is(public.referral_page('OPEN1234'), jsonb_build_object(
    'link', '{"reward_type": "discount", "reward_value": 20}'::jsonb,
    'org', '{"name": "ada"}'::jsonb,
    'branding', '{"display_name": "ada", "primary_color": "#111111"}'::jsonb,
    'offers', jsonb_build_array(
      jsonb_build_object('id', tests.id('offer', 'single'), 'name', 'One', 'description', 'To try', 'price_cents', 9000,
                         'session_count', null, 'duration_minutes', 45),
      jsonb_build_object('id', tests.id('offer', 'ada'), 'name', 'Ten', 'description', null, 'price_cents', 90000,
                         'session_count', 12, 'duration_minutes', 60))),
  'what the page shows, all of it and no more; offers on sale, cheapest first');
select is(public.referral_page(' open1234 ') -> 'org', '{"name": "ada"}', 'a code may be typed in small letters');
select is(public.referral_page('EVE12345') -> 'org', '{"name": "eve"}', 'another link is another org''s');
select throws_ok(format('select public.referral_page(%L)', c), 'PT404', 'referral_not_found', 'no page: ' || w)
  from (values ('NOTHING1', 'unknown'), ('OFF12345', 'switched off'), ('UNSET123', 'never switched on'),
               ('ENDS1234', 'over'), ('', 'empty'), (null, 'none'), ('%', 'a pattern'), (repeat('X', 9999), 'long')) as v (c, w);
select throws_ok(format('select * from public.%I', t), '42501', 'permission denied for table ' || t, 'anon does not read ' || t)
  from unnest(array['referral_links', 'referrals', 'inquiries', 'offers', 'branding', 'orgs']) as t;
select throws_ok($$update public.referral_links set clicks = 1000$$,
  '42501', 'permission denied for table referral_links', 'nor sets a count');
select throws_ok($$insert into public.inquiries (org_id, name) values (tests.id('org', 'ada'), 'x')$$,
  '42501', 'permission denied for table inquiries', 'nor adds a lead past the function');

-- Clicks.
select is(public.track_referral_click('OPEN1234'), tests.id('link', 'open'), 'a visit is counted');
select is(public.track_referral_click('open1234'), tests.id('link', 'open'), 'each time');
select is(public.track_referral_click('OFF12345'), null, 'not of a link that is switched off');
select is(public.track_referral_click('ENDS1234'), null, 'nor of one that is over');
select is(public.track_referral_click('NOTHING1'), null, 'nor of none');
select tests.act_as_admin();
select results_eq($$select code, clicks from public.referral_links where clicks > 0$$, $$values ('OPEN1234', 2)$$, 'that is all');
update public.referral_links set clicks = null where id = tests.id('link', 'open');
select is(app.track_referral_click('OPEN1234', now()), tests.id('link', 'open'), 'a link that was never counted');
select is((pg_temp.link('open')).clicks, 1, 'begins at one');
select is(app.track_referral_click('ENDS1234', '2026-05-01 09:59Z'), tests.id('link', 'ends'), 'until a link ends it counts');
select is(app.track_referral_click('ENDS1234', '2026-05-01 10:00Z'), null, 'then no more');

-- What is refused.
create temp table refusals (call text, code text, why text);
insert into refusals values
  ($$'', 'a@example.com'$$, 'name_invalid', 'no name'), ($$' ', 'a@example.com'$$, 'name_invalid', 'a blank name'),
  ($$null, 'a@example.com'$$, 'name_invalid', 'a null name'),
  ($$repeat('x', 201), 'a@example.com'$$, 'name_invalid', 'a long name'),
  ($$'A', ''$$, 'email_invalid', 'no address'), ($$'A', null$$, 'email_invalid', 'a null address'),
  ($$'A', 'nobody'$$, 'email_invalid', 'not an address'),
  ($$'A', 'a@example.com', repeat('1', 41)$$, 'phone_invalid', 'a long phone'),
  ($$'A', 'a@example.com', null, repeat('x', 5001)$$, 'message_invalid', 'a long message'),
  ($$'A', 'a@example.com', null, null, array_fill('x'::text, array[21])$$, 'services_invalid', '21 services'),
  ($$'A', 'a@example.com', null, null, array[repeat('x', 201)]$$, 'services_invalid', 'a long service');
grant select on refusals to public;
select tests.act_as_anon();
select throws_ok(format('select public.submit_referral(''OPEN1234'', %s)', call), 'PT400', code, 'refused: ' || why) from refusals;
select throws_ok(format('select public.submit_referral(%L, ''A'', ''a@example.com'')', c), 'PT404', 'referral_not_found', w)
  from (values ('NOTHING1', 'an unknown link'), ('OFF12345', 'one that is off'), ('ENDS1234', 'one that is over')) as v (c, w);
select throws_ok($$select public.process_referral_signup('ENDS1234', 'a@example.com')$$, 'PT404', 'referral_not_found',
  'the short form does as the long one');
select throws_ok($$select public.process_referral_signup('OPEN1234', 'nobody')$$, 'PT400', 'email_invalid', 'there, too');
select tests.act_as_admin();
select is((select count(*) from public.inquiries) + (select count(*) from public.referrals)
          + (select sum(signups) from public.referral_links), 0::bigint, 'a refusal leaves nothing behind');

-- A sign-up, and again.
select tests.act_as_anon();
select is(public.submit_referral('open1234', ' Jo  Lee ', ' Jo@Example.com ', '0412 345 678', E'Hello\nthere ', '{One,""}'),
  '{"status": "received"}', 'a sign-up');
select is(public.submit_referral('OPEN1234', 'Jo Lee', 'jo@example.COM', null, 'Did you get this?'),
  '{"status": "received"}', 'the same person again is answered the same');
select tests.act_as_admin();
select results_eq(
  $$select org_id, name, email, phone, message, source, status::text, referral_code, services_interested, created_at
      from public.inquiries$$,
  $$values (tests.id('org', 'ada'), 'Jo Lee', 'Jo@Example.com', '+61412345678', E'Hello\nthere', 'referral', 'NEW',
            'OPEN1234', '{One}'::text[], now())$$, 'is one lead');
select results_eq(
  $$select r.org_id, r.referral_link_id, r.referred_email, r.referred_name, r.status, r.signed_up_at, i.name
      from public.referrals as r join public.inquiries as i on i.id = r.inquiry_id$$,
  $$values (tests.id('org', 'ada'), tests.id('link', 'open'), 'Jo@Example.com', 'Jo Lee', 'pending', now(), 'Jo Lee')$$,
  'one referral');
select is((pg_temp.link('open')).signups, 1, 'and one sign-up in the link''s count');
select throws_ok(
  $$insert into public.referrals (org_id, referral_link_id, referred_email)
    values (tests.id('org', 'ada'), tests.id('link', 'open'), 'JO@example.com')$$, '23505',
  'duplicate key value violates unique constraint "referrals_one_per_person_key"', 'the key holds it, too');
select tests.act_as_anon();
create temp table signup as select public.process_referral_signup('OPEN1234', 'sam@example.com') as id;
select is(public.process_referral_signup('OPEN1234', 'SAM@example.com', 'Sam'), (select id from signup),
  'the short form answers with one id, first time or not');
select isnt(public.process_referral_signup('OTHER123', 'sam@example.com', ' Sam '), (select id from signup),
  'through another link it is another sign-up');
select is(public.submit_referral('OPEN1234', 'Client', 'client@example.com'), '{"status": "received"}',
  'a client is answered like anybody');
select tests.act_as_admin();
select results_eq($$select i.name, i.email, l.code from public.referrals as r join public.inquiries as i on i.id = r.inquiry_id
    join public.referral_links as l on l.id = r.referral_link_id where i.email like 'sam%' order by l.code$$,
  $$values ('sam@example.com', 'sam@example.com', 'OPEN1234'), ('Sam', 'sam@example.com', 'OTHER123')$$,
  'each a lead; without a name the address stands for it');
select results_eq($$select (pg_temp.link('open')).signups, (pg_temp.link('other')).signups$$, $$values (3, 1)$$, 'each counted once');

-- A lead becomes a client, as the coach's page does it.
select tests.act_as('ada');
insert into public.clients (id, org_id, full_name, email, status)
values (tests.id('client', 'jo'), tests.id('org', 'ada'), 'Jo Lee', 'Jo@Example.com', 'active');
update public.inquiries set status = 'WON', converted_client_id = tests.id('client', 'jo') where email = 'Jo@Example.com';
select results_eq($$select status, referred_client_id, converted_at from public.referrals where referred_name = 'Jo Lee'$$,
  $$values ('converted', tests.id('client', 'jo'), now())$$, 'its referral is converted');
select results_eq($$select signups, conversions from public.referral_links where code = 'OPEN1234'$$, $$values (3, 1)$$,
  'and counts for the link');
select results_eq(
  $$select c.referral_code, r.referred_name from public.clients as c join public.referrals as r on r.id = c.referral_id
     where c.id = tests.id('client', 'jo')$$, $$values ('OPEN1234', 'Jo Lee')$$, 'and the client knows where from');
update public.inquiries set status = 'WON', converted_client_id = tests.id('client', 'jo') where email = 'Jo@Example.com';
update public.inquiries set status = 'WON', converted_client_id = tests.id('client', 'ada') where email = 'Jo@Example.com';
select results_eq(
  $$select conversions, (select referred_client_id from public.referrals where referred_name = 'Jo Lee')
      from public.referral_links where code = 'OPEN1234'$$,
  $$values (1, tests.id('client', 'jo'))$$, 'once, whatever is pressed again');
update public.inquiries set status = 'WON' where email = 'sam@example.com';
select is((select count(*) from public.referrals where status = 'converted'), 1::bigint, 'won without a client converts nothing');
insert into public.inquiries (id, org_id, name, referral_code)
values (tests.id('inquiry', 'own'), tests.id('org', 'ada'), 'Own', 'OPEN1234');
update public.inquiries set converted_client_id = tests.id('client', 'ada') where id = tests.id('inquiry', 'own');
select is((select conversions from public.referral_links where code = 'OPEN1234'), 1, 'nor does a lead that no link brought');
delete from public.inquiries where email = 'Jo@Example.com';
select is((select count(*) from public.referrals where referred_name = 'Jo Lee'), 1::bigint,
  'a coach who deletes the lead keeps the referral');

-- Codes.
select matches(public.generate_referral_code(tests.id('org', 'ada')), '^[0-9A-Z]{8}$', 'a code: eight digits and letters');
select matches(public.generate_referral_code(tests.id('org', 'ada'), 12), '^[0-9A-Z]{12}$', 'or as many as asked for');
select throws_ok(format('select public.generate_referral_code(tests.id(''org'', ''ada''), %L)', n), 'PT400', 'length_invalid',
  format('not %s of them', coalesce(n::text, 'null'))) from unnest(array[5, 33, null]) as n;
select throws_ok($$select public.generate_referral_code(tests.id('org', 'eve'))$$, 'PT404', 'org_not_found', 'for another org, none');
select throws_ok($$select public.generate_referral_code(gen_random_uuid())$$, 'PT404', 'org_not_found', 'for no org, none');
select tests.act_as('ada books');
select throws_ok($$select public.generate_referral_code(tests.id('org', 'ada'))$$, 'PT404', 'org_not_found', 'an accountant makes none');
select tests.act_as_anon();
select throws_ok($$select public.generate_referral_code(tests.id('org', 'ada'))$$, '42501',
  'permission denied for function generate_referral_code', 'nor does a visitor');
select tests.act_as_role('service_role');
select is((select count(distinct public.generate_referral_code(tests.id('org', 'ada'))) from generate_series(1, 200)),
  200::bigint, 'service_role does; they differ');

select * from finish();
rollback;
