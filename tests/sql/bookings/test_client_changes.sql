-- What a client changes goes by the org's rules, whichever way it comes; the org's own staff may do what they like.
begin;
select plan(54);

select tests.open_org('ada');
select tests.open_org('eve');
insert into public.clients (id, org_id, full_name) values (tests.id('client', 'other'), tests.id('org', 'ada'),
  'Other');
insert into public.org_members (org_id, user_id, role)
values (tests.id('org', 'ada'), tests.person('ada staff'), 'staff');
create procedure pg_temp.settings(p_change text) language plpgsql as $$
begin
  execute format('update public.booking_settings set %s where org_id = %L', p_change, tests.id('org', 'ada'));
end;
$$;
create function pg_temp.act(p_by text) returns void language plpgsql as $$
begin
  if p_by = 'portal' then perform tests.act_as_role('service_role'); else perform tests.act_as(p_by); end if;
end;
$$;
-- A booking as the portal's route (with the service key) or a coach's page inserts it.
create function pg_temp.book(
  p_name text, p_by text, p_start timestamptz, p_mins integer default 60, p_source text default null,
  p_status text default 'confirmed', p_client text default 'ada'
) returns void language plpgsql as $$
begin
  perform pg_temp.act(p_by);
  insert into public.bookings (id, org_id, client_id, start_time, end_time, duration_mins, status, booking_source)
  values (tests.id('booking', p_name), tests.id('org', 'ada'), tests.id('client', p_client), p_start,
          p_start + make_interval(mins => p_mins), p_mins, p_status,
          coalesce(p_source, case p_by when 'portal' then 'client' else 'trainer' end));
  perform tests.act_as_admin();
end;
$$;
create function pg_temp.change(p_name text, p_by text, p_set text) returns void language plpgsql as $$
begin
  perform pg_temp.act(p_by);
  execute format('update public.bookings set %s where id = tests.id(''booking'', %L)', p_set, p_name);
  perform tests.act_as_admin();
end;
$$;
create function pg_temp.moved(p_start timestamptz) returns text language sql as $$
  select format('start_time = %L, end_time = %L', p_start, p_start + interval '1 hour');
$$;

-- Booking: the same slot never twice by clients, as often as coaches like.
select lives_ok($$select pg_temp.book('first', 'portal', tests.soon(3))$$, 'a client takes a free time');
select throws_ok($$select pg_temp.book('second', 'portal', tests.soon(3))$$, 'PT409', 'slot_taken',
  'nobody else takes it');
select throws_ok($$select pg_temp.book('second', 'portal', tests.soon(3) + interval '59 minutes')$$,
  'PT409', 'slot_taken', 'nor a minute of it');
select throws_ok($$select pg_temp.book('second', 'portal', tests.soon(3), p_client => 'other')$$,
  'PT409', 'slot_taken', 'nor another client');
select throws_ok($$select pg_temp.book('second', 'portal', tests.soon(3), p_status => 'pending')$$,
  'PT409', 'slot_taken', 'nor as a request');
select tests.act_as_admin();
select lives_ok($$select pg_temp.book('class', 'ada', tests.soon(3), p_client => 'other')$$,
  'a coach puts two at one time: a class');
select lives_ok($$select pg_temp.book('class too', 'ada staff', tests.soon(3), p_client => 'other')$$, 'so do staff');
select throws_ok($$select pg_temp.book('join', 'portal', tests.soon(3), p_client => 'other')$$,
  'PT409', 'slot_taken', 'a client does not join it by themselves');
select tests.act_as_admin();
select lives_ok($$select pg_temp.book('after', 'portal', tests.soon(3, 11))$$, 'right after is free');
select lives_ok($$select pg_temp.book('before', 'portal', tests.soon(3, 9))$$, 'right before, too');
select tests.act_as_role('service_role');
select throws_ok(
  $$insert into public.bookings (org_id, client_id, start_time, end_time, booking_source)
    select tests.id('org', 'ada'), tests.id('client', 'ada'), tests.soon(4), tests.soon(4, 11), 'client'
      from generate_series(1, 2)$$, 'PT409', 'slot_taken', 'two rows of one statement do not share a time');
select throws_ok(
  $$insert into public.bookings (org_id, client_id, start_time, end_time, booking_source)
    values (tests.id('org', 'ada'), tests.id('client', 'eve'), tests.soon(4), tests.soon(4, 11), 'client')$$,
  'PT404', 'client_id_not_found', 'nor does a service key book for another org''s client');
select tests.act_as_admin();

-- Every rule of a slot holds for a client's booking, none of them for a coach's.
insert into public.blocked_times (org_id, date, start_time, end_time)
values (tests.id('org', 'ada'), (tests.soon(5) at time zone 'Australia/Brisbane')::date, '10:00', '11:00');
create temp table rules (why text, setting text, at timestamptz, mins integer, code text, state text);
insert into rules values
  ('blocked', 'notify_phone = null', tests.soon(5), 60, 'slot_not_open', 'PT409'),
  ('too soon', 'late_notice_hours = 240', tests.soon(6), 60, 'slot_too_soon', 'PT409'),
  ('too far ahead', 'max_advance_days = 5', tests.soon(7), 60, 'slot_too_far_ahead', 'PT409'),
  ('in the past', 'notify_phone = null', tests.soon(-1), 60, 'slot_in_past', 'PT409'),
  ('too close to another', 'buffer_between_mins = 30', tests.soon(3, 12), 60, 'slot_taken', 'PT409'),
  ('switched off', 'allow_client_booking = false', tests.soon(8), 60, 'client_booking_off', 'PT403');
create function pg_temp.try_rule(p_why text, p_by text) returns text language plpgsql as $$
declare
  v_rule rules;
begin
  select * into v_rule from rules where why = p_why;
  execute format('update public.booking_settings set %s where org_id = %L', v_rule.setting, tests.id('org', 'ada'));
  perform pg_temp.book(p_why || p_by, p_by, v_rule.at, v_rule.mins);
  raise exception using errcode = 'TT000', message = 'booked';
exception when others then  -- whatever it was, it is undone
  return sqlstate || ' ' || sqlerrm;
end;
$$;
select is(pg_temp.try_rule(why, 'portal'), state || ' ' || code, format('%s: not by a client', why)) from rules;
select is(pg_temp.try_rule(why, 'ada'), 'TT000 booked', format('%s: by a coach', why)) from rules;
select tests.act_as_admin();
select throws_ok($$select pg_temp.book('long', 'ada', tests.soon(9), 1441)$$, '23514', null,
  'a booking lasts a day at most');
select tests.act_as_admin();

-- Cancelling: notice, switch, and nothing that has begun.
select pg_temp.book('far', 'portal', tests.soon(20)), pg_temp.book('near', 'ada',
  now() + interval '23 hours 59 minutes'),
       pg_temp.book('edge', 'ada', now() + interval '24 hours'), pg_temp.book('running', 'ada',
         now() - interval '10 minutes'),
       pg_temp.book('past', 'ada', now() - interval '3 days');
select throws_ok(format('select pg_temp.change(%L, %L, %L)', n, 'portal', 'status = ''cancelled'''), 'PT409', code, n)
  from (values ('near', 'cancel_too_late'), ('running', 'booking_is_over'), ('past', 'booking_is_over')) as c (n, code);
select tests.act_as_admin();
select lives_ok($$select pg_temp.change('edge', 'portal', 'status = ''cancelled'', cancelled_at = now()')$$,
  'exactly the notice is enough');
call pg_temp.settings('allow_client_cancel = false');
select throws_ok($$select pg_temp.change('far', 'portal', 'status = ''cancelled''')$$, 'PT403', 'client_cancel_off',
  'nothing where clients cancel nothing');
call pg_temp.settings('allow_client_cancel = null, cancel_notice_hours = null');
select throws_ok($$select pg_temp.change('near', 'portal', 'status = ''cancelled''')$$, 'PT409', 'cancel_too_late',
  'what is not set: 24 hours');
select lives_ok($$select pg_temp.change('far', 'portal', 'status = ''cancelled''')$$, 'and allowed');
call pg_temp.settings('cancel_notice_hours = 0, allow_client_cancel = false');
select lives_ok(format('select pg_temp.change(%L, %L, %L)', n, 'ada', 'status = ''cancelled'''), format('a coach: %s',
  n))
  from unnest(array['near', 'running', 'past']) as n;
call pg_temp.settings('allow_client_cancel = true');
select pg_temp.change('near', 'ada', 'status = ''confirmed''');
select lives_ok($$select pg_temp.change('near', 'portal', 'status = ''cancelled''')$$, 'no notice: up to the start');

-- Moving is both: leaving one time and taking another.
call pg_temp.settings('cancel_notice_hours = 24');
select pg_temp.book('mover', 'portal', tests.soon(10)), pg_temp.book('in the way', 'ada', tests.soon(11)),
       pg_temp.book('soon', 'ada', now() + interval '5 hours');
select lives_ok(format('select pg_temp.change(''mover'', ''portal'', %L)', pg_temp.moved(tests.soon(10,
  10) + interval '15 minutes')),
  'over its own time');
select throws_ok(format('select pg_temp.change(''mover'', ''portal'', %L)', pg_temp.moved(tests.soon(11))),
  'PT409', 'slot_taken', 'not where somebody is');
select throws_ok(format('select pg_temp.change(''mover'', ''portal'', %L)', pg_temp.moved(tests.soon(-1))),
  'PT409', 'slot_in_past', 'nor into the past');
select throws_ok(format('select pg_temp.change(''soon'', ''portal'', %L)', pg_temp.moved(tests.soon(12))),
  'PT409', 'cancel_too_late', 'nor away from a time it is too late to cancel');
call pg_temp.settings('late_cancel = ''charge''');
select throws_ok(format('select pg_temp.change(''soon'', ''portal'', %L)', pg_temp.moved(tests.soon(12))),
  'PT409', 'cancel_too_late', 'also where cancelling late is only charged');
select tests.act_as_admin();
select pg_temp.book('near end', 'ada', tests.soon(10, 12));
select throws_ok($$select pg_temp.change('mover', 'portal', 'end_time = end_time + interval ''1 hour''')$$,
  'PT409', 'slot_taken', 'nor longer, into the next');
call pg_temp.settings('allow_client_cancel = false');
select throws_ok(format('select pg_temp.change(''mover'', ''portal'', %L)', pg_temp.moved(tests.soon(12))),
  'PT403', 'client_cancel_off', 'nor at all where clients change nothing');
select lives_ok(format('select pg_temp.change(''mover'', ''ada'', %L)', pg_temp.moved(tests.soon(11))),
  'a coach moves it anywhere');
select lives_ok(format('select pg_temp.change(''soon'', ''ada'', %L)', pg_temp.moved(tests.soon(-1))), 'at any time');
call pg_temp.settings('allow_client_cancel = true');

-- Coming back: what a client cancelled is not theirs any more.
select pg_temp.change('mover', 'ada', 'status = ''cancelled''');
select throws_ok($$select pg_temp.change('mover', 'portal', 'status = ''confirmed''')$$, 'PT409', 'slot_taken',
  'a cancelled booking comes back only to a free time');
select tests.act_as_admin();
select lives_ok($$select pg_temp.change('mover', 'ada', 'status = ''confirmed''')$$,
  'a coach puts it back all the same');

-- What is not about time goes through: confirmations, texts, notes, completion by the service key.
select lives_ok($$select pg_temp.change('in the way', 'portal',
  'client_confirmed = true, confirmation_sent_at = now()')$$,
  'a client''s confirmation');
select lives_ok($$select pg_temp.change('soon', 'portal', 'status = ''completed''')$$, 'completion');
select is((select status from public.bookings where id = tests.id('booking', 'soon')), 'completed', 'by whoever may');

-- A signed-in client reaches bookings through the functions alone.
select tests.act_as('ada client');
update public.bookings set status = 'cancelled' where client_id = tests.id('client', 'ada');
select throws_ok($$insert into public.bookings (org_id, client_id, start_time, end_time)
  values (tests.id('org', 'ada'), tests.id('client', 'ada'), tests.soon(15), tests.soon(15, 11))$$, '42501', null,
  'a client inserts none into the table');
select tests.act_as_admin();
select is((select status from public.bookings where id = tests.id('booking', 'mover')), 'confirmed',
  'and changes none there');
select tests.act_as('eve');
update public.bookings set status = 'cancelled' where org_id = tests.id('org', 'ada');
select tests.act_as_admin();
select is((select status from public.bookings where id = tests.id('booking', 'mover')), 'confirmed',
  'nor does another coach');

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
