-- The existing calendar completes a booking (U) and then calls use_session() without saying for what (C): together they
-- deduct once, in any order and however many send them. The manual button sends the same C alone: that deducts.
begin;
select plan(36);

select tests.full_org('ada');
select tests.open_org('eve');
update public.client_purchases set sessions_total = 100 where id = tests.id('pack', 'ada');
delete from public.bookings where purchase_id <> tests.id('pack', 'ada') and org_id = tests.id('org', 'ada');

-- tests.act_as() without `discard plans`: hundreds of calls.
create function pg_temp.act_as(p_person text) returns void language sql as $$
  select set_config('request.jwt.claims',
           case p_person when 'cron' then '{"role": "service_role"}'
             else json_build_object('sub', tests.person(p_person), 'role', 'authenticated')::text end, true),
         set_config('role', case p_person when 'cron' then 'service_role' else 'authenticated' end, true);
$$;
create function pg_temp.u(p_person text, p_booking text) returns void language plpgsql as $$
begin
  perform pg_temp.act_as(p_person);
  update public.bookings set status = 'completed' where id = tests.id('booking', p_booking);
  perform set_config('request.jwt.claims', '', true), set_config('role', 'none', true);
end;
$$;
create function pg_temp.c(p_person text, p_pack text) returns boolean language plpgsql as $$
declare
  v_used boolean;
begin
  perform pg_temp.act_as(p_person);
  v_used := public.use_session(tests.id('pack', p_pack));
  perform set_config('request.jwt.claims', '', true), set_config('role', 'none', true);
  return v_used;
end;
$$;
create function pg_temp.used(p_pack text) returns integer language sql as $$
  select p.sessions_used from public.client_purchases as p where p.id = tests.id('pack', p_pack);
$$;
-- A pack with one booking on it, which is over; both have this name.
create function pg_temp.over(p_name text, p_sessions integer default 5) returns void language plpgsql as $$
begin
  perform tests.pack(p_name, 'ada', p_sessions);
  perform tests.booking(p_name, 'ada', '2026-01-05 09:00+10');
  update public.bookings set purchase_id = tests.id('pack', p_name) where id = tests.id('booking', p_name);
end;
$$;
select pg_temp.over(n) from unnest(array[
  'one', 'two tabs', 'worker first', 'button', 'other user', 'other pack', 'old', 'nearly old', 'cron', 'accountant',
  'with id', 'notes', 'twice', 'reopened'
]) as n;

-- The pair.
select pg_temp.u('ada', 'one');
select is(pg_temp.used('one'), 1, 'the update takes the session');
select is(pg_temp.c('ada', 'one'), true, 'the call after it is told that one was taken');
select is(pg_temp.used('one'), 1, 'and takes no other');
select is(pg_temp.c('ada', 'one'), true, 'the manual button, a moment later,');
select is(pg_temp.used('one'), 2, 'does');
select is(pg_temp.c('ada', 'one'), true, 'and once more');
select is(pg_temp.used('one'), 3, 'each time it is pressed');

select pg_temp.u('ada', 'two tabs'), pg_temp.u('ada', 'two tabs');
select is(array[pg_temp.c('ada', 'two tabs'), pg_temp.c('ada', 'two tabs')], array[true, true], 'U U C C');
select is(pg_temp.used('two tabs'), 1, 'deducts once');

do $$ begin perform app.complete_past_bookings('2026-01-05 23:59Z', 1000); end $$;
select is(pg_temp.used('worker first'), 1, 'the worker was first');
select pg_temp.u('ada', 'worker first');
select is(pg_temp.c('ada', 'worker first'), true, 'a tab that comes later is told so');
select is(pg_temp.used('worker first'), 1, 'and deducts nothing');

select pg_temp.u('ada', 'reopened');
select tests.act_as('ada');
update public.bookings set status = 'confirmed' where id = tests.id('booking', 'reopened');
select tests.act_as_admin();
select pg_temp.u('ada', 'reopened');
select is(array[pg_temp.c('ada', 'reopened'), pg_temp.c('ada', 'reopened')], array[true, true],
  'completed, reopened and completed, the calls come late');
select is(pg_temp.used('reopened'), 1, 'one session');

-- Every order in which three tabs of two users may send their pairs for one booking, with a worker at some point, or
-- none:
-- `abacbc` is U of tab a, U of b, C of a, …; tabs a and c are one user's.
create function pg_temp.orders(p_sent text, p_left integer[]) returns setof text language sql as $$
  select p_sent where p_left = array[0, 0, 0]
  union all
  select pg_temp.orders(p_sent || chr(96 + t), p_left[:t - 1] || (p_left[t] - 1) || p_left[t + 1:])
    from generate_series(1, 3) as t where p_left[t] > 0;
$$;
create function pg_temp.play(p_order text, p_worker_at integer) returns integer language plpgsql as $$
declare
  v_name text := p_order || p_worker_at;
  v_tab text;
  v_seen text := '';
begin
  perform pg_temp.over(v_name);
  for v_at in 0 .. length(p_order) loop
    if v_at = p_worker_at then
      perform app.complete_past_bookings('2026-01-05 23:59Z', 1000);
    end if;
    exit when v_at = length(p_order);
    v_tab := substr(p_order, v_at + 1, 1);
    if position(v_tab in v_seen) = 0 then
      perform pg_temp.u(case v_tab when 'b' then 'ada staff' else 'ada' end, v_name);
    elsif not pg_temp.c(case v_tab when 'b' then 'ada staff' else 'ada' end, v_name) then
      return -1;
    end if;
    v_seen := v_seen || v_tab;
  end loop;
  return pg_temp.used(v_name);
end;
$$;
select is((select count(*)::integer from pg_temp.orders('', array[2, 2, 2])), 90, 'there are ninety such orders');
create temp table played as
  select o.how, pg_temp.play(o.how, (o.n % 8)::integer) as used
    from pg_temp.orders('', array[2, 2, 2]) with ordinality as o (how, n);
select is_empty('select * from played where used <> 1', 'each deducts once');
select is_empty('select * from app.completion_credits where user_id <> tests.person(''ada'')', 'and leaves no credit');

-- Whose credit, and on what.
select pg_temp.u('ada', 'other user');
select is(pg_temp.c('ada staff', 'other user'), true, 'somebody else''s call is their own button');
select is(pg_temp.used('other user'), 2, 'and deducts');
select pg_temp.u('ada', 'other pack');
select is(pg_temp.c('ada', 'button'), true, 'a call for another pack is the button');
select is(pg_temp.used('other pack'), 1, 'the booking''s pack is charged once');
select is(pg_temp.used('button'), 2, 'the other, which the worker charged for its own booking, once more');
select pg_temp.u('ada', 'with id');
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'with id'), tests.id('booking', 'with id')), true,
  'a call that names the booking finds it paid');
select tests.act_as_admin();
select is(pg_temp.c('ada', 'with id'), true, 'and leaves the credit for the call that does not');
select is(pg_temp.used('with id'), 1, 'so that one session is taken');

-- How long: a tab may die between the two.
select pg_temp.u('ada', 'old'), pg_temp.u('ada', 'nearly old');
select set_config('request.jwt.claims', json_build_object('sub', tests.person('ada'))::text, true);
do $$
begin
  perform app.use_session(tests.id('pack', 'old'), null, now() + interval '60 seconds'),
          app.use_session(tests.id('pack', 'nearly old'), null, now() + interval '59 seconds');
end;
$$;
select is(pg_temp.used('old'), 2, 'after a minute the call is the button again');
select is(pg_temp.used('nearly old'), 1, 'a second before it is not');
update app.completion_credits set created_at = now() - interval '1 minute';
select pg_temp.u('ada', 'old');
select is((select count(*) from app.completion_credits where purchase_id = tests.id('pack', 'old')), 1::bigint,
  'those out of date go when the next one comes');

-- What leaves none.
select tests.act_as_admin();
delete from app.completion_credits;
select tests.act_as('ada');
update public.bookings set notes = 'Went well' where id = tests.id('booking', 'notes');
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'notes');
select tests.act_as_admin();
select pg_temp.u('ada books', 'accountant'), pg_temp.u('eve', 'accountant'), pg_temp.u('ada client', 'accountant');
select is_empty('select 1 from app.completion_credits',
  'other updates; those of an accountant, another org, a client, who change nothing');
select is(array[pg_temp.c('ada books', 'accountant'), pg_temp.c('eve', 'accountant'), pg_temp.c('ada client',
  'accountant')],
  array[false, false, false], 'nor may these call');

-- The edge function that did this with the service key, for many in one request.
update public.bookings set status = 'confirmed' where id in (tests.id('booking', 'cron'), tests.id('booking', 'twice'));
update public.bookings set purchase_id = tests.id('pack', 'cron') where id = tests.id('booking', 'twice');
select is(pg_temp.used('cron'), 0, 'two bookings on one pack');
select tests.act_as_role('service_role');
update public.bookings set status = 'completed'
 where id in (tests.id('booking', 'cron'), tests.id('booking', 'twice'));
select tests.act_as_admin();
select is(array[pg_temp.c('cron', 'cron'), pg_temp.c('cron', 'cron')], array[true, true], 'both told');
select is(pg_temp.used('cron'), 2, 'each deducted once');

-- A pack that could not pay: the call does not make a session out of nothing.
select pg_temp.over('empty', 1);
update public.client_purchases set sessions_total = 0 where id = tests.id('pack', 'empty');
select pg_temp.u('ada', 'empty');
do $$ begin perform pg_temp.c('ada', 'empty'); end $$;
select is((select (p.sessions_used, b.uncovered_reason)::text from public.client_purchases as p
             join public.bookings as b on b.purchase_id = p.id where p.id = tests.id('pack', 'empty')),
  '(0,no_session_left)', 'nothing taken, and told');

select tests.act_as_role('service_role');
select throws_ok('select * from app.completion_credits', '42501', null, 'nobody reads credits through the API');
select tests.act_as_admin();
select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
