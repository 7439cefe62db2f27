-- A client's statement: what happened to their sessions, in order, and it adds up, over any range of the org's dates.
begin;
select plan(32);

select tests.open_org('ada', 'Australia/Sydney');
select tests.open_org('eve');
insert into public.org_members (org_id, user_id, role)
values (tests.id('org', 'ada'), tests.person('ada staff'), 'staff'),
       (tests.id('org', 'ada'), tests.person('ada books'), 'accountant_readonly');
do $$ begin perform tests.person('stranger'); end $$;
-- Everything here happens in one transaction, at one instant; afterwards it has happened when the test says.
alter table public.session_ledger disable trigger session_ledger_append_only;
create function pg_temp.at(p_at timestamptz) returns void language plpgsql as $$
begin
  update public.session_ledger set created_at = p_at where created_at = now();
end;
$$;
create function pg_temp.become(p_name text, p_status text, p_at timestamptz, p_forfeited boolean default false)
returns void language plpgsql as $$
begin
  update public.bookings set status = p_status, forfeited = p_forfeited where id = tests.id('booking', p_name);
  perform pg_temp.at(p_at);
end;
$$;
create function pg_temp.on_pack(p_name text, p_pack text, p_start timestamptz) returns void language plpgsql as $$
begin
  perform tests.booking(p_name, 'ada', p_start);
  update public.bookings set purchase_id = tests.id('pack', p_pack) where id = tests.id('booking', p_name);
end;
$$;
create function pg_temp.statement(p_from date default null, p_to date default null)
returns setof record language sql as $$
  select s.* from app.client_statement(tests.id('client', 'ada'), p_from, p_to, '2026-06-01 00:00Z') as s;
$$;

-- A quarter of a client's life.
update public.client_purchases set purchased_at = '2026-03-01 09:00+11' where id = tests.id('pack', 'ada');
update public.offers set name = 'Ten' where id = tests.id('offer', 'ada');
select pg_temp.on_pack('taken', 'ada', '2026-03-02 09:00+11');
select pg_temp.become('taken', 'completed', '2026-03-02 10:00+11');
select pg_temp.on_pack('missed', 'ada', '2026-03-09 09:00+11');
select pg_temp.become('missed', 'no_show', '2026-03-09 10:00+11', true);
-- Completed by the worker, then found to be a no-show; and one the other way round.
select pg_temp.on_pack('missed as it turned out', 'ada', '2026-03-10 09:00+11');
select pg_temp.become('missed as it turned out', 'completed', '2026-03-10 10:00+11');
select pg_temp.become('missed as it turned out', 'no_show', '2026-03-10 11:00+11', true);
select pg_temp.on_pack('came after all', 'ada', '2026-03-11 09:00+11');
select pg_temp.become('came after all', 'no_show', '2026-03-11 10:00+11', true);
select pg_temp.become('came after all', 'completed', '2026-03-11 11:00+11');
select pg_temp.on_pack('late', 'ada', '2026-03-16 09:00+11');
select pg_temp.become('late', 'cancelled', '2026-03-15 20:00+11', true);
select pg_temp.on_pack('reopened', 'ada', '2026-03-20 09:00+11');
select pg_temp.become('reopened', 'completed', '2026-03-20 10:00+11');
select pg_temp.become('reopened', 'cancelled', '2026-03-21 08:00+11');
-- By hand: the button, its opposite, and an edit of both numbers.
select tests.act_as('ada');
do $$ begin perform public.use_session(tests.id('pack', 'ada')); end $$;
select tests.act_as_admin();
select pg_temp.at('2026-03-22 10:00+11');
do $$ begin perform public.release_session(tests.id('pack', 'ada')); end $$;
select pg_temp.at('2026-03-22 10:05+11');
update public.client_purchases set sessions_total = 12, sessions_used = 6 where id = tests.id('pack', 'ada');
select pg_temp.at('2026-03-23 10:00+11');
-- A second pack, with an opening balance, that expires; and one that is refunded; one that was never paid.
select tests.pack(n, 'ada', 5) from unnest(array['expires', 'refunded']) as n;
insert into public.client_purchases
  (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, sessions_used, payment_status, purchased_at)
values (tests.id('pack', 'moved in'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0,
  8, 3,
        'succeeded', '2026-04-01 09:00+11'),
       (tests.id('pack', 'unpaid'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0, 50,
         0,
        'pending', '2026-04-01 09:00+11'),
       (tests.id('pack', 'unlimited'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 0,
         null,
        0, 'succeeded', '2026-04-01 09:00+11');
select pg_temp.at('2026-04-01 09:00+11');
update public.client_purchases set purchased_at = '2026-04-02 09:00+11' where id = tests.id('pack', 'expires');
update public.client_purchases set purchased_at = '2026-04-03 09:00+11' where id = tests.id('pack', 'refunded');
select pg_temp.on_pack('before it expired', 'expires', '2026-04-30 23:00+10');
update public.client_purchases set expires_at = '2026-05-01 00:00+10' where id = tests.id('pack', 'expires');
select pg_temp.on_pack('on the refunded', 'refunded', '2026-04-07 09:00+10');
select pg_temp.become('on the refunded', 'completed', '2026-04-07 10:00+10');
update public.client_purchases set payment_status = 'refunded' where id = tests.id('pack', 'refunded');
alter table public.client_purchases disable trigger client_purchases_note_refund;
update public.client_purchases set refunded_at = '2026-05-02 09:00+10' where id = tests.id('pack', 'refunded');
alter table public.client_purchases enable trigger client_purchases_note_refund;
-- The worker comes to the last one a day after the pack has expired.
select pg_temp.become('before it expired', 'completed', '2026-05-02 12:00+10');
alter table public.session_ledger enable trigger session_ledger_append_only;

select results_eq(
  $$select entry_at, kind, sessions, balance, booking_id, reason
      from pg_temp.statement() as s (entry_at timestamptz, kind text, sessions integer, balance integer,
                                     purchase_id uuid, pack_name text, booking_id uuid, session_start timestamptz,
                                     reason text)$$,
  $$select at, kind, sessions, balance, tests.id('booking', booking), reason
      from (values
        ('2026-03-01 09:00+11'::timestamptz, 'bought', 10, 10, null, null),
        ('2026-03-02 10:00+11', 'used', -1, 9, 'taken', 'completed'),
        ('2026-03-09 10:00+11', 'forfeited', -1, 8, 'missed', 'no_show'),
        ('2026-03-10 10:00+11', 'forfeited', -1, 7, 'missed as it turned out', 'no_show'),
        ('2026-03-11 10:00+11', 'used', -1, 6, 'came after all', 'completed'),
        ('2026-03-15 20:00+11', 'forfeited', -1, 5, 'late', 'late_cancellation'),
        ('2026-03-20 10:00+11', 'used', -1, 4, 'reopened', 'completed'),
        ('2026-03-21 08:00+11', 'given_back', 1, 5, 'reopened', 'cancelled'),
        ('2026-03-22 10:00+11', 'used', -1, 4, null, null),
        ('2026-03-22 10:05+11', 'given_back', 1, 5, null, null),
        -- 10 and 5 used become 12 and 6 used: one more left.
        ('2026-03-23 10:00+11', 'adjusted', 1, 6, null, null),
        ('2026-04-01 09:00+11', 'bought', 8, 14, null, null),
        ('2026-04-01 09:00+11', 'adjusted', -3, 11, null, null),
        ('2026-04-02 09:00+11', 'bought', 5, 16, null, null),
        ('2026-04-03 09:00+11', 'bought', 5, 21, null, null),
        ('2026-04-07 10:00+10', 'used', -1, 20, 'on the refunded', 'completed'),
        ('2026-05-01 00:00+10', 'expired', -4, 16, null, null),
        ('2026-05-02 09:00+10', 'refunded', -4, 12, null, null),
        ('2026-05-02 12:00+10', 'used', -1, 11, 'before it expired', 'completed')
      ) as t (at, kind, sessions, balance, booking, reason)$$, 'every change, in order, with what it was for');
select is((select sum(sessions_remaining) from public.client_purchases
            where client_id = tests.id('client', 'ada') and payment_status = 'succeeded'
              and coalesce(expires_at > '2026-06-01 00:00Z', true)), 11::bigint, 'the last balance is what is left');
select is((select count(*) from pg_temp.statement() as s (entry_at timestamptz, kind text, sessions integer,
  balance integer,
             purchase_id uuid, pack_name text, booking_id uuid, session_start timestamptz, reason text)
            where pack_name <> 'Ten' or purchase_id is null
               or session_start is distinct from (select b.start_time from public.bookings as b
                 where b.id = booking_id)),
  0::bigint, 'each names its pack, and when its session was');

-- Any range: what was before is one line, and everything goes on from there.
create temp view full_statement as
  select s.*, (s.entry_at at time zone 'Australia/Sydney')::date as day, row_number() over () as n
    from pg_temp.statement() as s (entry_at timestamptz, kind text, sessions integer, balance integer, purchase_id uuid,
                                   pack_name text, booking_id uuid, session_start timestamptz, reason text);
create temp table whole as select * from full_statement;
create temp table ranges as
  select f.day as since, t.day as until, r.*
    from (select distinct day + o as day from whole, generate_series(-1, 1) as o) as f
    join (select distinct day + o as day from whole, generate_series(-1, 1) as o) as t on t.day >= f.day
    join lateral (
      select count(*) filter (where s.kind <> 'balance_forward') as lines, sum(s.sessions) as total,
             count(*) filter (where s.kind = 'balance_forward') as forwards,
             (array_agg(s.balance order by s.n))[1] as first_balance,
             (array_agg(s.balance order by s.n desc))[1] as last_balance,
             (array_agg(s.kind order by s.n))[1] as first_kind
        from (
          select a.*, row_number() over () as n
            from pg_temp.statement(f.day, t.day) as a (
              entry_at timestamptz, kind text, sessions integer, balance integer, purchase_id uuid, pack_name text,
              booking_id uuid, session_start timestamptz, reason text)
        ) as s
    ) as r on true;
select cmp_ok((select count(*) from ranges), '>', 400::bigint, 'hundreds of ranges');
select is_empty(
  $$select r.* from ranges as r
     where r.lines <> (select count(*) from whole as w where w.day between r.since and r.until)$$,
  'each holds just what happened on its days, in the org''s zone');
select is_empty(
  $$select r.* from ranges as r
     where r.forwards <> 1 or r.first_kind <> 'balance_forward'
        or r.first_balance <> (select coalesce(sum(w.sessions), 0) from whole as w where w.day < r.since)$$,
  'each begins with what was left before');
select is_empty(
  $$select r.* from ranges as r
     where r.total <> r.last_balance
        or r.last_balance <> (select coalesce(sum(w.sessions), 0) from whole as w where w.day <= r.until)$$,
  'the sum of each is its last balance');
select is_empty(
  $$select * from ranges as a join ranges as b on b.since = a.until + 1 where b.first_balance <> a.last_balance$$,
  'and the next one begins there');
create function pg_temp.kinds(p_from date, p_to date) returns text language sql as $$
  select string_agg(format('%s %s', s.kind, s.sessions), ', ')
    from app.client_statement(tests.id('client', 'ada'), p_from, p_to, '2026-06-01 00:00Z') as s;
$$;
select is(pg_temp.kinds('2026-05-01', '2026-05-01'), 'balance_forward 20, expired -4',
  'midnight belongs to the day that begins');
select is(pg_temp.kinds('2026-04-30', '2026-04-30'), 'balance_forward 20', 'not to the one that ends');
select is(pg_temp.kinds('2026-05-02', null), 'balance_forward 16, refunded -4, used -1', 'open at the end');
select is(pg_temp.kinds(null, '2026-03-02'), 'bought 10, used -1', 'open at the beginning');
select is(pg_temp.kinds('2027-01-01', '2027-12-31'), 'balance_forward 11', 'nothing happens in the future');
select is(pg_temp.kinds('2020-01-01', '2020-12-31'), 'balance_forward 0', 'nor before the beginning');
select is(pg_temp.kinds('2026-05-03', '2026-05-01'), 'balance_forward 11',
  'a range that ends before it begins is empty');
select is(pg_temp.kinds('-infinity', 'infinity'), pg_temp.kinds(null, null), 'infinity is as good as open');
select is(pg_temp.kinds('infinity', '-infinity'), pg_temp.kinds(null, null), 'either way round');
select is(
  (select string_agg(format('%s %s', s.kind, s.sessions), ', ')
     from app.client_statement(tests.id('client', 'ada'), '2026-05-01', null, '2026-04-30 13:59Z') as s),
  'balance_forward 20, refunded -4, used -1', 'a pack that has not expired yet has not expired');

-- Several things at one instant: still one balance after the other.
select pg_temp.on_pack('n' || n, 'moved in', '2026-05-20 09:00+10') from generate_series(1, 3) as n;
update public.bookings set status = 'completed' where client_id = tests.id('client', 'ada') and status = 'confirmed';
select is(
  (select array_agg(s.balance) from app.client_statement(tests.id('client', 'ada'), null, null,
    '2026-06-01 00:00Z') as s
    where s.session_start = '2026-05-20 09:00+10'), array[10, 9, 8], 'three in one transaction');

-- Who may read it.
create function pg_temp.lines_for(p_person text) returns bigint language plpgsql as $$
declare
  v_lines bigint;
begin
  if p_person = 'service' then perform tests.act_as_role('service_role'); else perform tests.act_as(p_person); end if;
  select count(*) into v_lines from public.client_statement(tests.id('client', 'ada'));
  perform tests.act_as_admin();
  return v_lines;
end;
$$;
select is(pg_temp.lines_for(who), 22::bigint, format('%s may', who))
  from unnest(array['ada', 'ada staff', 'ada books', 'ada client', 'service']) as who;
select is(pg_temp.lines_for(who), 0::bigint, format('%s sees nothing', who))
  from unnest(array['eve', 'eve client', 'stranger']) as who;
select tests.act_as('ada');
select is((select count(*) from public.client_statement(null)), 0::bigint, 'of nobody');
select is((select count(*) from public.client_statement(gen_random_uuid(), '2026-01-01')), 0::bigint,
  'of somebody unknown');
select is((select count(*) from public.client_statement(tests.id('client', 'eve'), '2026-01-01')), 0::bigint,
  'of another org''s client not even a first line');
select tests.act_as_anon();
select throws_ok($$select * from public.client_statement(tests.id('client', 'ada'))$$, '42501', null, 'anon may not');
select tests.act_as_admin();

select is_empty('select * from app.session_discrepancies()', 'every counter is the sum of its ledger');

select * from finish();
rollback;
