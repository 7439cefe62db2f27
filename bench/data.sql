-- Fills a migrated, empty database with `bench.orgs` orgs and about `bench.bookings` bookings over 104 weeks: 96 before
-- the current week, 8 from it on. Few orgs have most of it, as in life: studios (0.5 % of the orgs) 31 % of the
-- bookings, full-time coaches (3 %) 62 %, everybody else the rest.
--
-- Each booking is on a pack of ten; completed ones have their ledger entry, every pack its three money events, every
-- booking its delivered confirmation. Ids are md5('<kind> <number> …')::uuid, the same in every run.
-- Triggers and foreign keys are off: what they would write or check is written here, set by set.
set session_replication_role = replica;

create schema bench;
grant usage on schema bench to public;

-- The large tables are indexed when they are full, which halves the time; a throw-away server's catalogue may say so.
update pg_catalog.pg_index set indisready = false, indisvalid = false
 where indrelid in ('public.bookings'::regclass, 'public.client_purchases'::regclass, 'public.session_ledger'::regclass,
                    'public.money_events'::regclass, 'public.sms_messages'::regclass);

create table bench.orgs as
select n as org_no, md5('org ' || n)::uuid as id, md5('owner ' || n)::uuid as owner_id,
       md5('offer ' || n)::uuid as offer_id, kind,
       case kind when 'studio' then 100 when 'coach' then 30 else 4 end as clients,
       (case kind when 'studio' then 0.31 * total / studios
                  when 'coach' then 0.62 * total / coaches
                  else 0.07 * total / (orgs - studios - coaches) end)::integer as bookings
  from (select orgs, total, greatest(1, orgs / 200) as studios, greatest(1, orgs * 3 / 100) as coaches
          from (select current_setting('bench.orgs')::integer as orgs,
                       current_setting('bench.bookings')::integer as total) as wanted) as tiers,
       generate_series(1, orgs) as n,
       lateral (select case when n <= studios then 'studio' when n <= studios + coaches then 'coach'
                            else 'newcomer' end as kind) as k;
alter table bench.orgs add primary key (org_no);
analyze bench.orgs;

insert into auth.users (id, email)
select o.owner_id, 'owner' || o.org_no || '@example.com' from bench.orgs as o;
insert into public.orgs (id, name, slug, timezone, created_by)
select o.id, 'Org ' || o.org_no, 'org-' || o.org_no, 'Australia/Brisbane', o.owner_id from bench.orgs as o;
insert into public.org_members (org_id, user_id, role)
select o.id, o.owner_id, 'owner' from bench.orgs as o;
insert into public.branding (org_id, display_name) select o.id, 'Org ' || o.org_no from bench.orgs as o;
insert into public.booking_settings (org_id) select o.id from bench.orgs as o;
-- Whatever the hour of the run: no quiet hours, and limits that are not what is measured.
insert into public.sms_settings (
  org_id, twilio_phone_number, quiet_hours_start, quiet_hours_end, max_sms_per_client_per_day, max_sms_per_hour
)
select o.id, '+1' || (2000000000 + o.org_no), null, null, 1000000, 1000000 from bench.orgs as o;
insert into public.session_types (org_id, name, slug)
select o.id, 'Session', 'pt_session' from bench.orgs as o;
insert into public.sms_schedules (org_id, type, label, mins_offset, body)
select o.id, 'post_session', 'Follow-up', 60,
       'Hi {{client_name}}, thanks for today. Sessions left: {{sessions_remaining}}. {{coach_name}}'
  from bench.orgs as o;
insert into public.offers (id, org_id, name, offer_type, price_cents, sessions_included)
select o.offer_id, o.id, 'Ten sessions', 'session_pack', 90000, 10 from bench.orgs as o;

-- A member of fifty orgs (of all, when there are fewer).
insert into auth.users (id, email) values (md5('manager')::uuid, 'manager@example.com');
insert into public.org_members (org_id, user_id, role)
select o.id, md5('manager')::uuid, 'staff' from bench.orgs as o where o.org_no <= 50;

insert into public.clients (id, org_id, full_name, email, phone, created_at)
select md5(format('client %s %s', o.org_no, c))::uuid, o.id, format('Client %s of org %s', c, o.org_no),
       format('client%s.%s@example.com', o.org_no, c), '+1' || (3000000000 + o.org_no * 1000 + c),
       now() - make_interval(days => 700 - c)
  from bench.orgs as o, generate_series(1, o.clients) as c;
-- The first client of each is a user of the mobile app.
insert into auth.users (id, email)
select md5('client user ' || o.org_no)::uuid, 'user' || o.org_no || '@example.com' from bench.orgs as o;
update public.clients as c set auth_user_id = md5('client user ' || o.org_no)::uuid
  from bench.orgs as o where c.id = md5(format('client %s 1', o.org_no))::uuid;
insert into public.subscriptions (org_id, client_id, status)
select c.org_id, c.id, 'none' from public.clients as c;
insert into public.client_risk (org_id, client_id, as_of_date, score, tier)
select c.org_id, c.id, current_date, 10, 'green' from public.clients as c;

-- Booking j of an org with k of them: in week j * 104 / k, Monday to Saturday, from 06:00 UTC on. Its clients take
-- turns; ten bookings of a client are a pack.
insert into public.bookings (
  id, org_id, client_id, purchase_id, offer_id, booked_by, start_time, end_time, status, client_confirmed,
  confirmation_sent_at, created_at
)
select md5(format('booking %s %s', o.org_no, j))::uuid, o.id, md5(format('client %s %s', o.org_no, client))::uuid,
       md5(format('pack %s %s %s', o.org_no, client, j / o.clients / 10))::uuid, o.offer_id, o.owner_id,
       at, at + interval '1 hour',
       case when chance < 8 then 'cancelled'
            when at + interval '1 hour' > now() then 'confirmed'
            when chance < 10 then 'no_show'
            else 'completed' end,
       at < now(), at - interval '3 days', at - interval '7 days'
  from bench.orgs as o,
       generate_series(0, o.bookings - 1) as j,
       lateral (select (j::bigint * 104 / o.bookings)::integer as week,
                       j % o.clients + 1 as client,
                       (hashint4(j) & 1023) % 100 as chance) as a,
       lateral (select j - ((week::bigint * o.bookings + 103) / 104)::integer as in_week) as b,
       lateral (select date_trunc('week', now(), 'UTC') + make_interval(
                         days => (week - 96) * 7 + in_week % 6, hours => 6 + in_week / 6 % 12,
                         secs => o.org_no % 900) as at) as c;

insert into public.client_purchases (
  id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, sessions_used, payment_status, payment_method,
  purchased_at
)
select b.purchase_id, b.org_id, b.client_id, b.offer_id, 90000, 10, count(*) filter (where b.status = 'completed'),
       'succeeded', 'stripe', min(b.created_at)
  from public.bookings as b group by 1, 2, 3, 4;
insert into public.session_ledger (
  org_id, purchase_id, booking_id, entry_type, delta, sessions_used_after, booking_seq, created_at
)
select b.org_id, b.purchase_id, b.id, 'booking', 1,
       row_number() over (partition by b.purchase_id order by b.start_time), 1, b.end_time
  from public.bookings as b where b.status = 'completed';
insert into public.money_events (
  org_id, event_date, type, amount_cents, source, reference_id, client_id, payment_status
)
select p.org_id, p.purchased_at, t.type, t.cents, 'stripe', 'pi_' || p.id, p.client_id, 'succeeded'
  from public.client_purchases as p,
       (values ('INCOME'::public.money_event_type, 90000), ('FEE', -2640), ('PLATFORM_FEE', -4500)) as t (type, cents);
insert into public.sms_messages (
  org_id, client_id, to_phone, from_phone, template_key, body, related_entity_type, related_entity_id, status,
  scheduled_for, sent_at, delivered_at, provider_message_id, idempotency_key, created_at
)
select b.org_id, b.client_id, '+15005550006', '+15005550007', 'booking_confirmation',
       'Hi Client, you are booked for Monday 1 January at 9:00am. Reply Y to confirm. Org', 'booking', b.id, 'delivered',
       b.created_at, b.created_at, b.created_at, 'SM' || row_number() over (),
       'confirmation:' || row_number() over (), b.created_at
  from public.bookings as b;
set session_replication_role = origin;

set maintenance_work_mem = '512MB';
reindex table public.bookings;
reindex table public.client_purchases;
reindex table public.session_ledger;
reindex table public.money_events;
reindex table public.sms_messages;
