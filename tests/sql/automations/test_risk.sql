-- The risk score: who is scored when, and what makes it what it is.
begin;
select plan(35);

select tests.org('ada');
select tests.org('eve', 'America/New_York');
set local timezone = 'Pacific/Kiritimati';
update public.clients set created_at = '2027-01-01 00:00Z';

-- The score of ada's client at an instant, when these happened so long before it: days, then what. Null: no score.
create function pg_temp.scored(p_events jsonb, p_subscription text default null, p_client_for interval default '400 days')
returns text language plpgsql as $$
declare
  v_now timestamptz := '2027-03-01 12:00Z';
  v_answer text;
begin
  update public.clients set created_at = v_now - p_client_for where id = tests.id('client', 'ada');
  insert into public.activity_events (org_id, client_id, type, payload, created_at)
  select tests.id('org', 'ada'), tests.id('client', 'ada'), e ->> 1, '{}', v_now - make_interval(secs => (e ->> 0)::numeric * 86400)
    from jsonb_array_elements(p_events) as e;
  if p_subscription is not null then
    insert into public.subscriptions (org_id, client_id, status) values (tests.id('org', 'ada'), tests.id('client', 'ada'), p_subscription);
  end if;
  perform app.score_risk(array[tests.id('org', 'ada')], v_now);
  select format('%s %s: %s', r.score, r.tier, array_to_string(r.reasons, '; ')) into v_answer
    from public.client_risk as r where r.client_id = tests.id('client', 'ada') and r.as_of_date = '2027-03-01';
  raise exception using errcode = 'TT000', message = v_answer;
exception when sqlstate 'TT000' then
  return sqlerrm;
end;
$$;
select is(pg_temp.scored(c.events::jsonb, c.subscription, c.client_for), c.expected, c.why)
  from (values
    ('[[0.1, "checkin"]]', null, interval '400 days', '0 green: ', 'checked in today'),
    ('[[6.9, "workout"], [0.1, "checkin"]]', null, '400 days', '0 green: ', 'nothing to worry about'),
    ('[[7, "checkin"]]', null, '400 days', '10 green: No activity for 7 days', 'seven days'),
    ('[[13.9, "checkin"]]', null, '400 days', '10 green: No activity for 13 days', 'thirteen'),
    ('[[14, "checkin"]]', null, '400 days', '35 amber: No activity for 14 days; No check-in for 14 days', 'fourteen'),
    ('[[30, "checkin"]]', null, '400 days', '60 red: No activity for 30 days; No check-in for 30 days', 'thirty'),
    ('[[1, "workout"], [14, "checkin"]]', null, '400 days', '10 green: No check-in for 14 days', 'active without a check-in'),
    ('[[1, "weight"], [40, "checkin"]]', null, '400 days', '20 green: No check-in for 40 days', 'for long'),
    ('[]', null, '400 days', '60 red: No activity for 400 days; No check-in for 400 days', 'who never recorded anything'),
    ('[]', null, '3 days', '0 green: ', 'and who became a client three days ago'),
    ('[]', null, '20 days', '35 amber: No activity for 20 days; No check-in for 20 days', 'or twenty'),
    ('[[0.1, "checkin"]]', 'active', '400 days', '0 green: ', 'a subscription that runs'),
    ('[[0.1, "checkin"]]', 'none', '400 days', '0 green: ', 'no subscription'),
    ('[[0.1, "checkin"]]', 'past_due', '400 days', '30 amber: Payment past due', 'past due'),
    ('[[0.1, "checkin"]]', 'canceled', '400 days', '40 amber: Subscription canceled', 'canceled'),
    ('[[30, "checkin"]]', 'canceled', '400 days',
     '100 red: Subscription canceled; No activity for 30 days; No check-in for 30 days', 'everything at once: 100 at most'),
    ('[[1, "checkin"], [8, "workout"], [9, "workout"]]', null, '400 days', '10 green: Less active than the week before', 'half as much as the week before'),
    ('[[1, "checkin"], [2, "workout"], [8, "workout"], [9, "workout"], [10, "workout"]]', null, '400 days', '0 green: ', 'more than half'),
    ('[[1, "checkin"], [7, "workout"], [7.5, "habit"]]', 'past_due', '400 days',
     '40 amber: Payment past due; Less active than the week before', 'what adds up'),
    ('[[1, "checkin"], [8, "workout"], [9, "workout"], [14, "habit"]]', 'canceled', '400 days',
     '50 red: Subscription canceled; Less active than the week before', '50 is red')
  ) as c (events, subscription, client_for, expected, why);

-- Whom and when: UTC's date, every active client, once a day.
insert into public.clients (id, org_id, full_name, status, created_at)
values (tests.id('client', 'paused'), tests.id('org', 'ada'), 'Paused', 'paused', '2027-01-01');
update app.risk_days set scored_on = '2027-02-27' where org_id in (tests.id('org', 'ada'), tests.id('org', 'eve'));
update app.risk_days set scored_on = '2099-01-01' where org_id not in (tests.id('org', 'ada'), tests.id('org', 'eve'));
create temp table statements (n integer);
grant all on statements to public;
create function pg_temp.counted() returns trigger language plpgsql as $$
begin
  insert into statements values (1);
  return null;
end;
$$;
create trigger counted after insert on public.client_risk for each statement execute function pg_temp.counted();
select is(app.score_due_risk('2027-02-27 23:59:59Z'), 0, 'scored today already');
select is(app.score_due_risk('2027-02-28 00:00Z'), 2, 'a new UTC day, though it is not one everywhere: both orgs');
select is((select count(*) from statements), 1::bigint, 'in one statement');
select is(app.score_due_risk('2027-02-28 00:00Z'), 0, 'once');
select results_eq($$select client_id, as_of_date from public.client_risk order by client_id$$,
  $$select c.id, date '2027-02-28' from public.clients as c where c.status = 'active' order by c.id$$, 'every active client of theirs');
select is(app.score_due_risk('2027-03-01 10:00Z', 1), 1, 'so many orgs at a time');
select is(app.score_due_risk('2027-03-01 10:00Z', 1), 1, 'and the next');
select is((select count(*) from public.client_risk), 4::bigint, 'a row a day');
select is(app.score_due_risk('2027-02-28 10:00Z'), 0, 'the clock set back scores nobody again');
-- Again on one day: the row is brought up to date, and written only where it says something new.
insert into public.subscriptions (org_id, client_id, status) values (tests.id('org', 'ada'), tests.id('client', 'ada'), 'past_due');
select is(app.score_risk(array[tests.id('org', 'ada'), tests.id('org', 'eve')], '2027-03-01 11:00Z'), 1, 'only who changed is written');
select is((select score from public.client_risk where client_id = tests.id('client', 'ada') and as_of_date = '2027-03-01'), 90, 'anew');
select is(app.score_risk('{}', '2027-03-01 11:00Z'), 0, 'nobody''s clients are nobody');
insert into public.orgs (id, name) values (tests.id('org', 'new'), 'New');
select is((select count(*) from app.risk_days where org_id = tests.id('org', 'new') and scored_on = '-infinity'), 1::bigint,
  'a new org is scored from its first day on');
-- What the existing page and function do with it.
select tests.act_as_role('service_role');
select lives_ok(
  $$insert into public.client_risk (org_id, client_id, as_of_date, score, tier, reasons)
    values (tests.id('org', 'ada'), tests.id('client', 'ada'), '2027-03-01', 10, 'green', '{x}')
    on conflict (org_id, client_id, as_of_date) do update set score = excluded.score, tier = excluded.tier, reasons = excluded.reasons$$,
  'the upsert of the old function is still taken');
select tests.act_as('ada');
select is((select tier from public.client_risk where client_id = tests.id('client', 'ada') and as_of_date = '2027-03-01'), 'green',
  'and the coach reads it by UTC''s date');
select * from finish();
rollback;
