-- The holder of a portal link sees, books and cancels their own sessions: by the org's rules, and nothing else.
begin;
select plan(48);

select tests.open_org('ada');
select tests.open_org('eve');
update public.branding set display_name = 'Ada''s', primary_color = '#123456' where org_id = tests.id('org', 'ada');
insert into public.clients (id, org_id, full_name, portal_token)
values (tests.id('client', 'other'), tests.id('org', 'ada'), 'Other', tests.id('portal', 'other'));
create function pg_temp.book(p_start timestamptz, p_pack text default null, p_token text default 'ada') returns jsonb
language plpgsql as $$
declare
  v_booking jsonb;
begin
  perform tests.act_as_anon();
  v_booking := public.portal_book(tests.id('portal', p_token), p_start, tests.id('pack', p_pack));
  perform tests.act_as_admin();
  return v_booking;
end;
$$;
create function pg_temp.cancel(p_booking uuid, p_token text default 'ada') returns jsonb language plpgsql as $$
declare
  v_booking jsonb;
begin
  perform tests.act_as_anon();
  v_booking := public.portal_cancel(tests.id('portal', p_token), p_booking);
  perform tests.act_as_admin();
  return v_booking;
end;
$$;
create function pg_temp.row_of(p_booking jsonb) returns public.bookings language sql as $$
  select b from public.bookings as b where b.id = (p_booking ->> 'id')::uuid;
$$;

-- Booking.
create temp table booked as select pg_temp.book(tests.soon(3), 'ada') as b;
select is(
  (select b - 'id' from booked),
  jsonb_build_object('start_time', tests.soon(3), 'end_time', tests.soon(3, 11), 'duration_mins', 60,
    'status', 'confirmed', 'session_type', 'pt_session', 'location_type', 'in_person', 'location_details', null,
    'client_confirmed', false, 'forfeited', false, 'purchase_id', tests.id('pack', 'ada')), 'the session booked');
select is(
  (select (r.client_id, r.org_id, r.booking_source, r.booked_by, r.purchase_id)::text
     from booked, pg_temp.row_of(b) as r),
  (tests.id('client', 'ada'), tests.id('org', 'ada'), 'client', null, tests.id('pack', 'ada'))::text,
  'is theirs, on their pack, and their own doing');
select is((select count(*) from public.sms_messages where related_entity_id = (select (b ->> 'id')::uuid from booked)),
  (select count(*) from public.sms_settings where org_id = tests.id('org', 'ada') and twilio_phone_number is not null),
  'with a confirmation where the org can text');
select is(pg_temp.book(tests.soon(3), 'ada'), (select b from booked), 'asked for again: the same one');
select is(pg_temp.book(tests.soon(3)), (select b from booked), 'however');
select is((select count(*) from public.bookings where org_id = tests.id('org', 'ada')), 1::bigint, 'and no other');
select throws_ok($$select pg_temp.book(tests.soon(3), null, 'other')$$, 'PT409', 'no_session_left',
  'without a pack: no');
select tests.act_as_admin();
select tests.pack('other''s', 'ada');
update public.client_purchases set client_id = tests.id('client', 'other') where id = tests.id('pack', 'other''s');
select throws_ok($$select pg_temp.book(tests.soon(3), 'other''s', 'other')$$, 'PT409', 'slot_taken',
  'nor a time that is taken');
select throws_ok($$select pg_temp.book(tests.soon(4), 'other''s')$$, 'PT409', 'pack_not_the_clients',
  'nor on another''s pack');
select throws_ok($$select pg_temp.book(tests.soon(4), 'eve')$$, 'PT409', 'pack_not_the_clients', 'nor another org''s');
select throws_ok($$select pg_temp.book(tests.soon(4), 'nobody''s')$$, 'PT409', 'pack_not_the_clients',
  'nor an unknown one');
select throws_ok($$select pg_temp.book(tests.soon(-1))$$, 'PT409', 'slot_in_past', 'nor what is over');
select throws_ok($$select pg_temp.book(null)$$, 'PT400', 'slot_invalid', 'nor at no time');
select throws_ok($$select pg_temp.book('infinity')$$, 'PT400', 'slot_invalid', 'nor for ever');
select throws_ok($$select pg_temp.book(tests.soon(4), null, 'unknown')$$, 'PT404', 'token_not_found',
  'nor with another link');
select tests.act_as_anon();
select throws_ok($$select public.portal_book(null, tests.soon(4))$$, 'PT404', 'token_not_found', 'nor with none');
select tests.act_as_admin();

-- Which pack, when none is named: the one that expires first and can pay.
delete from public.bookings where org_id = tests.id('org', 'ada');
select tests.pack(n, 'ada', 1) from unnest(array['soonest', 'soon', 'refunded', 'short']) as n;
update public.client_purchases set expires_at = tests.soon(5) where id = tests.id('pack', 'soonest');
update public.client_purchases set expires_at = tests.soon(9), session_duration_mins = 45 where id = tests.id('pack',
  'soon');
update public.client_purchases set expires_at = tests.soon(4), payment_status = 'refunded' where id = tests.id('pack',
  'refunded');
update public.client_purchases set session_duration_mins = 30, expires_at = tests.soon(300) where id = tests.id('pack',
  'short');
select is(pg_temp.book(tests.soon(6)) ->> 'purchase_id', tests.id('pack', 'soon')::text, 'valid on that day');
select is(pg_temp.book(tests.soon(4)) ->> 'purchase_id', tests.id('pack', 'soonest')::text, 'the first to expire');
select is(pg_temp.book(tests.soon(4, 12)) ->> 'purchase_id', tests.id('pack', 'short')::text,
  'while it has sessions left');
select is((pg_temp.book(tests.soon(4, 14)) ->> 'purchase_id')::uuid, tests.id('pack', 'ada'),
  'then the one without an end');
select is(
  (select array_agg(duration_mins order by start_time) from public.bookings where org_id = tests.id('org', 'ada')),
  array[60, 30, 60, 45], 'each as long as its pack says');

-- What is listed can be booked, for as long as it is listed for.
update public.client_purchases set sessions_total = 5 where id in (tests.id('pack', 'soon'), tests.id('pack', 'short'));
create function pg_temp.listed(p_days integer, p_pack text default null)
returns table (slot_start timestamptz, slot_end timestamptz) language plpgsql as $$
declare
  v_day date := tests.soon(p_days) at time zone 'Australia/Brisbane';
begin
  perform tests.act_as_anon();
  return query select * from public.portal_slots(tests.id('portal', 'ada'), v_day, v_day, tests.id('pack', p_pack));
  perform tests.act_as_admin();
end;
$$;
create function pg_temp.lengths(p_days integer, p_pack text default null) returns interval[] language sql as $$
  select array_agg(distinct s.slot_end - s.slot_start) from pg_temp.listed(p_days, p_pack) as s;
$$;
select is(pg_temp.lengths(7), array[interval '45 minutes'],
  'as long as on the pack that would be taken that day');
select is(pg_temp.lengths(20), array[interval '30 minutes'], 'on another day another');
select is(pg_temp.lengths(7, 'ada'), array[interval '60 minutes'], 'on the pack asked for');
create temp table tried as
  select s.slot_start, pg_temp.book(s.slot_start) ->> 'end_time' = to_jsonb(s.slot_end) #>> '{}' as as_listed
    from (select s.* from pg_temp.listed(7) as s order by md5(s.slot_start::text) limit 1) as s;
select is((select as_listed from tried), true, 'one of them, booked');
select is_empty(
  'select s.slot_start from pg_temp.listed(7) as s join tried as t on t.slot_start = s.slot_start',
    'and then no longer listed');
select tests.act_as_anon();
select throws_ok($$select * from public.portal_slots(gen_random_uuid(), '2026-06-01', '2026-06-02')$$, 'PT404',
  'token_not_found', 'not without the link');
select tests.act_as_admin();

-- Cancelling.
create temp table mine as select id, start_time from public.bookings where start_time = tests.soon(6);
select is(pg_temp.cancel((select id from mine)) ->> 'status', 'cancelled', 'their own, in time');
select is((select (cancelled_at = now(), cancelled_by)::text from public.bookings where id = (select id from mine)),
  (true, null)::text, 'when is known; by link, so not by which user');
select is(pg_temp.cancel((select id from mine)) ->> 'status', 'cancelled', 'asked for again');
select is(pg_temp.book(tests.soon(6)) ->> 'status', 'confirmed', 'and the time is free');
select throws_ok($$select pg_temp.cancel((select id from mine), 'other')$$, 'PT404', 'booking_not_found',
  'not another''s');
select throws_ok($$select pg_temp.cancel(gen_random_uuid())$$, 'PT404', 'booking_not_found', 'nor an unknown one');
select throws_ok($$select pg_temp.cancel((select id from mine), 'unknown')$$, 'PT404', 'token_not_found',
  'nor without the link');
select tests.act_as_admin();
insert into public.bookings (id, org_id, client_id, start_time, end_time, status)
select tests.id('booking', s), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.soon(30), tests.soon(30, 11), s
  from unnest(array['completed', 'no_show']) as s;
select throws_ok(format('select pg_temp.cancel(%L)', tests.id('booking', s)), 'PT409', 'booking_is_over',
  format('nor one that is %s', s))
  from unnest(array['completed', 'no_show']) as s;
select tests.act_as_admin();

-- The page: what it shows, and that it shows nothing else.
update public.bookings set notes = 'PRIVATE', client_notes = 'asked', cancellation_reason = 'PRIVATE'
 where org_id = tests.id('org', 'ada');
update public.clients set notes = 'PRIVATE', injuries = array['PRIVATE'], phone = '+61491570999'
  where id = tests.id('client', 'ada');
update public.booking_settings set notify_phone = '+61400PRIVATE' where org_id = tests.id('org', 'ada');
insert into public.bookings (org_id, client_id, start_time, end_time, notes)
select tests.id('org', 'ada'), tests.id('client', 'ada'), now() - n * interval '1 day',
  now() - n * interval '1 day' + interval '1 hour',
       'PRIVATE' from generate_series(1, 12) as n;
insert into public.bookings (org_id, client_id, start_time, end_time)
select tests.id('org', 'ada'), tests.id('client', 'ada'), tests.soon(40 + n), tests.soon(40 + n, 11)
  from generate_series(1, 12) as n;
insert into public.bookings (id, org_id, client_id, start_time, end_time, location_details)
values (tests.id('booking', 'other''s'), tests.id('org', 'ada'), tests.id('client', 'other'), tests.soon(2),
  tests.soon(2, 11), 'OTHER');
select tests.act_as_anon();
create temp table page as select public.portal_page(tests.id('portal', 'ada')) as p;
select throws_ok($$select public.portal_page(gen_random_uuid())$$, 'PT404', 'token_not_found',
  'no page without the link');
select tests.act_as_admin();
select is((select p -> 'client' from page), '{"full_name": "Client Of ada"}', 'whose it is');
select is((select p -> 'org' from page),
  '{"name": "ada", "timezone": "Australia/Brisbane", "display_name": "Ada''s", "primary_color": "#123456", "logo_url": null}',
  'the org');
select is((select p -> 'settings' from page),
  '{"allow_client_booking": true, "allow_client_cancel": true, "cancel_notice_hours": 24, "late_cancel": "refuse",
    "max_advance_days": 365}', 'its rules');
select is((select array[jsonb_array_length(p -> 'upcoming'), jsonb_array_length(p -> 'past')] from page), array[10, 10],
  'ten to come, ten past');
select is_empty(
  $$select b ->> 'status' from page, jsonb_array_elements(p -> 'upcoming') as b
     where b ->> 'status' not in ('pending', 'confirmed') or (b ->> 'start_time')::timestamptz <= now()$$, 'to come');
select set_eq(
  $$select (k ->> 'id')::uuid, (k ->> 'sessions_bookable')::integer from page,
    jsonb_array_elements(p -> 'packs') as k$$,
  $$select p.id, app.bookable_sessions_remaining(p.id) from public.client_purchases as p
     where p.client_id = tests.id('client', 'ada') and p.payment_status = 'succeeded'$$,
       'packs that are valid, as they are');
select unalike((select p::text from page), '%PRIVATE%', 'nothing of the coach''s');
select unalike((select p::text from page), '%OTHER%', 'nothing of others');
select unalike((select p::text from page), '%+6149%', 'no number');
delete from public.branding where org_id = tests.id('org', 'ada');
select is(app.portal_page(tests.id('portal', 'ada'), now()) #>> '{org,name}', 'ada',
  'without branding there is still a name');

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
