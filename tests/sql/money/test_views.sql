-- The finance page's months and the settings page's earnings: which instant is in which month, what counts as what, whose.
begin;
select plan(48);

-- Rows come and go here as no org's books do.
alter table public.money_events disable trigger money_events_stay_booked;

select tests.full_org('ada');
select tests.full_org('eve');
select tests.org('nia', 'Pacific/Auckland');
select tests.org('tom', 'America/New_York');
select tests.org('new');
select tests.platform_admin('root');
insert into public.platform_admins (user_id, email, role)
values (tests.person('helper'), 'helper@platform.example.com', 'support'),
       (tests.person('reader'), 'reader@platform.example.com', 'readonly');
create function tests.money(
  p_org text, p_at timestamptz, p_type public.money_event_type, p_cents bigint, p_status text default 'succeeded',
  p_currency text default 'aud', p_payout uuid default null
) returns void language plpgsql as $$
begin
  insert into public.money_events (org_id, event_date, type, amount_cents, currency, source, payment_status, payout_id)
  values (tests.id('org', p_org), p_at, p_type, p_cents, p_currency, 'stripe', p_status, p_payout);
end;
$$;
create function tests.months(p_org text) returns table (period text, cash_in bigint) language sql as $$
  select m.period collate "default", m.cash_in_cents from public.finance_monthly as m
   where m.org_id = tests.id('org', p_org) order by m.period;
$$;

-- What the pages read.
select columns_are('public', 'finance_monthly', array['org_id', 'period', 'cash_in_cents', 'cash_out_cents', 'net_cents',
  'fees_cents', 'platform_fees_cents', 'refunds_cents', 'payouts_cents', 'currency']);
select columns_are('public', 'org_earnings', array['org_id', 'org_name', 'gross_earnings_cents', 'commission_cents',
  'net_earnings_cents', 'paid_out_cents', 'pending_payout_cents', 'currency']);
select is_empty(
  $$select attrelid::regclass, attname from pg_attribute
     where attrelid in ('public.finance_monthly'::regclass, 'public.org_earnings'::regclass) and attname like '%\_cents'
       and atttypid <> 'bigint'::regtype$$, 'amounts are whole numbers');
select is_empty(
  $$select u.view_name, u.table_name from information_schema.view_column_usage as u
     where u.view_schema = 'public' and u.table_schema = 'public'
       and (u.table_name, u.column_name) in (('offers', 'id'), ('clients', 'id'))$$,
  'no view carries the id of an offer or a client: embeds would no longer know which way to go');

-- Months are the org's. Auckland is 13 hours ahead until 5 April and from 27 September, 12 between.
select tests.money('nia', at, 'INCOME', cents) from (values
  ('2026-03-31 10:59:59.999Z'::timestamptz, 1), ('2026-03-31 11:00Z', 10),
  ('2026-05-31 11:59:59.999Z', 100), ('2026-05-31 12:00Z', 1000),
  ('2026-09-30 10:59:59.999Z', 10000), ('2026-09-30 11:00Z', 100000),
  ('2025-12-31 10:59:59.999Z', 1000000), ('2025-12-31 11:00Z', 10000000)) as v (at, cents);
set local timezone = 'America/Los_Angeles';
select results_eq($$select * from tests.months('nia')$$,
  $$values ('2025-12', 1000000::bigint), ('2026-01', 10000000), ('2026-03', 1), ('2026-04', 10), ('2026-05', 100),
           ('2026-06', 1000), ('2026-09', 10000), ('2026-10', 100000)$$,
  'Auckland''s months begin at its midnight, in summer and in winter, to the millisecond');
create temp table seen_elsewhere as select * from tests.months('nia');
set local timezone = 'Pacific/Kiritimati';
select results_eq($$select * from tests.months('nia')$$, 'select * from seen_elsewhere', 'wherever they are looked at');
set local timezone = 'UTC';
select results_eq($$select * from tests.months('nia')$$, 'select * from seen_elsewhere', 'also by a server');
-- New York's clocks go back within the first hours of November.
select tests.money('tom', at, 'INCOME', cents, p_currency => 'usd') from (values
  ('2026-11-01 03:59:59Z'::timestamptz, 1), ('2026-11-01 04:00Z', 10),
  ('2026-12-01 04:59:59Z', 100), ('2026-12-01 05:00Z', 1000)) as v (at, cents);
select results_eq($$select * from tests.months('tom')$$,
  $$values ('2026-10', 1::bigint), ('2026-11', 110), ('2026-12', 1000)$$, 'a month that begins in one offset and ends in another');
update public.orgs set timezone = 'UTC' where id = tests.id('org', 'tom');
select results_eq($$select * from tests.months('tom')$$,
  $$values ('2026-11', 11::bigint), ('2026-12', 1100)$$, 'an org that moves has its months cut anew');
select results_eq(
  $$select m.period collate "default" from public.finance_monthly as m where m.org_id = tests.id('org', 'nia')
     order by m.period desc limit 2$$,
  $$values ('2026-10'), ('2026-09')$$, 'newest first, as the page asks');

-- What counts as what.
delete from public.money_events where org_id = tests.id('org', 'ada');
select tests.money('ada', '2026-02-10', t, c) from (values
  ('INCOME'::public.money_event_type, 10000), ('INCOME', 5000), ('REFUND', -2000), ('REFUND', 100), ('FEE', -320),
  ('PLATFORM_FEE', -500), ('EXPENSE', -700), ('ADJUSTMENT', -1000), ('ADJUSTMENT', 400), ('PAYOUT', -8000)) as v (t, c);
select results_eq(
  $$select period collate "default", cash_in_cents, cash_out_cents, net_cents, fees_cents, platform_fees_cents, refunds_cents,
           payouts_cents, currency collate "default"
      from public.finance_monthly where org_id = tests.id('org', 'ada')$$,
  $$values ('2026-02', 15500::bigint, 4520::bigint, 10980::bigint, 320::bigint, 500::bigint, 1900::bigint, 8000::bigint, 'aud')$$,
  'in, out as a positive number, the difference; a payout to the own bank is neither');
select is_empty('select 1 from public.finance_monthly where net_cents <> cash_in_cents - cash_out_cents', 'in every month');
select tests.money('ada', '2026-03-10', 'PAYOUT', -300);
select results_eq(
  $$select cash_in_cents, cash_out_cents, net_cents, fees_cents, platform_fees_cents, refunds_cents, payouts_cents
      from public.finance_monthly where org_id = tests.id('org', 'ada') and period = '2026-03'$$,
  $$values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 300::bigint)$$, 'zeros, not nulls, where nothing was');
select tests.money('ada', '2026-04-10', 'INCOME', c, s) from (values
  (1, 'succeeded'), (10, null), (100, 'refunded'), (1000, 'pending'), (10000, 'failed')) as v (c, s);
select results_eq($$select cash_in from tests.months('ada') where period = '2026-04'$$, 'values (111::bigint)',
  'money that has not come, or did not, does not count');
select is_empty($$select * from tests.months('new')$$, 'no money, no month');

-- One currency an org.
select tests.money('ada', '2026-02-11', 'INCOME', 77, p_currency => 'usd');
select tests.money('ada', '2026-07-11', 'INCOME', 77, p_currency => 'usd');
select results_eq($$select cash_in from tests.months('ada') where period = '2026-02'$$, 'values (15500::bigint)',
  'dollars and euros are not added up');
select is_empty($$select * from tests.months('ada') where period = '2026-07'$$, 'nor is there a second row for the other');
select results_eq($$select distinct currency collate "default" from public.finance_monthly where org_id = tests.id('org', 'tom')$$,
  $$values ('usd')$$, 'the currency is the one the org lives in');
select tests.money('new', '2026-01-01', 'INCOME', 5, p_currency => c) from unnest(array['nzd', 'eur']) as c;
select results_eq($$select currency collate "default" from public.finance_monthly where org_id = tests.id('org', 'new')$$,
  $$values ('eur')$$, 'of two equals always the same one');
delete from public.money_events where org_id = tests.id('org', 'new');

-- org_earnings.
create function tests.earned(p_org text) returns text language sql as $$
  select format('%s: %s - %s = %s = %s + %s %s', e.org_name, e.gross_earnings_cents, e.commission_cents, e.net_earnings_cents,
                e.paid_out_cents, e.pending_payout_cents, e.currency) collate "default"
    from public.org_earnings as e where e.org_id = tests.id('org', p_org);
$$;
delete from public.money_events where org_id = tests.id('org', 'ada');
select is(tests.earned('new'), 'new: 0 - 0 = 0 = 0 + 0 ', 'an org without money has its row');
select is((select count(*) from public.org_earnings), (select count(*) from public.orgs), 'every org has one');
select tests.money('ada', '2026-01-01', 'INCOME', 20000, p_payout => tests.id('payout', 'ada'));
select is(tests.earned('ada'), 'ada: 20000 - 1000 = 19000 = 19000 + 0 aud', 'what a payout names is paid out');
select tests.money('ada', '2026-01-02', 'INCOME', 10000);
select is(tests.earned('ada'), 'ada: 30000 - 1500 = 28500 = 19000 + 9500 aud', 'what none names is pending');
select tests.money('ada', '2026-01-02', 'INCOME', 3333, s) from unnest(array['pending', 'failed', null]) as s;
select is(tests.earned('ada'), 'ada: 30000 - 1500 = 28500 = 19000 + 9500 aud', 'only what has succeeded is earned');
select tests.money('ada', '2026-01-03', t, -900)
  from unnest(array['FEE', 'PLATFORM_FEE', 'EXPENSE', 'PAYOUT']::public.money_event_type[]) as t;
select is(tests.earned('ada'), 'ada: 30000 - 1500 = 28500 = 19000 + 9500 aud', 'costs and payouts are not earnings');
select tests.money('ada', '2026-01-03', 'INCOME', 777, p_currency => 'usd');
select is(tests.earned('ada'), 'ada: 30000 - 1500 = 28500 = 19000 + 9500 aud', 'nor is another currency, nor a second row');
select tests.money('ada', '2026-01-04', 'REFUND', -4000, null);
select is(tests.earned('ada'), 'ada: 26000 - 1300 = 24700 = 19000 + 5700 aud', 'what went back to a client is not earned');
select tests.money('ada', '2026-01-05', 'ADJUSTMENT', -6000);
select is(tests.earned('ada'), 'ada: 20000 - 1000 = 19000 = 19000 + 0 aud', 'nor what a dispute took');
select tests.money('ada', '2026-01-06', 'REFUND', -20000);
select is(tests.earned('ada'), 'ada: 0 - 0 = 0 = 19000 + -19000 aud',
  'a refund of what was paid out already comes off the next payout');
select tests.money('ada', '2026-01-07', 'REFUND', -50, 'failed');
select is(tests.earned('ada'), 'ada: 0 - 0 = 0 = 19000 + -19000 aud', 'a refund that failed changes nothing');
update public.orgs set commission_rate = 0.033 where id = tests.id('org', 'new');
select tests.money('new', '2026-01-01', 'INCOME', 333);
select is(tests.earned('new'), 'new: 333 - 11 = 322 = 0 + 322 aud', 'the org''s own rate, to the nearest cent');
select is_empty(
  $$select 1 from public.org_earnings where gross_earnings_cents - commission_cents <> net_earnings_cents
       or paid_out_cents + pending_payout_cents <> net_earnings_cents$$, 'and the parts add up');

-- Who sees them. Row by row for all kinds of user: test_row_security.sql.
create function tests.orgs_seen(p_view text) returns text language plpgsql as $$
declare
  v_names text;
begin
  execute format($q$select string_agg(distinct n, ' ' order by n) from public.%I as v
                      join unnest(array['ada', 'eve', 'new', 'nia', 'tom']) as n on tests.id('org', n) = v.org_id$q$, p_view)
     into v_names;
  return coalesce(v_names, 'none');
end;
$$;
create function pg_temp.sees(p_person text) returns text language plpgsql as $$
declare
  v_names text;
begin
  perform tests.act_as(p_person);
  v_names := tests.orgs_seen('finance_monthly') || ', ' || tests.orgs_seen('org_earnings');
  perform tests.act_as_admin();
  return v_names;
end;
$$;
select is(pg_temp.sees(p), s, format('%s: %s', p, s)) from (values
  (1, 'ada', 'ada, ada'), (2, 'ada staff', 'ada, ada'), (3, 'ada books', 'ada, ada'), (4, 'eve', 'eve, eve'),
  (5, 'ada client', 'none, none'), (6, 'nobody', 'none, none'),
  (7, 'root', 'ada eve new nia tom, ada eve new nia tom'), (8, 'helper', 'none, none'), (9, 'reader', 'none, none')
  ) as v (n, p, s) order by n;
select tests.act_as_role('service_role');
select is(tests.orgs_seen('finance_monthly') || ', ' || tests.orgs_seen('org_earnings'),
  'ada eve new nia tom, ada eve new nia tom', 'a service-role route sees all, as it does the tables');
select tests.act_as_anon();
select throws_ok('select * from public.finance_monthly', '42501', 'permission denied for view finance_monthly',
  'a visitor sees no month');
select throws_ok('select * from public.org_earnings', '42501', 'permission denied for view org_earnings', 'and no earnings');
select tests.act_as_admin();

-- One org's page reads that org's rows, by the index, however many others there are.
insert into public.money_events (org_id, event_date, type, amount_cents, source, payment_status, reference_id)
select tests.id('org', o), '2024-01-01Z'::timestamptz + n * interval '1 hour', 'INCOME', n, 'stripe', 'succeeded',
       'pi_' || md5(n::text)
  from (values ('ada', 300), ('eve', 20000)) as v (o, events), generate_series(1, v.events) as n;
analyze public.money_events;
create function pg_temp.plan_of(p_view text) returns setof text language plpgsql as $$
begin
  perform tests.act_as('ada');
  return query execute format('explain (costs off) select * from public.%I where org_id = %L', p_view, tests.id('org', 'ada'));
  perform tests.act_as_admin();
end;
$$;
select isnt_empty(format($$select 1 from pg_temp.plan_of(%L) as p (line) where line ~ 'money_events_org_id_event_date_idx'$$, v),
  v || ' of one org: by (org_id, event_date)')
  from unnest(array['finance_monthly', 'org_earnings']) as v;
select is_empty(format($$select line from pg_temp.plan_of(%L) as p (line) where line ~ 'Seq Scan on money_events'$$, v),
  v || ': never all rows')
  from unnest(array['finance_monthly', 'org_earnings']) as v;

select * from finish();
rollback;
