-- The demo org: a coach's login, clients, packs and this week's bookings. Only for local stacks.
-- Safe to repeat: what is there stays as it is. Times are relative to the org's current week.

insert into auth.users (
  id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data,
  created_at, updated_at
)
values (
  'c0ac0000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'coach@demo.coach-os.test',
  extensions.crypt('demo-coach-2026', extensions.gen_salt('bf', 10)), now(),
  '{"provider": "email", "providers": ["email"]}', '{}', now(), now()
)
on conflict do nothing;

insert into public.orgs (id, name, slug, timezone, onboarding_completed)
values ('0f000000-0000-4000-8000-000000000001', 'Demo Coaching', 'demo-coaching', 'Australia/Brisbane', true)
on conflict do nothing;

insert into public.org_members (org_id, user_id, role)
values ('0f000000-0000-4000-8000-000000000001', 'c0ac0000-0000-4000-8000-000000000001', 'owner')
on conflict do nothing;

insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled, payouts_enabled, details_submitted)
values ('0f000000-0000-4000-8000-000000000001', 'acct_demo_coaching', true, true, true)
on conflict do nothing;

-- A number that Twilio reserves for tests, so that the seed can never text anybody.
update public.sms_settings
   set twilio_phone_number = '+15005550006'
 where org_id = '0f000000-0000-4000-8000-000000000001' and twilio_phone_number is null;

insert into public.clients (id, org_id, full_name, email, phone)
values
  ('c1000000-0000-4000-8000-000000000001', '0f000000-0000-4000-8000-000000000001', 'Alex Rivera',
   'alex@example.com', '+61491570156'),
  ('c1000000-0000-4000-8000-000000000002', '0f000000-0000-4000-8000-000000000001', 'Priya Nair',
   'priya@example.com', '+61491570157'),
  ('c1000000-0000-4000-8000-000000000003', '0f000000-0000-4000-8000-000000000001', 'Tom Becker',
   'tom@example.com', '+61491570158')
on conflict do nothing;

insert into public.offers (id, org_id, name, offer_type, price_cents, sessions_included, pack_validity_days)
values
  ('0ff00000-0000-4000-8000-000000000001', '0f000000-0000-4000-8000-000000000001', 'Ten sessions',
   'session_pack', 90000, 10, 180),
  ('0ff00000-0000-4000-8000-000000000002', '0f000000-0000-4000-8000-000000000001', 'Single session',
   'single_session', 10000, null, null)
on conflict do nothing;

insert into public.client_purchases
  (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, payment_method, expires_at)
select ('b0000000-0000-4000-8000-00000000000' || n)::uuid, '0f000000-0000-4000-8000-000000000001',
       ('c1000000-0000-4000-8000-00000000000' || n)::uuid, '0ff00000-0000-4000-8000-000000000001', 90000, 10,
       'succeeded', 'bank_transfer', now() + interval '180 days'
  from generate_series(1, 3) as n
on conflict do nothing;

-- This week, Monday to Friday. What is over already is inserted completed, as the worker would have left it.
with week as (
  select date_trunc('week', now() at time zone 'Australia/Brisbane')::date as monday
),
plan (n, day, hour, client) as (
  values (1, 0, 9, 1), (2, 0, 11, 2), (3, 1, 7, 3), (4, 2, 9, 2), (5, 2, 17, 3), (6, 3, 9, 1), (7, 4, 8, 2),
         (8, 4, 9, 1), (9, 4, 16, 3)
),
placed as (
  select p.*, app.local_to_instant(w.monday + p.day + make_time(p.hour, 0, 0), 'Australia/Brisbane') as starts
    from plan as p, week as w
)
insert into public.bookings (
  id, org_id, client_id, start_time, end_time, purchase_id, status, booked_by, client_confirmed
)
select md5('coach-os demo ' || p.starts || p.n)::uuid, '0f000000-0000-4000-8000-000000000001',
       ('c1000000-0000-4000-8000-00000000000' || p.client)::uuid, p.starts, p.starts + interval '1 hour',
       ('b0000000-0000-4000-8000-00000000000' || p.client)::uuid,
       case when p.starts + interval '1 hour' <= now() then 'completed' else 'confirmed' end,
       'c0ac0000-0000-4000-8000-000000000001', p.n % 2 = 1
  from placed as p
on conflict do nothing;
