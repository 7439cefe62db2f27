begin;
select plan(19);

-- What a pack promises holds for what one statement does to several rows, and across corrections by hand.
select tests.org('ada');
insert into public.clients (id, org_id, full_name, phone)
values (tests.id('client', 'jo'), tests.id('org', 'ada'), 'Jo Doe', '+61491570158');
create function pg_temp.row_of(p_status text, p_days integer, p_pack text) returns text language sql as $$
  select format('(%L, %L, %L, %L, %L, %L)', tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', p_pack),
                tests.soon(p_days), tests.soon(p_days, 11), p_status);
$$;
create function pg_temp.insert_of(variadic p_rows text[]) returns text language sql as $$
  select 'insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time, status) values '
         || array_to_string(p_rows, ', ');
$$;
select tests.pack('one', 'ada', 1);
select tests.pack('two', 'ada', 2);

select throws_ok(pg_temp.insert_of(pg_temp.row_of('confirmed', 3, 'one'), pg_temp.row_of('completed', -3, 'one')),
  'PT409', 'no_session_left', 'two rows in one insert: the first holds what the second takes');
select throws_ok(pg_temp.insert_of(pg_temp.row_of('completed', -3, 'one'), pg_temp.row_of('confirmed', 3, 'one')),
  'PT409', 'no_session_left', 'nor the other way round');
select is_empty($$select 1 from public.bookings$$, 'neither is booked');
select lives_ok(pg_temp.insert_of(pg_temp.row_of('confirmed', 3, 'two'), pg_temp.row_of('completed', -3, 'two')),
  'a pack of two has one for each');
select is(app.bookable_sessions_remaining(tests.id('pack', 'two')), 0, 'and none for a third');

-- An upsert of two rows.
insert into public.bookings (id, org_id, client_id, start_time, end_time)
select tests.id('booking', n::text), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.soon(n), tests.soon(n, 11)
  from unnest(array[4, -4]) as n;
select throws_ok(
  $$insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, status)
    select b.id, b.org_id, b.client_id, tests.id('pack', 'one'), b.start_time, b.end_time,
           case when b.start_time < now() then 'completed' else 'confirmed' end
      from public.bookings as b where b.id in (tests.id('booking', '4'), tests.id('booking', '-4'))
     order by b.start_time desc
    on conflict (id) do update set status = excluded.status, purchase_id = excluded.purchase_id$$,
  'PT409', 'no_session_left', 'an upsert neither');
select lives_ok(
  $$update public.bookings set purchase_id = tests.id('pack', 'one') where id = tests.id('booking', '4')$$,
  'one of them fits');
update public.bookings set purchase_id = null where id = tests.id('booking', '4');

-- A session given back by hand, and then booked by another, is not there for the first to come back to.
update public.bookings set purchase_id = tests.id('pack', 'one'), status = 'completed'
 where id = tests.id('booking', '-4');
select is(app.paid_by(tests.id('booking', '-4')), tests.id('pack', 'one'), 'the last session is used');
select is(public.release_session(tests.id('pack', 'one')), 0, 'and given back by hand');
update public.bookings set purchase_id = tests.id('pack', 'one') where id = tests.id('booking', '4');
select throws_ok($$update public.bookings set status = 'confirmed' where id = tests.id('booking', '-4')$$,
  'PT409', 'no_session_left', 'reopened, the first one would hold what the other holds');
update public.bookings set status = 'cancelled' where id = tests.id('booking', '4');
select lives_ok($$update public.bookings set status = 'confirmed' where id = tests.id('booking', '-4')$$,
  'the other one cancelled, it can be reopened');
select is((select p.sessions_remaining - app.sessions_held(p.id) from public.client_purchases as p
            where p.id = tests.id('pack', 'one')), 0, 'and holds the one session');

-- Charged by hand, and then found to be another client's.
insert into public.bookings (id, org_id, client_id, start_time, end_time, status)
values (tests.id('booking', 'whose'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.soon(-5),
  tests.soon(-5, 11), 'completed');
select is(public.use_session(tests.id('pack', 'ada'), tests.id('booking', 'whose')), true, 'charged by hand');
update public.bookings set client_id = tests.id('client', 'jo') where id = tests.id('booking', 'whose');
select is(app.paid_by(tests.id('booking', 'whose')), null, 'it is not paid by the first client any more');
select is((select sessions_used from public.client_purchases where id = tests.id('pack', 'ada')), 0,
  'who has their session back');
select results_eq(
  $$select reason from public.session_ledger where booking_id = tests.id('booking', 'whose') and delta < 0$$,
  $$values ('other_pack')$$, 'with the reason');

-- Called off without charge, a booking takes no session: not for a tab that has not heard of it.
insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, status)
select tests.id('booking', s), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('pack', 'ada'),
       tests.soon(-6), tests.soon(-6, 11), s from unnest(array['cancelled', 'no_show']) as s;
select is(array(select public.use_session(tests.id('pack', 'ada'), tests.id('booking', s))
                  from unnest(array['cancelled', 'no_show']) as s),
  array[false, false], 'neither one cancelled nor one missed free of charge');
select is((select sessions_used from public.client_purchases where id = tests.id('pack', 'ada')), 0, 'nothing is used');

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
