-- The public booking page: what a visitor sees and may ask for, and that it tells nobody who is a client.
begin;
select plan(60);

select tests.open_org('ada');
select tests.open_org('eve');
update public.orgs set slug = 'ada-fit' where id = tests.id('org', 'ada');
update public.offers set session_duration_mins = 45 where id = tests.id('offer', 'ada');
insert into public.offers (id, org_id, name, offer_type, price_cents, is_active)
values (tests.id('offer', 'retired'), tests.id('org', 'ada'), 'Retired', 'single_session', 5000, false);
create function pg_temp.request(
  p_start timestamptz, p_email text, p_name text default 'Jo Doe', p_phone text default '0491570156',
  p_notes text default null, p_offer text default 'ada', p_slug text default 'ada-fit'
) returns jsonb language plpgsql as $$
declare
  v_answer jsonb;
begin
  perform tests.act_as_anon();
  v_answer := public.request_session(p_slug, p_start, tests.id('offer', p_offer), p_name, p_email, p_phone, p_notes);
  perform tests.act_as_admin();
  return v_answer;
end;
$$;

-- The page.
select tests.act_as_anon();
create temp table page as select public.booking_page('ada-fit') as p;
select is(public.booking_page(' ADA-fit '), (select p from page), 'however its address is typed');
select throws_ok(format('select public.booking_page(%L)', s), 'PT404', 'page_not_found', format('%s is no page', s))
  from unnest(array['ada', 'ada%', '%', 'ada_fit', '', null]) as s;
select tests.act_as_admin();
select is((select p -> 'org' from page),
  '{"name": "ada", "timezone": "Australia/Brisbane", "display_name": "ada", "primary_color": "#111111", "logo_url": null}',
  'the org');
select is((select p -> 'settings' from page), '{"allow_client_booking": true, "max_advance_days": 365}', 'its rules');
select is((select jsonb_path_query_array(p, '$.offers[*].name') from page), '["Ten"]', 'the offers on sale');
select set_eq($$select jsonb_object_keys(p) from page$$, array['org', 'settings', 'offers'], 'and nothing else');
select set_eq(
  $$select jsonb_object_keys(p -> 'offers' -> 0) from page$$,
  array['id', 'name', 'description', 'offer_type', 'price_cents', 'currency', 'billing_period', 'sessions_included',
        'bonus_sessions', 'session_duration_mins', 'included_items', 'is_featured'], 'of an offer what is for sale');
update public.booking_settings set notify_phone = '+61400000000' where org_id = tests.id('org', 'ada');
select unalike(app.booking_page('ada-fit')::text, '%614%', 'no number');
delete from public.branding where org_id = tests.id('org', 'ada');
select is(app.booking_page('ada-fit') #>> '{org,timezone}', 'Australia/Brisbane',
  'without branding there is still a zone');

-- The times.
select tests.act_as_anon();
select is(
  (select array_agg(distinct s.slot_end - s.slot_start)
     from public.booking_page_slots('ada-fit', current_date + 3, current_date + 3, tests.id('offer', 'ada')) as s),
  array[interval '45 minutes'], 'as long as the offer says');
select is(
  (select array_agg(distinct s.slot_end - s.slot_start)
     from public.booking_page_slots('ada-fit', current_date + 3, current_date + 3, tests.id('offer', 'eve')) as s),
  array[interval '60 minutes'], 'another org''s offer says nothing');
select throws_ok($$select * from public.booking_page_slots('nobody', current_date, current_date)$$, 'PT404',
  'page_not_found',
  'of a page there is');
select tests.act_as_admin();

-- A request.
select is(pg_temp.request(tests.soon(3), ' Jo@Example.com ', '  Jo Doe ', ' 0491570156 ', ' First time '),
  jsonb_build_object('status', 'requested', 'start_time', tests.soon(3), 'end_time',
    tests.soon(3) + interval '45 minutes'),
  'is answered with what was asked for');
select results_eq(
  $$select c.full_name, c.email, c.phone, c.source, c.org_id, b.status, b.booking_source, b.offer_id, b.purchase_id,
           b.client_notes, b.duration_mins
      from public.bookings as b join public.clients as c on c.id = b.client_id
     where b.org_id = tests.id('org', 'ada')$$,
  $$values ('Jo Doe', 'Jo@Example.com', '+61491570156', 'online_booking', tests.id('org', 'ada'), 'pending', 'client',
            tests.id('offer', 'ada'), null::uuid, 'First time', 45)$$, 'a new client, with a booking for the coach to accept');
select is_empty($$select 1 from public.sms_messages where org_id = tests.id('org', 'ada')$$, 'nobody is texted yet');
select is(pg_temp.request(tests.soon(3), 'jo@example.com', p_notes => 'First time') ->> 'status', 'requested',
  'asked for again');
select is((select (count(*), count(distinct client_id))::text from public.bookings where org_id = tests.id('org',
  'ada')), '(1,1)',
  'it is the same request');
do $$ begin perform tests.person('nia'); end $$;
select tests.act_as('nia');
select is(
  (select public.request_session('ada-fit', tests.soon(8), tests.id('offer', 'ada'), 'Nia', 'nia@example.com')),
  (select public.request_session('ada-fit', tests.soon(8), tests.id('offer', 'ada'), 'Nia', 'nia@example.com')),
  'also when a signed-in visitor asks twice');
select tests.act_as_admin();
select is((select count(*) from public.bookings where start_time = tests.soon(8)), 1::bigint, 'and is one, too');
delete from public.bookings where start_time = tests.soon(8);
do $$ begin perform pg_temp.request(tests.soon(4), 'JO@EXAMPLE.COM', 'Somebody Else', '0400000000'); end $$;
select is((select (count(*), count(distinct client_id))::text from public.bookings where org_id = tests.id('org',
  'ada')), '(2,1)',
  'another time is another request of the same client');
select is((select (full_name, phone)::text from public.clients where email = 'Jo@Example.com'), '("Jo Doe",+61491570156)',
  'who is not changed by what somebody typed');
select throws_ok($$select pg_temp.request(tests.soon(3), 'late@example.com')$$, 'PT409', 'slot_taken',
  'a request takes the time until the coach answers');
select tests.act_as_admin();
update public.bookings set status = 'cancelled' where start_time = tests.soon(3);
select is(pg_temp.request(tests.soon(3), 'late@example.com') ->> 'status', 'requested', 'refused, it is free again');
update public.bookings set status = 'cancelled' where start_time = tests.soon(3);
do $$ begin perform pg_temp.request(tests.soon(3), 'late@example.com'); end $$;
select is((select count(*) from public.bookings where start_time = tests.soon(3) and status = 'pending'), 1::bigint,
  'asking again after a refusal is a new request');
do $$ begin perform pg_temp.request(tests.soon(6), 'eve.client@example.com'); end $$;
select is((select count(*) from public.clients where email = 'eve.client@example.com' and source = 'online_booking'
             and org_id = tests.id('org', 'ada')), 1::bigint, 'a client of another org is a stranger here');
select is_empty($$select 1 from public.clients where org_id = tests.id('org', 'eve') and source = 'online_booking'$$,
  'another org knows nothing of it');
-- The coach accepts it.
select tests.act_as('ada');
select lives_ok($$update public.bookings set status = 'confirmed' where start_time = tests.soon(3)
  and status = 'pending'$$,
  'the coach accepts');
select tests.act_as_admin();

-- What it takes.
select throws_ok(format('select pg_temp.request(tests.soon(5), %s)', r.args), r.state, r.code, r.why)
  from (values
    ($$'x@example.com', ''$$, 'PT400', 'name_invalid', 'a name'),
    ($$'x@example.com', '   '$$, 'PT400', 'name_invalid', 'not of blanks'),
    ($$'x@example.com', null$$, 'PT400', 'name_invalid', 'at all'),
    ($$'x@example.com', repeat('x', 201)$$, 'PT400', 'name_invalid', 'of reasonable length'),
    ($$null$$, 'PT400', 'email_invalid', 'an e-mail address'),
    ($$'x'$$, 'PT400', 'email_invalid', 'that looks like one'),
    ($$'x@y'$$, 'PT400', 'email_invalid', 'with a dot'),
    ($$'x y@example.com'$$, 'PT400', 'email_invalid', 'without blanks'),
    ($$repeat('x', 250) || '@y.zz'$$, 'PT400', 'email_invalid', 'of reasonable length'),
    ($$'x@example.com', p_phone => repeat('1', 41)$$, 'PT400', 'phone_invalid', 'a phone, if any'),
    ($$'x@example.com', p_notes => repeat('x', 2001)$$, 'PT400', 'notes_too_long', 'notes, not a book'),
    ($$'x@example.com', p_offer => 'eve'$$, 'PT404', 'offer_not_found', 'an offer of this org'),
    ($$'x@example.com', p_offer => 'retired'$$, 'PT404', 'offer_not_found', 'on sale'),
    ($$'x@example.com', p_offer => null$$, 'PT404', 'offer_not_found', 'named'),
    ($$'x@example.com', p_slug => 'ada-f%'$$, 'PT404', 'page_not_found', 'a page')
  ) as r (args, state, code, why);
select throws_ok($$select pg_temp.request(null, 'x@example.com')$$, 'PT400', 'slot_invalid', 'a time');
select tests.act_as_admin();
select is_empty($$select 1 from public.clients where email = 'x@example.com'$$, 'what is refused leaves no client');

-- Who is a client is not told: a client's address gets the answers that a stranger's gets, whatever the client has.
update public.clients set email = 'Client@Example.com' where id = tests.id('client', 'ada');
create temp table situations (n integer, has text, does text);
insert into situations values
  (1, 'nothing', 'select 1'),
  (2, 'a booking at that time', 'select pg_temp.has(tests.soon(20), ''confirmed'', tests.id(''pack'', ''ada''))'),
  (3, 'a cancelled one', 'select pg_temp.has(tests.soon(20), ''cancelled'', null)'),
  (4, 'a request at that time, made in the app just now',
    'select pg_temp.has(tests.soon(20), ''pending'', null, true)'),
  (5, 'a coach''s pending booking', 'select pg_temp.has(tests.soon(20), ''pending'', null, false, ''trainer'')'),
  (6, 'an old request', 'select pg_temp.has(tests.soon(20), ''pending'', null, false, ''client'', interval ''11 minutes'')'),
  (7, 'requests at other times', 'select pg_temp.has(tests.soon(d), ''pending'', null) from generate_series(21, 26) as d'),
  (8, 'clients may not book', 'update public.booking_settings set allow_client_booking = false'),
  (9, 'the page is full', 'select pg_temp.has(tests.soon(d), ''pending'', null) from generate_series(21, 60) as d');
create function pg_temp.has(
  p_start timestamptz, p_status text, p_pack uuid, p_in_app boolean default false, p_source text default 'client',
  p_age interval default '0'
) returns void language sql as $$
  insert into public.bookings
    (org_id, client_id, start_time, end_time, duration_mins, status, booking_source, purchase_id, offer_id, created_at,
      booked_by)
  values (tests.id('org', 'ada'), tests.id('client', 'ada'), p_start, p_start + interval '45 minutes', 45, p_status,
    p_source,
          p_pack, tests.id('offer', 'ada'), now() - p_age, case when p_in_app then tests.person('ada client') end);
$$;
-- The outcomes of several requests one after the other; nothing of it stays.
create function pg_temp.outcomes(p_situation integer, p_email text) returns text language plpgsql as $$
declare
  v_told text := '';
  v_start timestamptz;
begin
  execute (select s.does from situations as s where s.n = p_situation);
  foreach v_start in array array[tests.soon(20), tests.soon(20), tests.soon(61), tests.soon(62), tests.soon(63),
    tests.soon(64),
                                 tests.soon(20, 11), tests.soon(-1)] loop
    begin
      v_told := v_told || pg_temp.request(v_start, p_email)::text || E'\n';
    exception when others then
      v_told := v_told || sqlstate || ' ' || sqlerrm || E'\n';
    end;
  end loop;
  raise exception using errcode = 'TT000', message = v_told;
exception when sqlstate 'TT000' then
  return sqlerrm;
end;
$$;
select is(pg_temp.outcomes(n, 'client@example.com'), pg_temp.outcomes(n, 'stranger@example.com'), format('who has %s',
  has))
  from situations order by n;
select matches(pg_temp.outcomes(2, 'client@example.com'), '^PT409 slot_taken\nPT409 slot_taken\n\{', 'taken is taken');
select matches(pg_temp.outcomes(9, 'client@example.com'), '^PT429 too_many_requests', 'and full is full');

select * from finish();
rollback;
