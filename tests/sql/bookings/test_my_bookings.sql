-- The app's user books and cancels for themselves.
begin;
select plan(34);

select tests.open_org('ada');
select tests.open_org('eve');
insert into public.clients (id, org_id, full_name, auth_user_id)
values (tests.id('client', 'other'), tests.id('org', 'ada'), 'Other', tests.person('other client'));
insert into public.offers (id, org_id, name, offer_type, price_cents, session_duration_mins, is_active)
values (tests.id('offer', 'short'), tests.id('org', 'ada'), 'Short', 'single_session', 5000, 30, true),
       (tests.id('offer', 'retired'), tests.id('org', 'ada'), 'Retired', 'single_session', 5000, 30, false);
create function pg_temp.book(
  p_start timestamptz, p_pack text default null, p_offer text default null, p_by text default 'ada client',
    p_notes text default null
) returns jsonb language plpgsql as $$
declare
  v_booking jsonb;
begin
  perform tests.act_as(p_by);
  v_booking := public.book_my_session(p_start, tests.id('pack', p_pack), tests.id('offer', p_offer), p_notes);
  perform tests.act_as_admin();
  return v_booking;
end;
$$;
create function pg_temp.cancel(p_booking uuid, p_by text default 'ada client') returns jsonb language plpgsql as $$
declare
  v_booking jsonb;
begin
  perform tests.act_as(p_by);
  v_booking := public.cancel_my_booking(p_booking);
  perform tests.act_as_admin();
  return v_booking;
end;
$$;
create function pg_temp.lengths(p_pack text, p_offer text, p_by text) returns interval[] language plpgsql as $$
declare
  v_lengths interval[];
  v_day date := tests.soon(8) at time zone 'Australia/Brisbane';
begin
  perform tests.act_as(p_by);
  select array_agg(distinct s.slot_end - s.slot_start) into v_lengths
    from public.my_slots(v_day, v_day, tests.id('pack', p_pack), tests.id('offer', p_offer)) as s;
  perform tests.act_as_admin();
  return v_lengths;
end;
$$;

select is(pg_temp.book(tests.soon(3), p_notes => ' Sore knee ') - 'id',
  jsonb_build_object('start_time', tests.soon(3), 'end_time', tests.soon(3, 11), 'duration_mins', 60, 'status',
    'confirmed',
    'session_type', 'pt_session', 'location_type', 'in_person', 'location_details', null, 'client_confirmed', false,
    'forfeited', false, 'purchase_id', tests.id('pack', 'ada')), 'on a pack: confirmed');
select is(
  (select (b.client_id, b.booking_source, b.booked_by, b.client_notes)::text from public.bookings as b),
  (tests.id('client', 'ada'), 'client', tests.person('ada client'), 'Sore knee')::text, 'by whom, and what they wrote');
select is(pg_temp.book(tests.soon(3)), app.booking_for_client((select b from public.bookings as b)),
  'asked for again: the same');
select throws_ok($$select pg_temp.book(tests.soon(4), p_by => 'other client')$$, 'PT409', 'no_session_left',
  'neither pack nor offer: nothing to book on');
select tests.act_as_admin();
select is(
  pg_temp.book(tests.soon(4), p_offer => 'short', p_by => 'other client') - array['id', 'start_time'],
  jsonb_build_object('end_time', tests.soon(4) + interval '30 minutes', 'duration_mins', 30, 'status', 'pending',
    'session_type', 'pt_session', 'location_type', 'in_person', 'location_details', null, 'client_confirmed', false,
    'forfeited', false, 'purchase_id', null), 'an offer: a request');
select is((select count(*) from public.sms_messages where related_entity_id in (select id from public.bookings
  where status = 'pending')),
  0::bigint, 'which texts nobody');
select throws_ok($$select pg_temp.book(tests.soon(4))$$, 'PT409', 'slot_taken', 'but takes its time');
select tests.act_as_admin();
select throws_ok(format('select pg_temp.book(tests.soon(5), %s, p_by => ''other client'')', r.args), r.state, r.code,
  r.why)
  from (values
    ($$p_offer => 'retired'$$, 'PT404', 'offer_not_found', 'an offer that is not on sale'),
    ($$p_offer => 'eve'$$, 'PT404', 'offer_not_found', 'another org''s'),
    ($$p_pack => 'ada'$$, 'PT409', 'pack_not_the_clients', 'another client''s pack'),
    ($$p_pack => 'eve'$$, 'PT409', 'pack_not_the_clients', 'another org''s'),
    ($$p_offer => 'short', p_notes => repeat('x', 2001)$$, 'PT400', 'notes_too_long', 'notes without end')
  ) as r (args, state, code, why);
select tests.act_as_admin();

-- Listed as long as booked.
select is(pg_temp.lengths(null, null, 'ada client'), array[interval '60 minutes'], 'on the pack there is');
select is(pg_temp.lengths(null, 'short', 'ada client'), array[interval '60 minutes'], 'a pack comes before an offer');
select is(pg_temp.book(tests.soon(8), p_offer => 'short') ->> 'duration_mins', '60', 'when booked, too');
select is(pg_temp.lengths(null, 'short', 'other client'), array[interval '30 minutes'], 'without a pack: the offer');
select is(pg_temp.lengths(null, null, 'other client'), array[interval '60 minutes'],
  'without either: the org''s slots');
select is(pg_temp.lengths('ada', 'short', 'other client'), array[interval '30 minutes'], 'another''s pack is none');

-- Cancelling.
create temp table theirs as select id from public.bookings where client_id = tests.id('client', 'ada')
  and start_time = tests.soon(8);
select throws_ok($$select pg_temp.cancel((select id from theirs), 'other client')$$, 'PT404', 'booking_not_found',
  'not another''s');
select throws_ok($$select pg_temp.cancel((select id from theirs), 'eve client')$$, 'PT404', 'booking_not_found',
  'nor another org''s');
select tests.act_as_admin();
select is(pg_temp.cancel((select id from theirs)) ->> 'status', 'cancelled', 'their own');
select is((select (cancelled_by, cancelled_at = now(), forfeited)::text from public.bookings where id = (select id
  from theirs)),
  (tests.person('ada client'), true, false)::text, 'by whom and when');
select is(pg_temp.cancel((select id from theirs)) ->> 'status', 'cancelled', 'asked for again');
select is(pg_temp.cancel((select id from public.bookings where status = 'pending'), 'other client') ->> 'status',
  'cancelled',
  'a request can be taken back');
select is(pg_temp.book(tests.soon(8)) ->> 'status', 'confirmed', 'and the time booked anew');
select is(app.sessions_held(tests.id('pack', 'ada')), 2, 'the pack holds what stands');

-- Who is no client.
select throws_ok(format('select pg_temp.book(tests.soon(9), p_by => %L)', who), 'PT403', 'not_a_client',
  format('%s is not', who))
  from unnest(array['ada', 'stranger']) as who;
select throws_ok($$select pg_temp.lengths(null, null, 'ada')$$, 'PT403', 'not_a_client', 'no list');
select throws_ok($$select pg_temp.cancel((select id from theirs), 'ada')$$, 'PT403', 'not_a_client', 'no cancelling');
select tests.act_as_anon();
select throws_ok('select public.book_my_session(tests.soon(9))', '42501', null, 'a visitor may not call it');
select throws_ok('select public.cancel_my_booking(gen_random_uuid())', '42501', null, 'nor this');
select tests.act_as_role('service_role');
select throws_ok('select public.book_my_session(tests.soon(9))', '42501', null, 'nor a service key, which is nobody');
select tests.act_as_admin();

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
