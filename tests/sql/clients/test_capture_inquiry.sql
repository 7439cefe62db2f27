-- Lead capture: a visitor asks to be called; the answer never says who is known.
begin;
select plan(49);

select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
update public.orgs set slug = name where name in ('ada', 'eve');
update public.clients set email = 'client@example.com' where id = tests.id('client', 'ada');
create view pg_temp.leads as select i.* from public.inquiries as i where i.org_id = tests.id('org', 'ada');

-- What is refused.
create temp table refusals (call text, code text, why text);
insert into refusals values
  ($$''$$, 'name_invalid', 'no name'), ($$E' \t'$$, 'name_invalid', 'a blank name'), ('null', 'name_invalid', 'a null name'),
  ($$repeat('x', 201)$$, 'name_invalid', 'a long name'),
  ($$'A', 'nobody'$$, 'email_invalid', 'not an address'), ($$'A', repeat('x', 250) || '@example.com'$$, 'email_invalid', 'a long address'),
  ($$'A', null, repeat('1', 41)$$, 'phone_invalid', 'a long phone'),
  ($$'A', null, null, repeat('x', 5001)$$, 'message_invalid', 'a long message'),
  ($$'A', null, null, null, repeat('x', 51)$$, 'source_invalid', 'a long source');
grant select on refusals to public;
select tests.act_as_anon();
select throws_ok(format('select public.capture_inquiry(''ada'', %s)', call), 'PT400', code, 'refused: ' || why) from refusals;
select throws_ok(format('select public.capture_inquiry(%L, ''A'')', s), 'PT404', 'org_not_found', 'no org: ' || w)
  from (values ('nobody', 'unknown'), ('', 'empty'), (null, 'none'), ('%', 'a pattern')) as v (s, w);
select throws_ok($$insert into public.inquiries (org_id, name) values (tests.id('org', 'ada'), 'x')$$,
  '42501', 'permission denied for table inquiries', 'anon adds no lead past the function');
select throws_ok($$select email from public.inquiries$$, '42501', 'permission denied for table inquiries', 'and reads none');
select throws_ok($$select calls from app.visitor_counts$$, '42501', 'permission denied for schema app',
  'nor how many others have asked');
select throws_ok($$select app.capture_inquiry('ada', 'A', null, null, null, null, '2000-01-01')$$,
  '42501', 'permission denied for schema app', 'nor chooses the clock');
select tests.act_as_admin();
select is((select count(*) from public.inquiries) + (select count(*) from app.visitor_counts), 0::bigint,
  'a refusal leaves nothing behind');

-- What is taken.
select tests.act_as_anon();
create temp table answers as
select public.capture_inquiry('ada', ' Jo  Lee ', ' Jo@Example.com ', '0412 345 678', E' Hello\nthere ', 'instagram') as new;
grant select on answers to public;
select is((select new from answers), '{"success": true, "message": "Thank you! We will be in touch soon."}', 'a lead is taken');
select tests.act_as_admin();
select results_eq('select name, email, phone, message, source, status::text, created_at from pg_temp.leads',
  $$values ('Jo Lee', 'Jo@Example.com', '+61412345678', E'Hello\nthere', 'instagram', 'NEW', now())$$, 'and stored');
select tests.act_as_anon();
select is(public.capture_inquiry('ada', 'Sam'), (select new from answers), 'a name is enough');
select is(public.capture_inquiry('ada', 'Pat', '', ' ', null, ''), (select new from answers), 'empty is not given');
select tests.act_as_admin();
select results_eq($$select name, email, phone, message, source from pg_temp.leads where name in ('Sam', 'Pat') order by name$$,
  $$values ('Pat', null::text, null::text, null::text, 'website'), ('Sam', null, null, null, 'website')$$,
  'the source is the website unless another is named');

-- Nobody learns who is known: known or new, the answer is the same, and a known one adds nothing.
select tests.act_as_anon();
select is(public.capture_inquiry('ada', 'Jo', 'JO@example.com'), (select new from answers), 'an open lead again, in other letters');
select is(public.capture_inquiry('ada', 'Jo', 'client@example.com'), (select new from answers), 'a client''s address');
select is(public.capture_inquiry('eve', 'Jo', 'jo@example.com'), (select new from answers), 'a lead of another org');
select tests.act_as_admin();
select is((select count(*) from pg_temp.leads where lower(email) = 'jo@example.com'), 1::bigint, 'the open lead is one');
select is((select message from pg_temp.leads where lower(email) = 'jo@example.com'), E'Hello\nthere', 'as it was');
select is((select count(*) from pg_temp.leads where email = 'client@example.com'), 1::bigint, 'the client asked, as anybody may');
select is((select count(*) from public.inquiries where org_id = tests.id('org', 'eve')), 1::bigint, 'the other org has its own');
create function pg_temp.again(p_status text) returns bigint language plpgsql as $$
begin
  update public.inquiries as i set status = p_status::public.inquiry_status where i.org_id = tests.id('org', 'ada') and i.name = 'Jo Lee';
  perform public.capture_inquiry('ada', 'Jo Lee', 'jo@example.com');
  return (select count(*) from pg_temp.leads where lower(email) = 'jo@example.com');
end;
$$;
select is(pg_temp.again(s), 1::bigint, format('a lead that is %s is open', s)) from unnest(array['CONTACTED', 'BOOKED']) as s;
select is(pg_temp.again('LOST'), 2::bigint, 'one that was lost may ask again');
select is(pg_temp.again('WON'), 3::bigint, 'so may one that was won');

-- Without an address only the same form again is the same person.
create function pg_temp.kim(variadic p_forms text[]) returns bigint language plpgsql as $$
declare
  v_form text;
begin
  foreach v_form in array p_forms loop
    execute format('select public.capture_inquiry(''ada'', ''Kim'', %s)', v_form);
  end loop;
  return (select count(*) from pg_temp.leads where name = 'Kim');
end;
$$;
select is(pg_temp.kim($$null, '0412 345 670', 'Hi'$$, $$'', '+61412345670', ' Hi '$$), 1::bigint,
  'the same form, without an address');
select is(pg_temp.kim($$null, '0412 345 670', 'It is me again'$$, $$null, '0412 345 671', 'Hi'$$,
                      $$'kim@example.com', '0412 345 670', 'Hi'$$), 4::bigint,
  'another message, phone or address is another');

-- A coach may enter somebody twice.
select tests.act_as('ada');
select lives_ok($$insert into public.inquiries (org_id, name, email) values (tests.id('org', 'ada'), 'Kim', 'kim@example.com'),
    (tests.id('org', 'ada'), 'Kim', 'kim@example.com')$$, 'a coach may enter somebody twice');
select tests.act_as_admin();
select lives_ok($$select public.capture_inquiry('ada', 'Kim', 'kim@example.com')$$, 'who may ask nevertheless');
select is((select count(*) from pg_temp.leads where email = 'kim@example.com'), 3::bigint, 'and is known');

-- How many in a minute.
truncate app.visitor_counts;
create function pg_temp.ask(p_email text, p_now timestamptz, p_org text default 'ada') returns text language plpgsql as $$
begin
  perform app.capture_inquiry(p_org, 'Many', p_email, null, null, null, p_now);
  return 'taken';
exception when sqlstate 'PT429' then
  return sqlerrm;
end;
$$;
select results_eq(
  $$select pg_temp.ask(format('%s@example.com', n), '2026-05-01 10:00:59Z'), count(*) from generate_series(1, 32) as n
     group by 1 order by 2$$, $$values ('too_many_requests', 2::bigint), ('taken', 30::bigint)$$, 'thirty in a minute, no more');
select is((select count(*) from pg_temp.leads where name = 'Many'), 30::bigint, 'and that many leads');
select is(pg_temp.ask('1@example.com', '2026-05-01 10:00:59Z'), 'too_many_requests', 'who is known is refused like who is not');
select is(pg_temp.ask('1@example.com', '2026-05-01 10:00:59Z', 'eve'), 'taken', 'another org is not concerned');
select throws_ok($$select app.submit_referral('X', 'A', 'a@example.com', null, null, null, '2026-05-01 10:00:59Z')$$,
  'PT404', 'referral_not_found', 'nor is an unknown link');
insert into public.referral_links (org_id, code, name) values (tests.id('org', 'ada'), 'OPEN1234', 'Friends');
select throws_ok($$select app.submit_referral('OPEN1234', 'A', 'a@example.com', null, null, null, '2026-05-01 10:00:59Z')$$,
  'PT429', 'too_many_requests', 'a referral of the same org is');
select is((select count(*) from public.referrals), 0::bigint, 'and leaves nothing');
select is(pg_temp.ask('31@example.com', '2026-05-01 10:01:00Z'), 'taken', 'the next minute is new');
select results_eq(
  $$select pg_temp.ask('1@example.com', '2026-05-01 10:01:00Z'), count(*) from generate_series(1, 30) group by 1 order by 2$$,
  $$values ('too_many_requests', 1::bigint), ('taken', 29::bigint)$$, 'who is known is counted like who is not');
select is(pg_temp.ask('late@example.com', '2026-05-01 10:00:59Z'), 'too_many_requests',
  'a transaction of an earlier minute that comes late is no way around');

select * from finish();
rollback;
