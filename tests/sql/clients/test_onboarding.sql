-- The onboarding form: who holds the link sees what the form shows, writes what it asks, once, and nothing else.
begin;
select plan(98);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
create function pg_temp.token(p_name text) returns uuid language sql as $$ select tests.id('onboarding token', p_name); $$;
update public.orgs set waiver_template = 'I train at my own risk.' where id = tests.id('org', 'ada');
update public.clients
   set onboarding_token = pg_temp.token('ada'), email = 'jo@example.com', goals = '{Strength}', injuries = '{Knee}',
       notes = 'Pays late', experience_level = 'beginner', portal_token = gen_random_uuid()
 where id = tests.id('client', 'ada');
update public.clients set onboarding_token = pg_temp.token('eve') where id = tests.id('client', 'eve');
create function pg_temp.client(p_org text default 'ada') returns public.clients language sql as $$
  select c.* from public.clients as c where c.id = tests.id('client', p_org);
$$;

-- The form.
select tests.act_as_anon();
create temp table form as select public.onboarding_form(pg_temp.token('ada')) as f;
grant select on form to public;
select results_eq('select k from form, jsonb_object_keys(f) as k order by 1',
  $$values ('client'), ('org'), ('status'), ('waiver_template'), ('waiver_version')$$, 'the form: no more than it shows');
select results_eq($$select k from form, jsonb_object_keys(f -> 'client') as k order by 1$$,
  $$values ('address_line1'), ('address_line2'), ('city'), ('date_of_birth'), ('email'), ('emergency_contact_name'),
           ('emergency_contact_phone'), ('full_name'), ('gender'), ('goals'), ('health_conditions'), ('height_cm'),
           ('phone'), ('postcode'), ('state'), ('target_weight_kg'), ('weight_kg')$$,
  'of the client what it fills in: no id, no other token, nothing of the coach''s');
select is((select f -> 'org' from form), '{"name": "ada"}', 'of the org its name');
select results_eq(
  $$select f ->> 'status', f ->> 'waiver_template', f -> 'client' ->> 'full_name', f -> 'client' -> 'goals' from form$$,
  $$values ('open', 'I train at my own risk.', 'Client Of ada', '["Strength"]'::jsonb)$$, 'as it is stored');
select is((select f ->> 'waiver_version' from form), encode(sha256('I train at my own risk.'), 'hex'),
  'and which version of the waiver that is');
select is(public.onboarding_form(pg_temp.token('eve')) -> 'waiver_template', 'null', 'an org without a waiver has none');
select throws_ok($$select public.onboarding_form(gen_random_uuid())$$, 'PT404', 'token_not_found', 'an unknown link');
select throws_ok($$select public.onboarding_form(null)$$, 'PT404', 'token_not_found', 'no link');
select throws_ok($$select public.onboarding_form((select portal_token from public.clients limit 1))$$,
  '42501', 'permission denied for table clients', 'anon reads no table');
select throws_ok($$update public.clients set full_name = 'x' where onboarding_token = pg_temp.token('ada')$$,
  '42501', 'permission denied for table clients', 'nor writes one, token or not');
select throws_ok($$insert into public.client_waivers (org_id, client_id, status, signed_at)
    values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'signed', now())$$,
  '42501', 'permission denied for table client_waivers', 'nor signs for somebody');
select throws_ok($$select * from app.used_onboarding_tokens$$, '42501', 'permission denied for schema app',
  'nor sees which links were used');
select throws_ok($$select app.submit_onboarding(pg_temp.token('ada'), '{}', null, '2000-01-01')$$,
  '42501', 'permission denied for schema app', 'nor chooses the clock');

-- What is refused, and that it leaves nothing behind.
create temp table refusals (answers text, code text, why text);
insert into refusals values
  ('{"status": "vip"}', 'answer_unknown', 'a column that is not the form''s'),
  ('{"org_id": "b0000000-0000-0000-0000-000000000001"}', 'answer_unknown', 'another org'),
  ('{"portal_token": "b0000000-0000-0000-0000-000000000001"}', 'answer_unknown', 'another token'),
  ('{"onboarding_token": null}', 'answer_unknown', 'the token'),
  ('{"notes": "x"}', 'answer_unknown', 'the coach''s notes'),
  ('{"Full_Name": "x"}', 'answer_unknown', 'a name in other letters'),
  ('[]', 'answers_invalid', 'a list'), ('"x"', 'answers_invalid', 'a text'), ('null', 'answers_invalid', 'JSON null'),
  (null, 'answers_invalid', 'nothing'),
  (jsonb_build_object('goals', jsonb_build_array(repeat('x', 70000)))::text, 'answers_invalid', '70 kB'),
  ('{"full_name": ""}', 'full_name_invalid', 'an empty name'), ('{"full_name": "  "}', 'full_name_invalid', 'a blank name'),
  ('{"full_name": null}', 'full_name_invalid', 'a null name'), ('{"full_name": 1}', 'full_name_invalid', 'a number as name'),
  (format('{"full_name": "%s"}', repeat('x', 201)), 'full_name_invalid', 'a name of 201 characters'),
  ('{"email": "nobody"}', 'email_invalid', 'not an e-mail address'), ('{"email": "a@b"}', 'email_invalid', 'no domain'),
  ('{"email": "a b@example.com"}', 'email_invalid', 'a blank in it'), ('{"email": "@example.com"}', 'email_invalid', 'nobody'),
  ('{"email": "a@b.com, c@d.com"}', 'email_invalid', 'two of them'), ('{"email": "a@@example.com"}', 'email_invalid', 'two @'),
  (format('{"email": "%s@example.com"}', repeat('x', 250)), 'email_invalid', 'a long one'),
  (format('{"phone": "%s"}', repeat('1', 41)), 'phone_invalid', 'a phone of 41 digits'),
  ('{"phone": ["0412345678"]}', 'phone_invalid', 'a list as phone'),
  ('{"date_of_birth": "31/12/1990"}', 'date_of_birth_invalid', 'a date in another form'),
  ('{"date_of_birth": "1990-02-30"}', 'date_of_birth_invalid', 'a day that is not'),
  ('{"date_of_birth": "1899-12-31"}', 'date_of_birth_invalid', 'too long ago'),
  ('{"date_of_birth": "2999-01-01"}', 'date_of_birth_invalid', 'not yet'),
  ('{"date_of_birth": "today"}', 'date_of_birth_invalid', 'a word of Postgres'),
  ('{"date_of_birth": 19900101}', 'date_of_birth_invalid', 'a number as date'),
  ('{"gender": "unknown"}', 'gender_invalid', 'not on the list'),
  ('{"height_cm": 0}', 'height_cm_invalid', 'no height'), ('{"height_cm": -180}', 'height_cm_invalid', 'a negative one'),
  ('{"height_cm": 301}', 'height_cm_invalid', 'a giant'), ('{"height_cm": "tall"}', 'height_cm_invalid', 'a word'),
  ('{"height_cm": "NaN"}', 'height_cm_invalid', 'not a number'), ('{"height_cm": true}', 'height_cm_invalid', 'a boolean'),
  ('{"weight_kg": 1e99}', 'weight_kg_invalid', 'a hundred digits'), ('{"weight_kg": 0.001}', 'weight_kg_invalid', 'no weight'),
  ('{"target_weight_kg": [70]}', 'target_weight_kg_invalid', 'a list as number'),
  ('{"goals": "Strength"}', 'goals_invalid', 'a text as list'), ('{"goals": [1]}', 'goals_invalid', 'a list of numbers'),
  ('{"goals": [["x"]]}', 'goals_invalid', 'lists in a list'), ('{"goals": [null]}', 'goals_invalid', 'a null in it'),
  ('{"goals": {"0": "x"}}', 'goals_invalid', 'an object as list'),
  (jsonb_build_object('injuries', array_fill('x'::text, array[31]))::text, 'injuries_invalid', '31 entries'),
  (jsonb_build_object('medications', array[repeat('x', 301)])::text, 'medications_invalid', 'an entry of 301 characters'),
  (jsonb_build_object('postcode', repeat('4', 21))::text, 'postcode_invalid', 'a long postcode');
grant select on refusals to public;
select throws_ok(
  format('select public.submit_onboarding(pg_temp.token(''ada''), %L)', answers), 'PT400', code, 'refused: ' || why)
  from refusals;
select throws_ok(
  $$select public.submit_onboarding(pg_temp.token('ada'), '{"full_name": "New", "goals": [], "height_cm": 0}')$$,
  'PT400', 'height_cm_invalid', 'one wrong answer refuses them all');
select throws_ok($$select public.submit_onboarding(pg_temp.token('ada'), '{}', 'another version')$$,
  'PT409', 'waiver_changed', 'nobody signs a waiver they were not shown');
select throws_ok($$select public.submit_onboarding(gen_random_uuid(), '{"full_name": ""}')$$,
  'PT404', 'token_not_found', 'an unknown link, whatever is sent with it');
select tests.act_as_admin();
select results_eq($$select full_name, goals, onboarding_token, onboarding_completed_at from pg_temp.client()$$,
  $$values ('Client Of ada', '{Strength}'::text[], pg_temp.token('ada'), null::timestamptz)$$,
  'a refusal leaves the client as they were, and the link open');
select is((select count(*) from public.client_waivers) + (select count(*) from app.used_onboarding_tokens), 0::bigint,
  'and signs nothing');

-- What is taken.
savepoint open;
update public.booking_settings set notify_phone = '0491 570 110' where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
create temp table answers as select jsonb_build_object(
  'full_name', '  Jo' || chr(10) || ' Lee ', 'email', ' Jo.Lee@Example.com ', 'phone', '0412 345 678', 'date_of_birth', '1990-12-31',
  'gender', 'other', 'address_line1', '1 Main St', 'address_line2', '', 'city', 'Brisbane', 'state', 'QLD', 'postcode', '4000',
  'height_cm', 180, 'weight_kg', '81.555', 'target_weight_kg', '', 'goals', '[]'::jsonb,
  'health_conditions', '[" Asthma ", "", "Hay fever"]'::jsonb, 'medications', null,
  'emergency_contact_name', 'Pat', 'emergency_contact_phone', '(07) 3000 0000') as a;
grant select on answers to public;
select tests.act_as_anon();
select set_config('request.headers', '{"x-forwarded-for": "203.0.113.7, 10.0.0.1"}', true);
select is((select public.submit_onboarding(pg_temp.token('ada'), a, f ->> 'waiver_version') from answers, form),
  '{"status": "completed"}', 'the form is sent');
select set_config('request.headers', '', true);
select tests.act_as_admin();
select results_eq(
  $$select full_name, email, phone, date_of_birth, gender, address_line1, address_line2, height_cm, weight_kg,
           target_weight_kg, goals, health_conditions, medications, emergency_contact_phone from pg_temp.client()$$,
  $$values ('Jo Lee', 'Jo.Lee@Example.com', '+61412345678', '1990-12-31'::date, 'other', '1 Main St', null::text, 180::numeric,
            81.56, null::numeric, null::text[], '{Asthma,Hay fever}'::text[], null::text[], '+61730000000')$$,
  'every answer is in its column: trimmed, empty ones null, the mobile number in E.164');
select results_eq(
  $$select injuries, notes, experience_level, org_id, status from pg_temp.client()$$,
  $$values ('{Knee}'::text[], 'Pays late', 'beginner', tests.id('org', 'ada'), 'active')$$,
  'what was not asked or not answered stays');
select results_eq($$select onboarding_token, onboarding_completed_at from pg_temp.client()$$,
  $$values (null::uuid, now())$$, 'the link is used up');
select results_eq(
  $$select org_id, client_id, name, status, source, sent_at, signed_at, signed_text, signed_version, signed_ip
      from public.client_waivers$$,
  $$values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'Onboarding Waiver', 'signed', 'onboarding', now(), now(),
            'I train at my own risk.', encode(sha256('I train at my own risk.'), 'hex'), '203.0.113.7')$$,
  'the waiver is signed: its words, their version, when and from where');
select results_eq(
  $$select to_phone, from_phone, body, client_id, related_entity_id, status from public.sms_messages$$,
  $$values ('+61491570110', '+15005550001', 'Jo Lee has completed the onboarding form.', null::uuid,
            tests.id('client', 'ada'), 'pending')$$, 'the coach is told by text');
select results_eq(
  $$select client_id, type, direction, subject from public.client_communications$$,
  $$values (tests.id('client', 'ada'), 'sms', 'outbound', 'Onboarding Completed Notification')$$, 'which is on record');

-- Again.
create temp table before_again as
select (select jsonb_agg(to_jsonb(c) order by c.id) from public.clients as c) as clients,
       (select jsonb_agg(to_jsonb(w)) from public.client_waivers as w) as waivers,
       (select jsonb_agg(to_jsonb(m)) from public.sms_messages as m) as texts,
       (select jsonb_agg(to_jsonb(k)) from public.client_communications as k) as notes,
       (select jsonb_agg(to_jsonb(u)) from app.used_onboarding_tokens as u) as used;
create view pg_temp.after_again as
select (select jsonb_agg(to_jsonb(c) order by c.id) from public.clients as c) as clients,
       (select jsonb_agg(to_jsonb(w)) from public.client_waivers as w) as waivers,
       (select jsonb_agg(to_jsonb(m)) from public.sms_messages as m) as texts,
       (select jsonb_agg(to_jsonb(k)) from public.client_communications as k) as notes,
       (select jsonb_agg(to_jsonb(u)) from app.used_onboarding_tokens as u) as used;
update public.orgs set waiver_template = 'New words.' where id = tests.id('org', 'ada');
select tests.act_as_anon();
select is((select public.submit_onboarding(pg_temp.token('ada'), a, f ->> 'waiver_version') from answers, form),
  '{"status": "completed"}', 'the same answers again are answered the same');
select throws_ok($$select public.submit_onboarding(pg_temp.token('ada'), '{"full_name": "Somebody Else"}')$$,
  'PT409', 'onboarding_already_completed', 'others are not taken, and it is said');
select is(public.onboarding_form(pg_temp.token('ada')), '{"status": "completed"}', 'the form shows nothing any more');
select tests.act_as_admin();
select results_eq('select * from pg_temp.after_again', 'select * from before_again', 'and nothing has changed');
select is((select count(*) from app.used_onboarding_tokens as u where u.token_sha256 = uuid_send(pg_temp.token('ada'))
             or u::text like '%' || pg_temp.token('ada') || '%'), 0::bigint, 'the link itself is kept nowhere');

-- The coach gives out another link, and takes it back; or the same one once more.
update public.clients set onboarding_token = pg_temp.token('second') where id = tests.id('client', 'ada');
select is(public.onboarding_form(pg_temp.token('second')) ->> 'status', 'open', 'a new link opens the form again');
select is(public.onboarding_form(pg_temp.token('ada')), '{"status": "completed"}', 'the old one stays used');
update public.clients set onboarding_token = null where id = tests.id('client', 'ada');
select throws_ok($$select public.onboarding_form(pg_temp.token('second'))$$, 'PT404', 'token_not_found',
  'a link that the coach took back is none');
select throws_ok($$select public.submit_onboarding(pg_temp.token('second'), '{}')$$, 'PT404', 'token_not_found',
  'and takes nothing');
update public.clients set onboarding_token = pg_temp.token('ada') where id = tests.id('client', 'ada');
select is(public.submit_onboarding(pg_temp.token('ada'), '{"city": "Cairns"}'), '{"status": "completed"}',
  'the same link given out again takes answers again');
select is((pg_temp.client()).city, 'Cairns', 'and stores them');
select is(public.submit_onboarding(pg_temp.token('ada'), '{"city": "Cairns"}'), '{"status": "completed"}', 'once');
select is((select count(*) from public.client_waivers), 2::bigint, 'with the waiver of now');

-- Whoever happens to be signed in.
rollback to open;
select tests.act_as('eve');
select lives_ok($$select public.submit_onboarding(pg_temp.token('ada'), '{"full_name": "Jo"}')$$,
  'the link counts, not who is signed in');
select tests.act_as_admin();
select is((pg_temp.client()).full_name, 'Jo', 'and what it writes is the client of the link');
select is((select count(*) from public.sms_messages), 0::bigint, 'an org that cannot text is not told by text');
select is((select count(*) from public.client_communications), 0::bigint, 'nor is it on record');
rollback to open;
update public.clients set auth_user_id = tests.person('jo') where id = tests.id('client', 'ada');
select tests.act_as('jo');
select lives_ok($$select public.submit_onboarding(pg_temp.token('ada'), '{"full_name": "Jo"}')$$,
  'not even when it is the client, who may not change their name otherwise');
select is(tests.attempt($$update public.clients set full_name = 'x'$$), '0', 'as before');

-- The org's day, and its texts.
rollback to open;
select lives_ok($$select app.submit_onboarding(pg_temp.token('ada'), '{"date_of_birth": "2026-05-02"}', null, '2026-05-01 20:00Z')$$,
  'today is the org''s day: in Brisbane it has begun');
select throws_ok($$select app.submit_onboarding(pg_temp.token('eve'), '{"date_of_birth": "2026-05-02"}', null, '2026-05-01 20:00Z')$$,
  'PT400', 'date_of_birth_invalid', 'in New York it has not');
update public.booking_settings set notify_phone = 'ask at the desk' where org_id = tests.id('org', 'eve');
update public.sms_settings set twilio_phone_number = '+15005550002' where org_id = tests.id('org', 'eve');
select lives_ok($$select public.submit_onboarding(pg_temp.token('eve'), '{}')$$,
  'no answers, no waiver of the org''s, no number to tell: the form is sent nevertheless');
select results_eq($$select status, signed_text, signed_version, signed_ip from public.client_waivers
                     where org_id = tests.id('org', 'eve')$$,
  $$values ('signed', null::text, null::text, null::text)$$, 'the waiver is signed, of the page''s own words');
select is((select count(*) from public.sms_messages), 0::bigint, 'nobody is texted');

select * from finish();
rollback;
