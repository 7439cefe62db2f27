-- Adds what bench/sessions.py acts on to a filled database: `bench.packs` packs of the first org, and bookings to use
-- and to complete on them. Ids are the number, as the uuid with these digits, so that pgbench can name them.
-- Triggers and foreign keys are off: these rows are as the rules would have made them.
set session_replication_role = replica;

create function bench.id(p_number bigint) returns uuid language sql immutable parallel safe
return lpad(p_number::text, 32, '0')::uuid;

-- Pack 0 is the one that all want; nobody runs out of sessions.
insert into public.client_purchases (
  id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, payment_method, purchased_at
)
select bench.id(n), o.id, md5(format('client %s %s', o.org_no, 1 + n % o.clients))::uuid, o.offer_id, 90000, 1000000,
       'succeeded', 'stripe', now() - interval '1 day'
  from bench.orgs as o, generate_series(0, current_setting('bench.packs')::integer - 1) as n
 where o.org_no = 1;

-- To use: each is used once. They are over and completed, but have not had their session yet.
insert into public.bookings (id, org_id, client_id, purchase_id, offer_id, start_time, end_time, status)
select bench.id(n), p.org_id, p.client_id, p.id, p.offer_id, at, at + interval '1 hour', 'completed'
  from generate_series(0, 2 * current_setting('bench.uses')::integer - 1) as n
  join public.client_purchases as p
    on p.id = bench.id(case when n < current_setting('bench.uses')::integer
                            then n::bigint * 7919 % current_setting('bench.packs')::integer else 0 end),
       lateral (select now() - make_interval(days => 1, secs => n) as at) as a;

-- To complete: confirmed, and over since long ago, ten on a pack.
insert into public.bookings (id, org_id, client_id, purchase_id, offer_id, start_time, end_time, status)
select bench.id(1000000000 + n), p.org_id, p.client_id, p.id, p.offer_id, at, at + interval '1 hour', 'confirmed'
  from generate_series(0, current_setting('bench.completions')::integer - 1) as n
  join public.client_purchases as p on p.id = bench.id(1 + n / 10),
       lateral (select timestamptz '2020-01-01 00:00Z' + make_interval(mins => n) as at) as a;
set session_replication_role = origin;
