-- A waiver link: its page, one signature, and that what was signed stays as it was signed.
begin;
select plan(64);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
update public.orgs set waiver_template = 'First words.', proforma_disclaimer = 'secret' where id = tests.id('org', 'ada');
update public.clients
   set email = 'jo@example.com', date_of_birth = '1990-12-31', address_line1 = '1 Main St', city = 'Brisbane',
       notes = 'Pays late', health_conditions = '{Asthma}'
 where id = tests.id('client', 'ada');
create function pg_temp.token(p_name text) returns uuid language sql as $$ select tests.id('waiver token', p_name); $$;
create function pg_temp.waiver(p_name text) returns public.client_waivers language sql as $$
  select w.* from public.client_waivers as w where w.token = pg_temp.token(p_name);
$$;
insert into public.client_waivers (id, org_id, client_id, token, status, expires_at)
select tests.id('waiver', n), tests.id('org', o), tests.id('client', o), pg_temp.token(n), s, e::timestamptz
  from (values ('open', 'ada', 'sent', null), ('second', 'ada', 'sent', null), ('revoked', 'ada', 'expired', null),
               ('over', 'ada', 'sent', '2020-01-01'), ('ends', 'ada', 'sent', '2026-05-01 10:00Z'),
               ('wordless', 'eve', 'sent', null)) as v (n, o, s, e);

-- The page.
select tests.act_as_anon();
create temp table form as select public.waiver_form(pg_temp.token('open')) as f;
grant select on form to public;
select results_eq('select k from form, jsonb_object_keys(f) as k order by 1',
  $$values ('client'), ('name'), ('org'), ('signed_at'), ('status'), ('waiver_template'), ('waiver_version')$$,
  'the page: no more than it shows');
select results_eq($$select k from form, jsonb_object_keys(f -> 'client') as k order by 1$$,
  $$values ('address_line1'), ('address_line2'), ('city'), ('date_of_birth'), ('email'), ('full_name'), ('phone'),
           ('postcode'), ('state')$$, 'of the client who they are: no id, no health, nothing of the coach''s');
select is((select f -> 'org' from form), '{"name": "ada"}', 'of the org its name');
select results_eq($$select f ->> 'status', f ->> 'name', f ->> 'waiver_template', f -> 'signed_at', f -> 'client' ->> 'city' from form$$,
  $$values ('sent', 'Waiver', 'First words.', 'null'::jsonb, 'Brisbane')$$, 'as it is stored');
select is(public.waiver_form(pg_temp.token('revoked')), '{"status": "expired"}', 'a revoked one shows nothing');
select is(public.waiver_form(pg_temp.token('over')), '{"status": "expired"}', 'nor does one that is over');
select throws_ok($$select public.waiver_form(gen_random_uuid())$$, 'PT404', 'token_not_found', 'an unknown link');
select throws_ok($$select public.waiver_form(null)$$, 'PT404', 'token_not_found', 'no link');
select throws_ok($$select token from public.client_waivers$$, '42501', 'permission denied for table client_waivers',
  'anon reads no waiver');
select throws_ok($$update public.client_waivers set status = 'signed', signed_at = now()$$,
  '42501', 'permission denied for table client_waivers', 'and signs none past the function');
select throws_ok($$select app.sign_waiver(pg_temp.token('over'), null, '2019-01-01')$$,
  '42501', 'permission denied for schema app', 'nor chooses the clock');

-- What cannot be signed.
select throws_ok($$select public.sign_waiver(pg_temp.token('revoked'))$$, 'PT410', 'waiver_expired', 'a revoked one');
select throws_ok($$select public.sign_waiver(pg_temp.token('over'))$$, 'PT410', 'waiver_expired', 'one that is over');
select throws_ok($$select public.sign_waiver(gen_random_uuid())$$, 'PT404', 'token_not_found', 'an unknown one');
select throws_ok($$select public.sign_waiver(null)$$, 'PT404', 'token_not_found', 'none');
select tests.act_as_admin();
update public.orgs set waiver_template = 'Second words.' where id = tests.id('org', 'ada');
select tests.act_as_anon();
select throws_ok($$select public.sign_waiver(pg_temp.token('open'), f ->> 'waiver_version') from form$$,
  'PT409', 'waiver_changed', 'words that are not those that were shown');
select throws_ok($$select public.sign_waiver(pg_temp.token('wordless'), f ->> 'waiver_version') from form$$,
  'PT409', 'waiver_changed', 'or are another org''s');
select tests.act_as_admin();
select is_empty($$select 1 from public.client_waivers where status = 'signed' or signed_at is not null
                     or signed_text is not null or signed_ip is not null$$, 'a refusal signs nothing');
select throws_ok($$select app.sign_waiver(pg_temp.token('ends'), null, '2026-05-01 10:00Z')$$, 'PT410', 'waiver_expired',
  'at its end it is over');
select is(app.waiver_form(pg_temp.token('ends'), '2026-05-01 10:00Z'), '{"status": "expired"}', 'for the page, too');
select is(app.waiver_form(pg_temp.token('ends'), '2026-05-01 09:59Z') ->> 'status', 'sent', 'before, it is not');
select is(app.sign_waiver(pg_temp.token('ends'), null, '2026-05-01 09:59Z'),
  jsonb_build_object('status', 'signed', 'signed_at', '2026-05-01 09:59Z'::timestamptz), 'a minute before, it is signed');
select is(app.sign_waiver(pg_temp.token('ends'), null, '2026-05-01 10:01Z'),
  jsonb_build_object('status', 'signed', 'signed_at', '2026-05-01 09:59Z'::timestamptz),
  'and stays signed: the answer that was lost is given again');

-- Signing.
select tests.act_as_anon();
select set_config('request.headers', '{"x-forwarded-for": "203.0.113.7"}', true);
select is(public.sign_waiver(pg_temp.token('open'), public.waiver_form(pg_temp.token('open')) ->> 'waiver_version'),
  jsonb_build_object('status', 'signed', 'signed_at', now()), 'it is signed');
select tests.act_as_admin();
select results_eq(
  $$select status, signed_at, signed_text, signed_version, signed_ip from pg_temp.waiver('open')$$,
  $$values ('signed', now(), 'Second words.', encode(sha256('Second words.'), 'hex'), '203.0.113.7')$$,
  'its words, their version, when and from where');
update public.orgs set waiver_template = 'Third words.' where id = tests.id('org', 'ada');
create temp table signed as select to_jsonb(w) as w from pg_temp.waiver('open') as w;
select tests.act_as_anon();
select set_config('request.headers', '{"x-forwarded-for": "198.51.100.9"}', true);
select is(public.sign_waiver(pg_temp.token('open'), f ->> 'waiver_version'),
  jsonb_build_object('status', 'signed', 'signed_at', now()), 'signed again it answers with the first signature') from form;
select results_eq($$select f ->> 'status', f ->> 'waiver_template', f ->> 'waiver_version', (f ->> 'signed_at')::timestamptz
                      from public.waiver_form(pg_temp.token('open')) as f$$,
  $$values ('signed', 'Second words.', encode(sha256('Second words.'), 'hex'), now())$$,
  'the page then shows the words that were signed, not those of today');
select is(public.sign_waiver(pg_temp.token('wordless')) ->> 'status', 'signed',
  'where the org has no words of its own, the page''s are signed');
select tests.act_as_admin();
select is((select to_jsonb(w) from pg_temp.waiver('open') as w), (select w from signed), 'and nothing has changed');
select results_eq($$select signed_text, signed_version from pg_temp.waiver('wordless')$$,
  $$values (null::text, null::text)$$, 'and none are kept');

-- Who may change a signed waiver: nobody; they may revoke it.
create function pg_temp.change(p_column text) returns text language sql as $$
  select format('update public.client_waivers set %I = %L where token = pg_temp.token(''open'')', p_column,
    case p_column when 'status' then 'sent' when 'name' then 'Other' when 'signed_text' then 'Other words.'
      when 'source' then 'paper' when 'signed_version' then '0' when 'signed_ip' then '192.0.2.1'
      when 'client_id' then tests.id('other client', 'ada')::text when 'id' then gen_random_uuid()::text
      when 'token' then gen_random_uuid()::text else '2030-01-01' end);
$$;
insert into public.clients (id, org_id, full_name) values (tests.id('other client', 'ada'), tests.id('org', 'ada'), 'Other');
create temp view columns as
select a.attname::text as c from pg_attribute as a
 where a.attrelid = 'public.client_waivers'::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'org_id';
grant select on columns to public;
select throws_ok(pg_temp.change(c), 'PT403', 'waiver_is_signed', format('an administrator does not change %s', c))
  from columns order by c;
select throws_ok($$delete from public.client_waivers where token = pg_temp.token('open')$$, 'PT403', 'waiver_is_signed',
  'or delete it');
select tests.act_as_role('service_role');
select throws_ok(pg_temp.change('signed_text'), 'PT403', 'waiver_is_signed', 'nor does service_role change it');
select throws_ok($$update public.client_waivers set signed_at = null, status = 'sent' where token = pg_temp.token('open')$$,
  'PT403', 'waiver_is_signed', 'undo it');
select throws_ok($$delete from public.client_waivers where token = pg_temp.token('open')$$, 'PT403', 'waiver_is_signed',
  'or delete it');
select tests.act_as('ada');
select throws_ok(pg_temp.change('name'), 'PT403', 'waiver_is_signed', 'nor the coach');
select throws_ok(pg_temp.change('signed_text'), '42501', 'permission denied for table client_waivers',
  'who has no right at all on what was signed');
select throws_ok(
  $$insert into public.client_waivers (org_id, client_id, status, signed_at) values
      (tests.id('org', 'ada'), tests.id('client', 'ada'), 'signed', now())$$,
  '42501', 'permission denied for table client_waivers', 'nor signs for a client');
select throws_ok($$update public.client_waivers set status = 'signed' where token = pg_temp.token('second')$$, '23514',
  'new row for relation "client_waivers" violates check constraint "client_waivers_check"', 'nor so');

-- What the coach's screens do goes on.
select results_eq(
  $$with w as (insert into public.client_waivers (org_id, client_id, name, status, sent_at)
               values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'Waiver', 'sent', now()) returning id, token)
    select count(id), count(token) from w$$, $$values (1::bigint, 1::bigint)$$, 'a coach sends a waiver');
select results_eq(
  $$select status, signed_text from public.client_waivers where id = tests.id('waiver', 'open')$$,
  $$values ('signed', 'Second words.')$$, 'reads what was signed');
select lives_ok($$update public.client_waivers set status = 'expired' where id = tests.id('waiver', 'open')$$, 'revokes it');
select lives_ok($$update public.client_waivers set status = 'expired' where id = tests.id('waiver', 'open')$$, 'twice');
select lives_ok($$update public.client_waivers set status = 'expired' where id = tests.id('waiver', 'second')$$,
  'and one that was not signed');
select throws_ok($$update public.client_waivers set status = 'signed' where id = tests.id('waiver', 'open')$$,
  'PT403', 'waiver_is_signed', 'a revoked one does not come back');
select tests.act_as_anon();
select is(public.waiver_form(pg_temp.token('open')), '{"status": "expired"}', 'a signed one that was revoked shows nothing');
select throws_ok($$select public.sign_waiver(pg_temp.token('open'))$$, 'PT410', 'waiver_expired', 'and is not signed again');
select throws_ok($$select public.sign_waiver(pg_temp.token('second'))$$, 'PT410', 'waiver_expired', 'nor the other');
select tests.act_as_admin();
select is((select to_jsonb(w) - 'status' from pg_temp.waiver('open') as w), (select w - 'status' from signed),
  'what was signed is still there');

-- It goes with its client, and with its org.
select lives_ok($$delete from public.clients where id = tests.id('client', 'eve')$$, 'a client goes with their waiver');
select lives_ok($$delete from public.orgs where id = tests.id('org', 'ada')$$, 'an org goes with its waivers');
select is_empty('select 1 from public.client_waivers', 'and none is left');

select * from finish();
rollback;
