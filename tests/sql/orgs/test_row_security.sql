-- Who may do what. Everything is read from the catalogue, so a new table, policy, grant or
-- function is covered, or fails here, from its first day.
begin;
select plan(90);

select tests.full_org('ada');
select tests.full_org('eve');
select tests.platform_admin('root');

-- The rights: for every table, command and person what tests.reach() says about the rows of ada's org. Tables with the
-- same rights share a row. ada owns the org; eve owns another; nobody is signed in and belongs to none; root is an
-- admin of the platform. A table that is not in all four parts, or has no row in tests.full_org(), fails here.
create temp table people (n integer primary key, person text);
insert into people values
  (1, 'ada'), (2, 'ada staff'), (3, 'ada books'), (4, 'eve'), (5, 'ada client'), (6, 'ada other client'), (7, 'nobody'),
  (8, 'anon'), (9, 'root');
create temp table rights (command text, outcomes text, tables text);
insert into rights values
  --         ada   staff books eve   client other nobody anon  root
  ('select', 'all   all   all   all   all   all   all   42501 all', 'measurement_types'),
  ('select', 'all   all   all   0     0     0     0     42501 all', 'orgs money_events org_payouts'),
  ('select', 'all   all   all   0     0     0     0     42501 0',
             'branding org_members offers promo_codes products client_purchases subscriptions session_ledger
              stripe_accounts booking_settings'),
  ('select', 'all   0     0     0     0     0     0     42501 all', 'org_payout_settings'),
  ('select', 'all   0     0     0     0     0     0     42501 0', 'audit_events'),
  ('select', 'all   all   0     0     all   all   0     42501 0', 'habits'),  -- both follow the one there is
  ('select', 'all   all   0     0     own   own   0     42501 0',
             'activity_events client_habits checkin_photos message_threads messages'),
  ('select', 'all   all   0     0     0     0     0     42501 0',
             'clients client_invites client_communications client_measurements client_waivers inquiries referral_links
              referrals session_types bookings availability blocked_times sms_settings sms_schedules sms_templates
              sms_messages sms_events sms_suppression client_risk automations automation_runs'),
  ('select', '0     0     0     0     own   own   0     42501 0', 'push_tokens'),
  ('select', '0     0     0     0     0     0     0     42501 all', 'platform_admins'),
  ('select', '42501 42501 42501 42501 42501 42501 42501 42501 42501', 'sms_attempts'),

  --         ada   staff books eve   client other nobody anon  root
  ('insert', 'all   all   all   all   all   all   all   42501 all', 'orgs'),  -- one of their own
  ('insert', 'all   42501 42501 42501 42501 42501 42501 42501 all', 'org_payout_settings'),
  ('insert', 'all   all   42501 42501 42501 42501 42501 42501 all', 'branding booking_settings'),
  ('insert', 'all   all   42501 42501 own   own   42501 42501 42501', 'message_threads'),
  ('insert', '2/4   2/4   42501 42501 1/4   1/4   42501 42501 42501', 'messages'),  -- as what they are; see below
  ('insert', '42501 42501 42501 42501 own   own   42501 42501 42501', 'activity_events checkin_photos push_tokens'),
  ('insert', 'all   all   42501 42501 42501 42501 42501 42501 42501',
             'clients client_invites client_communications client_measurements client_waivers inquiries
              referral_links habits client_habits offers promo_codes products client_purchases session_types
              bookings availability blocked_times sms_settings sms_schedules sms_templates automations'),
  ('insert', '42501 42501 42501 42501 42501 42501 42501 42501 all', 'org_payouts'),
  ('insert', '42501 42501 42501 42501 42501 42501 42501 42501 42501',
             'org_members platform_admins measurement_types referrals session_ledger stripe_accounts subscriptions money_events
              sms_messages sms_attempts sms_events sms_suppression client_risk automation_runs audit_events'),

  --         ada   staff books eve   client other nobody anon  root
  ('update', 'all   all   0     0     0     0     0     42501 all', 'orgs'),
  ('update', 'all   0     0     0     0     0     0     42501 0', 'org_payout_settings'),
  ('update', '0     0     0     0     own   own   0     42501 0', 'push_tokens'),
  ('update', 'all   all   0     0     0     0     0     42501 0',
             'branding clients client_invites client_waivers inquiries referral_links habits client_habits
              message_threads offers promo_codes products client_purchases session_types booking_settings bookings
              availability blocked_times sms_settings sms_schedules sms_templates automations'),
  ('update', '0     0     0     0     0     0     0     42501 all', 'org_payouts'),
  ('update', '42501 42501 42501 42501 42501 42501 42501 42501 42501',
             'org_members platform_admins client_communications client_measurements measurement_types referrals
              activity_events checkin_photos messages session_ledger stripe_accounts subscriptions money_events
              sms_messages sms_attempts sms_events sms_suppression client_risk automation_runs audit_events'),

  --         ada   staff books eve   client other nobody anon  root
  ('delete', 'all   all   0     0     0     0     0     42501 0',
             'client_invites inquiries habits client_habits offers promo_codes products session_types
              availability blocked_times sms_schedules automations'),
  -- of two packs the one that no session was taken from
  ('delete', '1/2   1/2   0     0     0     0     0     42501 0', 'client_purchases'),
  ('delete', '0     0     0     0     own   own   0     42501 0', 'push_tokens'),
  ('delete', '42501 42501 42501 42501 42501 42501 42501 42501 42501',
             'orgs org_members branding platform_admins org_payout_settings clients client_communications
              measurement_types client_measurements client_waivers referral_links referrals activity_events
              checkin_photos message_threads messages session_ledger booking_settings bookings stripe_accounts
              subscriptions org_payouts money_events sms_settings sms_templates sms_messages sms_attempts sms_events
              sms_suppression client_risk automation_runs audit_events');
create temp view expected as
select p.person, r.command, t.table_name, (regexp_split_to_array(r.outcomes, '\s+'))[p.n] as outcome
  from rights as r, regexp_split_to_table(r.tables, '\s+') as t (table_name), people as p;

create temp table samples as select * from tests.samples('ada');
grant select on samples to public;
select is_empty('select table_name from samples where row_id is null',
  'tests.full_org() has a row in every table (a new table needs one there)');
select is_empty(
  $$select table_name from tests.tables()
     where (select count(*) from expected as e where e.table_name = tables.table_name)
           <> 4 * (select count(*) from people)$$,
  'every table has its rights written above, once for each command');
select is_empty($$select table_name from expected except select table_name from tests.tables()$$,
  'and nothing is written there about a table that does not exist');
create temp table observed as select * from tests.matrix((select array_agg(person order by n) from people));
select is((select count(*) from observed), 4 * (select count(*) from people) * (select count(*) from tests.tables()),
  'every table is tried with every command as everybody');
select is_empty(
  format($$select o.table_name, o.outcome, e.outcome as expected
             from observed as o left join expected as e using (person, command, table_name)
            where person = %L and command = %L and o.outcome is distinct from e.outcome$$, p.person, c),
  format('%s: %s', p.person, c))
  from people as p, unnest(array['select', 'insert', 'update', 'delete']) as c order by p.n;

-- Nobody of one org reaches a row of another.
create temp table of_ada as select * from samples;
truncate samples;
insert into samples select * from tests.samples('eve') where table_name not in ('measurement_types', 'platform_admins');
create temp table across as
select * from tests.matrix(array['ada', 'ada staff', 'ada books', 'ada client', 'ada other client']);
select is_empty(
  $$select * from across where outcome not in ('0', '42501') and (table_name, command) <> ('orgs', 'insert')$$,
  'nobody of ada''s org reads, inserts, updates or deletes a row of eve''s');
truncate samples;
insert into samples select * from of_ada;
select tests.act_as_role('authenticated');
select is_empty(
  $$select * from tests.reach('select') where outcome not in ('0', '42501') and table_name <> 'measurement_types'$$,
  'a token without a user sees nothing');
select is_empty($$select * from tests.reach('insert') where outcome <> '42501'$$, 'and inserts nothing');
select is_empty($$select * from tests.reach('update') where outcome not in ('0', '42501')$$, 'nor updates');
select is_empty($$select * from tests.reach('delete') where outcome not in ('0', '42501')$$, 'nor deletes');
select tests.act_as_admin();

-- Views: who sees which rows of ada's org, and that nobody sees another org's. A view without org_id, without a row of
-- tests.full_org(), or not written here, fails.
create temp table view_rights (outcomes text, views text);
insert into view_rights values
  -- ada   staff books eve   client other nobody anon  root
  ('all   all   all   0     0     0     0     42501 all', 'finance_monthly org_earnings');
create temp view expected_views as
select p.person, v.view_name, (regexp_split_to_array(r.outcomes, '\s+'))[p.n] as outcome
  from view_rights as r, regexp_split_to_table(r.views, '\s+') as v (view_name), people as p;
create function pg_temp.views() returns table (view_name text) language sql as $$
  select c.relname::text from pg_catalog.pg_class as c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm', 'f');
$$;
-- How many rows of an org the current role sees, or its SQLSTATE.
create function pg_temp.seen(p_view text, p_org text) returns text language sql as $$
  select tests.attempt(format('select from public.%I where org_id = %L', p_view, tests.id('org', p_org)));
$$;
create function pg_temp.all_seen(p_org text) returns table (person text, view_name text, outcome text)
language plpgsql as $$
declare
  v_people text[] := array(select p.person from people as p order by p.n);
  v_all jsonb;
begin
  select jsonb_object_agg(v.view_name, pg_temp.seen(v.view_name, p_org)) into v_all from pg_temp.views() as v;
  foreach person in array v_people loop
    perform case person when 'anon' then tests.act_as_anon() else tests.act_as(person) end;
    for view_name, outcome in select v.view_name, pg_temp.seen(v.view_name, p_org) from pg_temp.views() as v loop
      outcome := case when outcome = v_all ->> view_name and outcome <> '0' then 'all' else outcome end;
      return next;
    end loop;
    perform tests.act_as_admin();
  end loop;
end;
$$;
select results_eq(
  'select view_name collate "C" from pg_temp.views() order by 1',
  $$select v collate "C" from view_rights, regexp_split_to_table(views, '\s+') as v order by 1$$,
  'every view has its rights written above, once');
create temp table seen as select * from pg_temp.all_seen('ada');
select is((select count(*) from seen), (select count(*) from people) * (select count(*) from pg_temp.views()),
  'every view is tried as everybody');
select is_empty(
  $$select s.*, e.outcome as expected from seen as s left join expected_views as e using (person, view_name)
     where s.outcome is distinct from e.outcome$$, 'and everybody sees of it what is written');
select is_empty(
  $$select * from pg_temp.all_seen('eve') where person like 'ada%' and outcome <> '0'$$,
  'nobody of ada''s org sees a row of eve''s');
select tests.act_as_role('authenticated');
select is_empty($$select * from pg_temp.views() as v where pg_temp.seen(v.view_name, 'ada') <> '0'$$,
  'a token without a user sees no row of a view');

-- Within a table: which values.
select tests.act_as('ada client');
select throws_ok(
  $$insert into public.messages (org_id, thread_id, sender_type, body)
    select org_id, id, 'trainer', 'Free session!' from public.message_threads$$,
  '42501', 'new row violates row-level security policy for table "messages"', 'a client does not write as the trainer');
select tests.act_as('ada staff');
select throws_ok(
  $$insert into public.messages (org_id, thread_id, sender_type, body)
    select org_id, id, 'client', 'I want more' from public.message_threads limit 1$$,
  '42501', 'new row violates row-level security policy for table "messages"', 'nor the trainer as a client');
select tests.act_as('eve');
select throws_ok(
  $$insert into public.org_members (org_id, user_id, role)
    values (tests.id('org', 'ada'), md5('person eve')::uuid, 'owner')$$,
  '42501', 'new row violates row-level security policy for table "org_members"', 'nobody makes themselves a member');
select throws_ok($$update public.org_members set role = 'owner'$$,
  '42501', 'permission denied for table org_members', 'or more than they are');
select tests.act_as('ada books');
select results_eq(
  $$select public.use_session(tests.id('pack', 'ada')), public.release_session(tests.id('pack', 'ada'))$$,
  $$values (false, -1)$$, 'an accountant neither uses nor gives back a session');
select tests.act_as_admin();

-- Row security and policies.
select is_empty(
  $$select c.relname from pg_class as c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity$$,
  'row security is on for every table in public');
select is_empty(
  $$select c.relname from pg_class as c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm', 'f')
       and not (c.relkind = 'v' and coalesce(c.reloptions @> array['security_invoker=on'], false))$$,
  'no view in public reads with another''s rights; no materialised view, no foreign table');
select is_empty($$select tablename, policyname from pg_policies where schemaname = 'public' and roles <> '{authenticated}'$$,
  'every policy is for authenticated, and for it alone');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public' and (cmd = 'ALL' or permissive <> 'PERMISSIVE')$$,
  'every policy is for one command');
select is_empty(
  $$select tablename, cmd from pg_policies where schemaname = 'public' group by 1, 2 having count(*) > 1$$,
  'one policy per table and command');
select is_empty(
  $$select table_name from tests.tables()
     where not exists (select from pg_policies as p where p.schemaname = 'public' and p.tablename = table_name
                          and p.cmd = 'SELECT')$$,
  'every table has a policy to read it by');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public'
       and ((cmd in ('INSERT', 'UPDATE') and with_check is null) or (cmd <> 'INSERT' and qual is null)
            or (coalesce(qual, '') = 'true' and tablename <> 'measurement_types') or coalesce(with_check, '') = 'true')$$,
  'a policy says what it is about: using, and with check on writes; true only for reference rows');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public'
       and regexp_replace(coalesce(qual, '') || coalesce(with_check, ''),
                          'ANY \(ARRAY\( SELECT app\.my_\w+_ids\(\) AS \w+\)\)|'
                          '\( SELECT (auth\.uid|app\.is_platform_admin)\(\) AS \w+\)', '', 'g') ~ '(app|auth)\.|SELECT'$$,
  'membership is looked up once per query, not per row');
select is_empty(
  $$select p.proname from pg_policies as y
      cross join lateral regexp_matches(coalesce(y.qual, '') || coalesce(y.with_check, ''), 'app\.(\w+)\(', 'g') as m
      join pg_proc as p on p.pronamespace = 'app'::regnamespace and p.proname = m[1]
      join pg_language as l on l.oid = p.prolang
     where y.schemaname = 'public' and l.lanname <> 'plpgsql'$$,
  'by a function that is planned once per session, as plpgsql is: one in SQL costs more than a week of bookings');
select is_empty(
  $$select tablename, policyname from pg_policies
     where schemaname = 'public' and policyname !~ format('^%s_%s_[a-z]+$', tablename, lower(cmd))$$,
  'a policy is named after its table, command and whom it is for');
select results_eq(
  $$select tablename::text collate "default", lower(cmd) collate "default" from pg_policies
     where schemaname = 'public' and not has_any_column_privilege('authenticated', format('public.%I', tablename), cmd)
       and not (cmd = 'DELETE' and has_table_privilege('authenticated', format('public.%I', tablename), 'delete'))$$,
  $$values ('sms_attempts', 'select')$$, 'a policy stands beside a grant, but for the table that is nobody''s');
select is_empty(
  $$select t.table_name, c from tests.tables() as t, unnest(array['select', 'insert', 'update', 'delete']) as c
     where case c when 'delete' then has_table_privilege('authenticated', format('public.%I', t.table_name), c)
                  else has_any_column_privilege('authenticated', format('public.%I', t.table_name), c) end
       and not exists (select from pg_policies as p
                        where p.schemaname = 'public' and p.tablename = t.table_name and lower(p.cmd) = c)$$,
  'and a grant beside a policy');

-- anon.
select is_empty(
  $$select c.relname from pg_class as c
     where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and (has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate, references, trigger')
            or has_any_column_privilege('anon', c.oid, 'select, insert, update, references'))$$,
  'anon has no right on any table');
select is_empty(
  $$select c.relname from pg_class as c where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace)
       and case when c.relkind = 'S' then has_sequence_privilege('anon', c.oid, 'usage, select, update') end$$,
  'nor on a sequence');

-- Functions.
select is_empty($$select p.oid::regprocedure from pg_proc as p
  where p.pronamespace = 'public'::regnamespace and p.prosecdef$$, 'no function in public runs with its owner''s rights');
select is_empty(
  $$select p.oid::regprocedure from pg_proc as p
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
       and not exists (select from unnest(p.proconfig) as c where c like 'search_path=%')$$,
  'every function has a search_path of its own');
select results_eq(
  $$select p.oid::regprocedure::text, c collate "default" from pg_proc as p, unnest(p.proconfig) as c
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace) and c like 'search_path=%'
       and c <> 'search_path=""'$$,
  $$values ('app.defer_job(text)', 'search_path=procrastinate, pg_temp')$$,
  'and it is empty, but for the one wrapper around the job library');
select is_empty(
  $$select p.oid::regprocedure from pg_proc as p
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
       and (p.proacl is null or exists (select from aclexplode(p.proacl) as a where a.grantee = 0))$$,
  'no function is open to everyone');
select is_empty(
  $$select p.proname from pg_proc as p where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
     group by p.pronamespace, p.proname having count(*) > 1$$, 'no function is overloaded');
select is_empty(
  $$select p.oid::regprocedure from pg_proc as p
     where p.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
       and obj_description(p.oid, 'pg_proc') is null$$, 'every function says what it promises');
-- Who may execute what: one line a function, those that nobody may are not listed.
create temp table executable (schema_name text, signature text, roles text);
insert into executable values
  ('app', 'account_connected(uuid, text)', 'coach_os_sidecar'),
  ('app', 'admin_org_members(uuid)', 'authenticated'),
  ('app', 'admin_orgs()', 'authenticated'),
  ('app', 'begin_checkout(uuid, uuid, uuid, uuid, text, timestamp with time zone)', 'coach_os_sidecar'),
  ('app', 'begin_connect(uuid, uuid)', 'coach_os_sidecar'),
  ('app', 'begin_refund(uuid, uuid, bigint, text, text, timestamp with time zone)', 'coach_os_sidecar'),
  ('app', 'billing_customer(uuid, uuid, uuid)', 'coach_os_sidecar'),
  ('app', 'book_balance_transaction(uuid, text, jsonb)', 'coach_os_worker'),
  ('app', 'book_invoice(uuid, jsonb)', 'coach_os_worker'),
  ('app', 'book_my_session(timestamp with time zone, uuid, uuid, text, timestamp with time zone)', 'authenticated'),
  ('app', 'book_payout_parts(uuid, text, jsonb)', 'coach_os_worker'),
  ('app', 'bookable_sessions_remaining_for_me(uuid, timestamp with time zone)', 'authenticated service_role'),
  ('app', 'booking_page(text)', 'anon authenticated service_role'),
  ('app', 'booking_page_slots(text, date, date, uuid, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'calendar_range(text, date, text, integer)', 'authenticated service_role'),
  ('app', 'cancel_my_booking(uuid, timestamp with time zone)', 'authenticated'),
  ('app', 'capture_inquiry(text, text, text, text, text, text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'check_owner(uuid, uuid)', 'coach_os_sidecar'),
  ('app', 'checkout_opened(uuid, text, text)', 'coach_os_sidecar'),
  ('app', 'checkout_refused(uuid, timestamp with time zone)', 'coach_os_sidecar'),
  ('app', 'claim_automation_pushes(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'claim_due_automations(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'claim_reconciliation(timestamp with time zone, boolean, text)', 'coach_os_worker'),
  ('app', 'claim_sms(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'client_statement(uuid, date, date, timestamp with time zone)', 'authenticated service_role'),
  ('app', 'complete_past_bookings(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'cover_booking(uuid, uuid)', 'authenticated service_role'),
  ('app', 'create_default_session_types(uuid)', 'authenticated service_role'),
  ('app', 'create_org(text, text)', 'authenticated'),
  ('app', 'discard_my_webhook_event(uuid, timestamp with time zone)', 'authenticated'),
  ('app', 'discard_webhook_event(uuid, timestamp with time zone)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'due_push_tickets(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'expire_checkouts(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'explain_sms(uuid, timestamp with time zone)', 'authenticated service_role'),
  ('app', 'fees_to_fetch(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'finance_export(uuid, uuid, date, date)', 'authenticated coach_os_sidecar'),
  ('app', 'forget_twilio_account(uuid)', 'authenticated'),
  ('app', 'generate_referral_code(uuid, integer)', 'authenticated service_role'),
  ('app', 'insert_sms_direct(uuid, uuid, text, timestamp with time zone, text, uuid, text, text, uuid, jsonb)', 'service_role'),
  ('app', 'insert_sms_from_service(uuid, uuid, text, jsonb, timestamp with time zone, text, uuid, text)', 'service_role'),
  ('app', 'invite_page(text, timestamp with time zone)', 'anon authenticated'),
  ('app', 'is_org_member(uuid)', 'authenticated service_role'),
  ('app', 'is_phone_suppressed(uuid, text)', 'service_role'),
  ('app', 'is_platform_admin()', 'authenticated service_role'),
  ('app', 'is_slot_available(uuid, timestamp with time zone, timestamp with time zone, uuid, timestamp with time zone)', 'authenticated service_role'),
  ('app', 'known_sms_ids(text[])', 'coach_os_worker'),
  ('app', 'list_webhook_events(text, integer)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'missing_stripe_events(text, jsonb)', 'coach_os_worker'),
  ('app', 'my_bookings(timestamp with time zone)', 'authenticated'),
  ('app', 'my_client()', 'authenticated'),
  ('app', 'my_client_ids()', 'authenticated'),
  ('app', 'my_habit_ids()', 'authenticated'),
  ('app', 'my_offers()', 'authenticated'),
  ('app', 'my_org_ids()', 'authenticated service_role'),
  ('app', 'my_owned_org_ids()', 'authenticated'),
  ('app', 'my_packages(timestamp with time zone)', 'authenticated'),
  ('app', 'my_slots(date, date, uuid, uuid, timestamp with time zone)', 'authenticated'),
  ('app', 'my_staff_org_ids()', 'authenticated'),
  ('app', 'my_thread_ids()', 'authenticated'),
  ('app', 'onboarding_form(uuid)', 'anon authenticated service_role'),
  ('app', 'open_findings(text)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'org_currency(uuid)', 'authenticated service_role'),
  ('app', 'org_role(uuid)', 'authenticated service_role'),
  ('app', 'portal_book(uuid, timestamp with time zone, uuid, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'portal_cancel(uuid, uuid, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'portal_page(uuid, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'portal_slots(uuid, date, date, uuid, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'process_referral_signup(text, text, text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'push_targets(uuid[], uuid)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'queue_pending_sms(timestamp with time zone)', 'service_role'),
  ('app', 'queue_reminders(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'receive_sms(text, text, text, text, timestamp with time zone, text, integer, text)', 'coach_os_sidecar'),
  ('app', 'receive_stripe_event(jsonb, boolean, timestamp with time zone)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'reconciled_accounts()', 'coach_os_worker'),
  ('app', 'reconciliation_done(text, boolean, integer, boolean, timestamp with time zone)', 'coach_os_worker'),
  ('app', 'reconciliation_failed(text, text, jsonb, timestamp with time zone)', 'coach_os_worker'),
  ('app', 'record_pushes(jsonb, uuid[], timestamp with time zone)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'record_sms_status(text, text, text, uuid, timestamp with time zone, text)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'record_stripe_findings(uuid, jsonb, timestamp with time zone)', 'coach_os_worker'),
  ('app', 'redeem_invite(text, timestamp with time zone)', 'authenticated'),
  ('app', 'referral_page(text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'release_session(uuid, uuid)', 'authenticated service_role'),
  ('app', 'render_sms_template(text, jsonb)', 'authenticated service_role'),
  ('app', 'replace_twilio_secret(uuid, text, text)', 'coach_os_sidecar'),
  ('app', 'replay_my_webhook_event(uuid, timestamp with time zone)', 'authenticated'),
  ('app', 'replay_webhook_event(uuid, timestamp with time zone)', 'coach_os_sidecar coach_os_worker'),
  ('app', 'request_session(text, timestamp with time zone, uuid, text, text, text, text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'retry_automation_run(uuid, timestamp with time zone)', 'authenticated service_role'),
  ('app', 'retry_due_runs(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'retry_webhook_events(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'run_due_slots(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'score_due_risk(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'send_portal_link(uuid, text, boolean, timestamp with time zone)', 'authenticated'),
  ('app', 'session_discrepancies()', 'coach_os_sidecar coach_os_worker'),
  ('app', 'settle_automation_push(uuid, text, text, timestamp with time zone)', 'coach_os_worker'),
  ('app', 'settle_push_tickets(text[], text[])', 'coach_os_worker'),
  ('app', 'settle_refund(uuid, text, text, timestamp with time zone)', 'coach_os_sidecar'),
  ('app', 'settle_sms(uuid, text, text, text, timestamp with time zone)', 'coach_os_worker'),
  ('app', 'settle_sms_batch(jsonb, timestamp with time zone)', 'coach_os_worker'),
  ('app', 'sign_waiver(uuid, text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'simulate_automations(uuid, timestamp with time zone, timestamp with time zone)', 'authenticated coach_os_sidecar coach_os_worker service_role'),
  ('app', 'sms_in_doubt(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'store_twilio_account(uuid, uuid, text, text, text, timestamp with time zone)', 'coach_os_sidecar'),
  ('app', 'stripe_discrepancies(uuid, jsonb)', 'coach_os_worker'),
  ('app', 'stripe_subjects_to_check(uuid, timestamp with time zone, timestamp with time zone, text[])', 'coach_os_worker'),
  ('app', 'submit_onboarding(uuid, jsonb, text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'submit_referral(text, text, text, text, text, text[], timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'take_sms(timestamp with time zone, integer)', 'coach_os_worker'),
  ('app', 'track_referral_click(text, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'twilio_secrets(text)', 'coach_os_sidecar'),
  ('app', 'update_my_client(text, numeric)', 'authenticated'),
  ('app', 'use_session(uuid, uuid, timestamp with time zone)', 'authenticated service_role'),
  ('app', 'waiver_form(uuid, timestamp with time zone)', 'anon authenticated service_role'),
  ('app', 'webhook_problems(uuid)', 'authenticated'),
  ('public', 'admin_org_members(uuid)', 'authenticated'),
  ('public', 'admin_orgs()', 'authenticated'),
  ('public', 'book_my_session(timestamp with time zone, uuid, uuid, text)', 'authenticated'),
  ('public', 'bookable_sessions_remaining(uuid)', 'authenticated service_role'),
  ('public', 'booking_page(text)', 'anon authenticated service_role'),
  ('public', 'booking_page_slots(text, date, date, uuid)', 'anon authenticated service_role'),
  ('public', 'calendar_range(text, date, text, integer)', 'authenticated service_role'),
  ('public', 'cancel_my_booking(uuid)', 'authenticated'),
  ('public', 'capture_inquiry(text, text, text, text, text, text)', 'anon authenticated service_role'),
  ('public', 'client_statement(uuid, date, date)', 'authenticated service_role'),
  ('public', 'cover_booking(uuid, uuid)', 'authenticated service_role'),
  ('public', 'create_default_session_types(uuid)', 'authenticated service_role'),
  ('public', 'create_org(text, text)', 'authenticated'),
  ('public', 'discard_webhook_event(uuid)', 'authenticated'),
  ('public', 'explain_sms(uuid)', 'authenticated service_role'),
  ('public', 'finance_export(uuid, date, date)', 'authenticated'),
  ('public', 'forget_twilio_account(uuid)', 'authenticated'),
  ('public', 'generate_referral_code(uuid, integer)', 'authenticated service_role'),
  ('public', 'insert_sms_direct(uuid, uuid, text, timestamp with time zone, text, uuid, text)', 'service_role'),
  ('public', 'insert_sms_from_service(uuid, uuid, text, jsonb, timestamp with time zone, text, uuid, text)', 'service_role'),
  ('public', 'invite_page(text)', 'anon authenticated'),
  ('public', 'is_org_member(uuid)', 'authenticated service_role'),
  ('public', 'is_phone_suppressed(uuid, text)', 'service_role'),
  ('public', 'is_platform_admin()', 'authenticated service_role'),
  ('public', 'is_slot_available(uuid, timestamp with time zone, timestamp with time zone, uuid)', 'authenticated service_role'),
  ('public', 'my_bookings(timestamp with time zone)', 'authenticated'),
  ('public', 'my_client()', 'authenticated'),
  ('public', 'my_offers()', 'authenticated'),
  ('public', 'my_packages()', 'authenticated'),
  ('public', 'my_slots(date, date, uuid, uuid)', 'authenticated'),
  ('public', 'onboarding_form(uuid)', 'anon authenticated service_role'),
  ('public', 'org_role(uuid)', 'authenticated service_role'),
  ('public', 'portal_book(uuid, timestamp with time zone, uuid)', 'anon authenticated service_role'),
  ('public', 'portal_cancel(uuid, uuid)', 'anon authenticated service_role'),
  ('public', 'portal_page(uuid)', 'anon authenticated service_role'),
  ('public', 'portal_slots(uuid, date, date, uuid)', 'anon authenticated service_role'),
  ('public', 'process_referral_signup(text, text, text)', 'anon authenticated service_role'),
  ('public', 'queue_pending_sms()', 'service_role'),
  ('public', 'redeem_invite(text)', 'authenticated'),
  ('public', 'referral_page(text)', 'anon authenticated service_role'),
  ('public', 'release_session(uuid, uuid)', 'authenticated service_role'),
  ('public', 'render_sms_template(text, jsonb)', 'authenticated service_role'),
  ('public', 'replay_webhook_event(uuid)', 'authenticated'),
  ('public', 'request_session(text, timestamp with time zone, uuid, text, text, text, text)', 'anon authenticated service_role'),
  ('public', 'retry_automation_run(uuid)', 'authenticated service_role'),
  ('public', 'send_portal_link(uuid, text, boolean)', 'authenticated'),
  ('public', 'sign_waiver(uuid, text)', 'anon authenticated service_role'),
  ('public', 'simulate_automations(uuid, timestamp with time zone, timestamp with time zone)', 'authenticated service_role'),
  ('public', 'submit_onboarding(uuid, jsonb, text)', 'anon authenticated service_role'),
  ('public', 'submit_referral(text, text, text, text, text, text[])', 'anon authenticated service_role'),
  ('public', 'track_referral_click(text)', 'anon authenticated service_role'),
  ('public', 'update_my_client(text, numeric)', 'authenticated'),
  ('public', 'use_session(uuid, uuid)', 'authenticated service_role'),
  ('public', 'waiver_form(uuid)', 'anon authenticated service_role'),
  ('public', 'webhook_problems(uuid)', 'authenticated');
select results_eq(
  $$select s, f, string_agg(r, ' ' order by r)
      from unnest(array['app', 'public']) as s,
           unnest(array['anon', 'authenticated', 'coach_os_sidecar', 'coach_os_worker', 'service_role']) as r,
           tests.executable(r, s) as f
     group by s, f order by s, f$$,
  $$select schema_name, signature collate "default", roles from executable order by schema_name, signature$$,
  'every role may execute just the functions listed for it');
select is_empty(
  $$select r from unnest(array['anon', 'authenticated', 'service_role']) as r
     where has_schema_privilege(r, 'app', 'usage') or has_schema_privilege(r, 'procrastinate', 'usage')
        or has_schema_privilege(r, 'public', 'create')$$,
  'no API role reaches app or the job tables by name, or creates anything in public');
select tests.act_as('ada');
select throws_ok($$select app.use_session(tests.id('pack', 'ada'), null, '2020-01-01')$$,
  '42501', 'permission denied for schema app', 'so a coach cannot choose the clock of app.use_session()');
select throws_ok($$select * from app.webhook_events$$, '42501', 'permission denied for schema app',
  'nor read a webhook''s payload');
select tests.act_as_admin();

-- Tables: grants as a whole; `insert (columns)`: of columns granted by name.
create function pg_temp.grants(p_role text) returns table (privileges text, tables text) language sql as $$
  select g.privileges collate "default", string_agg(g.table_name, ' ' order by g.table_name) collate "default"
    from (
      select t.table_name::text,
             string_agg(case when has_table_privilege(p_role, format('public.%I', t.table_name), c) then c
                             else c || ' (columns)' end, ', ' order by n) as privileges
        from tests.tables() as t,
             unnest(array['select', 'insert', 'update', 'delete']) with ordinality as x (c, n)
       where has_table_privilege(p_role, format('public.%I', t.table_name), c)
          or (c <> 'delete' and has_any_column_privilege(p_role, format('public.%I', t.table_name), c))
       group by t.table_name
    ) as g
   group by 1 order by (g.privileges collate "default") collate "C";
$$;
select results_eq($$select * from pg_temp.grants('authenticated')$$,
  $$select p, regexp_replace(t, '\s+', ' ', 'g') from (values
  ('select', 'audit_events automation_runs client_risk measurement_types money_events platform_admins referrals session_ledger
    sms_events sms_messages sms_suppression stripe_accounts subscriptions'),
  ('select, insert', 'activity_events checkin_photos client_communications client_measurements org_members'),
  ('select, insert (columns)', 'messages'),
  ('select, insert (columns), update (columns)', 'client_waivers orgs sms_settings'),
  ('select, insert (columns), update (columns), delete', 'automations client_invites'),
  ('select, insert, update', 'booking_settings bookings branding clients message_threads org_payout_settings
    org_payouts referral_links sms_templates'),
  ('select, insert, update, delete', 'availability blocked_times client_habits client_purchases
    habits inquiries offers products promo_codes push_tokens session_types sms_schedules')) as v (p, t)$$,
  'authenticated: the grants of every table');
select results_eq($$select * from pg_temp.grants('service_role') where privileges <> 'select, insert, update, delete'$$,
  $$values ('select', 'audit_events session_ledger'), ('select, insert', 'money_events')$$,
  'service_role: every right on every table, but audit and ledger are not written and the books only grow');
select is_empty($$select * from pg_temp.grants('anon')$$, 'anon: none');
select results_eq(
  $$select r collate "default", string_agg(distinct c, ', ') collate "default",
           string_agg(distinct v.view_name, ' ') collate "default"
      from pg_temp.views() as v,
           unnest(array['anon', 'authenticated', 'coach_os_sidecar', 'coach_os_worker', 'service_role']) as r,
           unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as c
     where has_table_privilege(r, format('public.%I', v.view_name), c)
     group by 1 order by 1$$,
  $$values ('authenticated', 'select', 'finance_monthly org_earnings'),
           ('service_role', 'select', 'finance_monthly org_earnings')$$,
  'views: read by these, written by nobody');
select results_eq(
  $$select a.attname::text collate "default" from pg_attribute as a
     where a.attrelid = 'public.orgs'::regclass and a.attnum > 0
       and has_column_privilege('authenticated', a.attrelid, a.attnum, 'update') order by 1$$,
  $$values ('automation_hour'), ('commission_rate'), ('country_code'), ('name'), ('onboarding_completed'), ('proforma_disclaimer'), ('slug'),
           ('timezone'), ('waiver_template')$$,
  'of its org a coach changes these columns (commission_rate: see test_create_org.sql)');
select is_empty(
  $$select g.table_name, g.grantee, g.privilege_type from information_schema.role_table_grants as g
     where g.table_schema in ('public', 'app') and g.grantee in ('authenticated', 'service_role', 'PUBLIC')
       and (g.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') or g.is_grantable = 'YES'
            or g.grantee = 'PUBLIC' or g.table_schema = 'app')$$,
  'no API role truncates, references, adds triggers, passes rights on, or has any in app');

-- What will be made tomorrow is closed until somebody opens it.
set local role postgres;
create table public.tomorrow (id integer);
create function public.tomorrow() returns integer language sql as 'select 1';
create function app.tomorrow() returns integer language sql as 'select 1';
reset role;
select is_empty(
  $$select r from unnest(array['anon', 'authenticated', 'service_role', 'coach_os_sidecar', 'coach_os_worker']) as r
     where has_table_privilege(r, 'public.tomorrow', 'select, insert, update, delete')
        or has_function_privilege(r, 'public.tomorrow()', 'execute')
        or has_function_privilege(r, 'app.tomorrow()', 'execute')$$,
  'a new table or function opens to nobody by itself');
drop table public.tomorrow;
drop function public.tomorrow();
drop function app.tomorrow();

-- Sidecar and worker: functions by name, no table, no more.
select is_empty(
  $$select r, c.oid::regclass from unnest(array['coach_os_sidecar', 'coach_os_worker']) as r, pg_class as c
     where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace, 'auth'::regnamespace)
       and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and (has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate, references, trigger')
            or has_any_column_privilege(r, c.oid, 'select, insert, update, references'))$$,
  'sidecar and worker have no right on any table');
select is_empty(
  $$select r.rolname from pg_roles as r
     where r.rolname in ('coach_os_sidecar', 'coach_os_worker')
       and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls or r.rolreplication
            or exists (select from pg_auth_members as m where m.member = r.oid)
            or has_schema_privilege(r.oid, 'app', 'create') or has_schema_privilege(r.oid, 'public', 'create'))$$,
  'neither has an attribute, a membership or a schema to create in that would give it more');
-- The worker owns the job tables and the library's functions. What it can rewrite must not run as somebody stronger.
set local session_replication_role = replica;  -- the library's triggers rely on a search_path
delete from procrastinate.procrastinate_jobs;
set local session_replication_role = origin;
select tests.act_as_role('coach_os_worker');
create or replace function procrastinate.procrastinate_defer_jobs_v1(jobs procrastinate.procrastinate_job_to_defer_v1[])
returns bigint[] language plpgsql as $$
begin
  perform set_config('tests.ran_as', current_user, true);
  return '{}';
end;
$$;
select tests.act_as_admin();
insert into public.sms_messages (org_id, to_phone, from_phone, body)
values (tests.id('org', 'ada'), '+61491570156', '+15005550006', 'Hello');
select is(has_table_privilege(current_setting('tests.ran_as', true), 'public.clients', 'select'), false,
  'SQL that enqueues a job does not lend the library the migrating role''s rights');

-- Foreign keys.
select is_empty(
  $$select c.conrelid::regclass, c.conname from pg_constraint as c
     where c.contype = 'f' and c.connamespace in ('public'::regnamespace, 'app'::regnamespace)
       and not exists (
         select from pg_index as i
          where i.indrelid = c.conrelid and i.indpred is null and i.indisvalid
            and i.indnkeyatts >= cardinality(c.conkey)
            and (select array_agg(k order by k) from unnest((i.indkey::smallint[])[0:cardinality(c.conkey) - 1]) as k)
                = (select array_agg(k order by k) from unnest(c.conkey) as k))$$,
  'every foreign key has an index that leads with its columns');

select * from finish();
rollback;
