-- Adds `bench.history` bookings that are over and completed to a filled database: what a worker must not look at.
set session_replication_role = replica;
update pg_catalog.pg_index set indisready = false, indisvalid = false where indrelid = 'public.bookings'::regclass;
insert into public.bookings (org_id, client_id, offer_id, start_time, end_time, status)
select o.id, md5(format('client %s %s', o.org_no, 1 + n % o.clients))::uuid, o.offer_id, at, at + interval '1 hour',
       'completed'
  from generate_series(1, current_setting('bench.history')::integer) as n
  join bench.orgs as o on o.org_no = 1 + n % (select count(*) from bench.orgs),
       lateral (select now() - make_interval(days => 2, mins => n) as at) as a;
set session_replication_role = origin;
set maintenance_work_mem = '512MB';
reindex table public.bookings;
