-- What the pgTAP files share: people to act as, and rows to act on. Loaded once into the pgTAP database.

create schema tests;
grant usage on schema tests, tap to public;
grant execute on all functions in schema tap to public;

-- A user who can sign in. Returns the id, the same for the same name.
create function tests.person(p_name text) returns uuid language plpgsql as $$
declare
  v_id uuid := md5('person ' || p_name)::uuid;
begin
  insert into auth.users (id, email) values (v_id, p_name || '@example.com') on conflict (id) do nothing;
  return v_id;
end;
$$;

-- A plan made by another role has its names looked up already; discarding it shows what this role may look up.
-- Acts as a signed-in user from here to the end of the transaction, or until tests.act_as_admin().
create function tests.act_as(p_name text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims',
    json_build_object('sub', md5('person ' || p_name)::uuid, 'role', 'authenticated')::text, true);
  perform set_config('role', 'authenticated', true);
  discard plans;
end;
$$;

create function tests.act_as_anon() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '{"role": "anon"}', true);
  perform set_config('role', 'anon', true);
  discard plans;
end;
$$;

-- Acts as a role without a user: service_role, coach_os_sidecar, coach_os_worker.
create function tests.act_as_role(p_role text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', json_build_object('role', p_role)::text, true);
  perform set_config('role', p_role, true);
  discard plans;
end;
$$;

create function tests.act_as_admin() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '', true);
  perform set_config('role', 'none', true);
  discard plans;
end;
$$;

-- An org owned by a person of the same name, with one client, one offer and one pack of ten, paid through Stripe (a sale
-- by hand would be in the books).
-- Ids are md5('<kind> <name>')::uuid; see tests.id().
create function tests.org(p_name text, p_timezone text default 'Australia/Brisbane') returns void
language plpgsql as $$
declare
  v_org_id uuid := md5('org ' || p_name)::uuid;
begin
  insert into public.orgs (id, name, timezone) values (v_org_id, p_name, p_timezone);
  insert into public.org_members (org_id, user_id, role) values (v_org_id, tests.person(p_name), 'owner');
  insert into public.clients (id, org_id, full_name, phone)
  values (md5('client ' || p_name)::uuid, v_org_id, 'Client Of ' || p_name, '+61491570156');
  insert into public.offers (id, org_id, name, offer_type, price_cents, sessions_included)
  values (md5('offer ' || p_name)::uuid, v_org_id, 'Ten', 'session_pack', 90000, 10);
  insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total,
    payment_status, payment_method)
  values (md5('pack ' || p_name)::uuid, v_org_id, md5('client ' || p_name)::uuid, md5('offer ' || p_name)::uuid,
          90000, 10, 'succeeded', 'stripe');
end;
$$;

-- Id of a row that tests.org(), tests.booking() made: tests.id('pack', 'ada').
create function tests.id(p_kind text, p_name text) returns uuid language sql immutable as $$
  select md5(p_kind || ' ' || p_name)::uuid;
$$;

-- A confirmed one-hour booking on the org's pack, starting at p_start. p_name makes its id: tests.id('booking', p_name).
create function tests.booking(p_name text, p_org text, p_start timestamptz) returns void language plpgsql as $$
begin
  insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time)
  values (md5('booking ' || p_name)::uuid, tests.id('org', p_org), tests.id('client', p_org), tests.id('pack', p_org),
          p_start, p_start + interval '1 hour');
end;
$$;

-- tests.org() that clients can book at any minute from now to a year ahead: nothing but other bookings stands in their
-- way, until a test says otherwise. The client has an e-mail address, a portal link (tests.id('portal', name)) and is a
-- user of the app ('<name> client').
create function tests.open_org(p_name text, p_timezone text default 'Australia/Brisbane') returns void
language plpgsql as $$
begin
  perform tests.org(p_name, p_timezone);
  update public.booking_settings
     set max_advance_days = 365, buffer_between_mins = 0, late_notice_hours = 0, early_cutoff_before_hour = 0,
         cancel_notice_hours = 24
   where org_id = tests.id('org', p_name);
  insert into public.availability (org_id, day_of_week, start_time, end_time)
  select tests.id('org', p_name), d, '00:00', '24:00' from generate_series(0, 6) as d;
  update public.clients
     set email = p_name || '.client@example.com', portal_token = tests.id('portal', p_name),
         auth_user_id = tests.person(p_name || ' client')
   where id = tests.id('client', p_name);
end;
$$;

-- One more pack of the org's client: tests.id('pack', p_name).
create function tests.pack(p_name text, p_org text, p_sessions integer default 10) returns void language plpgsql as $$
begin
  insert into public.client_purchases (
    id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, payment_method
  )
  values (tests.id('pack', p_name), tests.id('org', p_org), tests.id('client', p_org), tests.id('offer', p_org), 90000,
          p_sessions, 'succeeded', 'stripe');
end;
$$;

-- An hour of the day, so many days from today, in Brisbane.
create function tests.soon(p_days integer, p_hour integer default 10) returns timestamptz language sql stable as $$
  select (date_trunc('day', now() at time zone 'Australia/Brisbane')
          + make_interval(days => p_days, hours => p_hour)) at time zone 'Australia/Brisbane';
$$;

-- An admin of the platform itself.
create function tests.platform_admin(p_name text) returns void language plpgsql as $$
begin
  insert into public.platform_admins (user_id, email) values (tests.person(p_name), p_name || '@platform.example.com');
end;
$$;

-- An org with a row in every table that has an org, three members: its owner, '<name> staff', '<name> books', and two
-- clients who are users of the app: '<name> client' (tests.id('client', name)) and '<name> other client'
-- (tests.id('other client', name)), each with a row in every table that has clients.
create function tests.full_org(p_name text) returns void language plpgsql as $$
declare
  v_org_id uuid := md5('org ' || p_name)::uuid;
begin
  perform tests.org(p_name);
  insert into public.org_members (org_id, user_id, role)
  values (v_org_id, tests.person(p_name || ' staff'), 'staff'),
         (v_org_id, tests.person(p_name || ' books'), 'accountant_readonly');
  insert into public.org_payout_settings (org_id) values (v_org_id);
  insert into public.habits (id, org_id, name) values (tests.id('habit', p_name), v_org_id, 'Walk');
  insert into public.referral_links (id, org_id, code, name)
  values (tests.id('referral link', p_name), v_org_id, upper('REF' || p_name), 'Friends');
  insert into public.promo_codes (id, org_id, code, discount_type, discount_value)
  values (tests.id('promo code', p_name), v_org_id, 'TEN', 'percentage', 10);
  insert into public.products (org_id, name, category, price_cents) values (v_org_id, 'Shaker', 'merchandise', 1500);
  insert into public.availability (org_id, day_of_week, start_time, end_time) values (v_org_id, 1, '09:00', '17:00');
  insert into public.blocked_times (org_id, day_of_week, start_time, end_time) values (v_org_id, 1, '12:00', '13:00');
  insert into public.org_payouts (
    id, org_id, period_start, period_end, gross_amount_cents, commission_cents, net_amount_cents
  )
  values (tests.id('payout', p_name), v_org_id, '2026-01-01', '2026-01-31', 1000, 50, 950);
  insert into public.sms_templates (id, org_id, template_key, name, body)
  values (tests.id('template', p_name), v_org_id, 'hello', 'Hello', 'Hello {{client_name}}');
  insert into public.automations (id, org_id, name, trigger)
  values (tests.id('automation', p_name), v_org_id, 'Nudge', '{"type": "schedule", "schedule": "daily"}');
  insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled)
  values (v_org_id, 'acct_' || p_name, true);
  insert into public.clients (id, org_id, full_name, phone)
  values (tests.id('other client', p_name), v_org_id, 'Other Client Of ' || p_name, '+61491570157');
  perform tests.full_client(p_name, 'client');
  perform tests.full_client(p_name, 'other client');
  perform app.use_session(tests.id('pack', p_name));
end;
$$;

-- A row in every table that has clients, for a client of tests.full_org(): p_kind is 'client' or 'other client'.
create function tests.full_client(p_name text, p_kind text) returns void language plpgsql as $$
declare
  v_org_id uuid := tests.id('org', p_name);
  v_client_id uuid := tests.id(p_kind, p_name);
  v_user_id uuid := tests.person(p_name || ' ' || p_kind);
  v_of text := format('%s of %s', p_kind, p_name);
  v_purchase_id uuid := case p_kind when 'client' then tests.id('pack', p_name) else gen_random_uuid() end;
  v_id uuid;
begin
  update public.clients set auth_user_id = v_user_id where id = v_client_id;
  insert into public.client_invites (org_id, client_id, invite_code, expires_at, redeemed_at, redeemed_by)
  values (v_org_id, v_client_id, 'invite ' || v_of, '2026-02-01', '2026-01-01', v_user_id);
  insert into public.client_communications (org_id, client_id, type, content)
  values (v_org_id, v_client_id, 'note', 'Prefers mornings');
  insert into public.client_measurements (org_id, client_id, measurement_type, value, unit)
  values (v_org_id, v_client_id, 'Weight', 80, 'kg');
  insert into public.client_waivers (org_id, client_id) values (v_org_id, v_client_id);
  insert into public.inquiries (org_id, name, converted_client_id) values (v_org_id, 'Asked', v_client_id)
  returning id into v_id;
  insert into public.referrals (org_id, referral_link_id, referrer_client_id, inquiry_id, referred_email)
  values (v_org_id, tests.id('referral link', p_name), v_client_id, v_id, replace(v_of, ' ', '.') || '@example.com')
  returning id into v_id;
  update public.clients set referral_id = v_id where id = v_client_id;
  insert into public.activity_events (org_id, client_id, type, payload)
  values (v_org_id, v_client_id, 'checkin', '{"notes": "fine"}') returning id into v_id;
  insert into public.checkin_photos (org_id, client_id, activity_event_id, storage_path)
  values (v_org_id, v_client_id, v_id, v_of || '.jpg');
  insert into public.client_habits (org_id, client_id, habit_id)
  values (v_org_id, v_client_id, tests.id('habit', p_name));
  insert into public.message_threads (org_id, client_id) values (v_org_id, v_client_id) returning id into v_id;
  insert into public.messages (org_id, thread_id, sender_type, body)
  values (v_org_id, v_id, 'trainer', 'How are you?'), (v_org_id, v_id, 'client', 'Fine, thanks');
  insert into public.push_tokens (org_id, client_id, expo_token)
  values (v_org_id, v_client_id, 'ExponentPushToken ' || v_of);
  insert into public.client_purchases (
    id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, payment_method,
    promo_code_id
  )
  values (v_purchase_id, v_org_id, v_client_id, tests.id('offer', p_name), 90000, 10, 'succeeded', 'stripe',
          tests.id('promo code', p_name))
  on conflict (id) do update set promo_code_id = excluded.promo_code_id;
  insert into public.bookings (org_id, client_id, purchase_id, offer_id, session_type_id, start_time, end_time)
  values (v_org_id, v_client_id, v_purchase_id, tests.id('offer', p_name),
          (select t.id from public.session_types as t where t.org_id = v_org_id and t.slug = 'pt_session'),
          '2026-01-05 09:00+10', '2026-01-05 10:00+10');
  insert into public.subscriptions (org_id, client_id, offer_id, stripe_subscription_id)
  values (v_org_id, v_client_id, tests.id('offer', p_name), 'sub ' || v_of);
  insert into public.money_events (org_id, event_date, type, amount_cents, source, reference_id, client_id, payout_id)
  values (v_org_id, '2026-01-05', 'INCOME', 90000, 'manual', v_of, v_client_id, tests.id('payout', p_name));
  insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body, template_id)
  values (v_org_id, v_client_id, '+61491570156', '+15005550006', 'Hello', tests.id('template', p_name))
  returning id into v_id;
  insert into public.sms_attempts (message_id, attempt_number, status) values (v_id, 1, 'success');
  insert into public.sms_events (org_id, message_id, provider_message_id, event_type, dedupe_key)
  values (v_org_id, v_id, 'SM ' || v_of, 'status', v_of);
  insert into public.sms_suppression (org_id, phone, reason, client_id)
  values (v_org_id, '+6149157' || case p_kind when 'client' then '0999' else '0998' end, 'manual', v_client_id);
  insert into public.client_risk (org_id, client_id, as_of_date, score, tier)
  values (v_org_id, v_client_id, '2026-01-05', 10, 'green');
  insert into public.automation_runs (org_id, automation_id, client_id, status)
  values (v_org_id, tests.id('automation', p_name), v_client_id, 'ok');
end;
$$;

-- Runs a statement as the current role and undoes it. Returns how many rows it touched, or its SQLSTATE.
create function tests.attempt(p_statement text) returns text language plpgsql as $$
declare
  v_rows bigint;
begin
  execute p_statement;
  get diagnostics v_rows = row_count;
  raise exception using errcode = 'TT000', message = v_rows::text;
exception when others then
  return case when sqlstate = 'TT000' then sqlerrm else sqlstate end;
end;
$$;

-- Every table of `public`, from the catalogue, with the condition that picks an org's rows ($1: the org). A table
-- without org_id has to be named here: with the general condition everything built on this fails.
create function tests.tables() returns table (table_name name, of_org text) language sql stable as $$
  select c.relname,
         case c.relname
           when 'orgs' then 'id = $1'
           when 'measurement_types' then 'sort_order <= 2 and $1 is not null'
           when 'platform_admins' then '$1 is not null'
           when 'sms_attempts' then 'message_id in (select m.id from public.sms_messages as m where m.org_id = $1)'
           else 'org_id = $1'
         end
    from pg_catalog.pg_class as c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition;
$$;

-- Every row of an org, of every table: where it is, the client it is about (null: the org's own), and itself as JSON.
-- A table without a row is there with row_id null. Called as admin; tests.reach() reads it from the temporary table
-- `samples`.
create function tests.samples(p_org text)
returns table (table_name name, row_id tid, client_id uuid, sample jsonb) language plpgsql as $$
declare
  v_table record;
begin
  for v_table in select * from tests.tables() loop
    table_name := v_table.table_name;
    row_id := null;
    for row_id, client_id, sample in execute format(
      'select t.ctid, (%s)::uuid, to_jsonb(t) from public.%I as t where %s',
      case v_table.table_name
        when 'clients' then 't.id'
        when 'messages' then 'select p.client_id from public.message_threads as p where p.id = t.thread_id'
        when 'sms_attempts' then 'select p.client_id from public.sms_messages as p where p.id = t.message_id'
        else '(to_jsonb(t) ->> ''client_id'')'
      end, v_table.table_name, v_table.of_org) using tests.id('org', p_org)
    loop
      if v_table.table_name = 'org_members' then  -- somebody who is not there yet, to insert
        sample := sample || jsonb_build_object('user_id', tests.person('newcomer'));
      elsif v_table.table_name = 'clients' then  -- who is a user of the app, nobody writes by hand
        sample := sample || '{"auth_user_id": null}';
      end if;
      return next;
    end loop;
    if row_id is null then
      client_id := null;
      sample := null;
      return next;
    end if;
  end loop;
end;
$$;

-- A copy of a row, as a statement, with an id and texts under a unique key of its own. What else is unique (one per
-- org, one per client) is refused as 23505, but only after row security let it through.
create function tests.copy_of(p_table name, p_sample jsonb) returns text language plpgsql as $$
declare
  v_columns text;
  v_fresh jsonb;
begin
  -- What anybody signed in may be granted to write: a column granted to nobody (commission_rate) is left out.
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_columns
    from pg_catalog.pg_attribute as a
   where a.attrelid = format('public.%I', p_table)::regclass
     and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
     and (has_column_privilege('authenticated', a.attrelid, a.attnum, 'insert')
          or not has_any_column_privilege('authenticated', a.attrelid, 'insert'));
  select coalesce(jsonb_object_agg(a.attname, case
           when a.atttypid = 'uuid'::regtype then gen_random_uuid()::text
           else left(translate(upper(a.attname || gen_random_uuid()), '_-', ''), 30)
         end), '{}')
    into v_fresh
    from pg_catalog.pg_index as i
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
   where i.indrelid = format('public.%I', p_table)::regclass and i.indisunique and i.indnkeyatts = 1
     and a.atttypid in ('uuid'::regtype, 'text'::regtype)
     and not exists (select from pg_catalog.pg_constraint as c
                      where c.conrelid = i.indrelid and c.contype = 'f' and a.attnum = any (c.conkey))
     and p_sample -> a.attname <> 'null';
  return format('insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, %3$L)',
                p_table, v_columns,
                p_sample || v_fresh);
end;
$$;

-- What the current role can do to the rows in `samples`, per table, tried one by one:
--   all      every row            0        none, as if there were none
--   own      those about p_client_id, all of them and no other
--   n/m      so many of them      42501, PTxyz …: none, with this SQLSTATE
-- A row counts as reached when only a key stopped it (23503, from Postgres 18 on 23001: something refers to it; 23505:
-- there is one already): keys are looked at after rights. Commands: select, insert (a copy), update (of a column to what
-- it is), delete.
create function tests.reach(p_command text, p_client_id uuid default null)
returns table (table_name name, outcome text) language plpgsql as $$
declare
  v_sample record;
  v_table record;
  v_column name;
  v_outcome text;
  v_reached bigint;
  v_own bigint;
  v_codes text;
begin
  for v_table in
    select s.table_name, count(*) as rows, count(*) filter (where s.client_id = p_client_id) as own
      from samples as s group by s.table_name
  loop
    v_reached := 0;
    v_own := 0;
    v_codes := '0';
    select a.attname into v_column
      from pg_catalog.pg_attribute as a
     where a.attrelid = format('public.%I', v_table.table_name)::regclass and a.attnum > 0 and not a.attisdropped
     order by has_column_privilege('authenticated', a.attrelid, a.attnum, 'update') desc, a.attname = 'org_id' desc,
              a.attnum
     limit 1;
    for v_sample in select s.* from samples as s where s.table_name = v_table.table_name loop
      v_outcome := tests.attempt(case p_command
        when 'select' then format('select from public.%I where ctid = %L', v_table.table_name, v_sample.row_id)
        when 'insert' then tests.copy_of(v_table.table_name, v_sample.sample)
        when 'update' then format('update public.%1$I set %2$I = %2$I where ctid = %3$L',
                                  v_table.table_name, v_column, v_sample.row_id)
        when 'delete' then format('delete from public.%I where ctid = %L', v_table.table_name, v_sample.row_id)
      end);
      if v_outcome in ('1', '23503', '23001', '23505') then
        v_reached := v_reached + 1;
        v_own := v_own + (v_sample.client_id is not distinct from p_client_id)::integer;
      elsif v_outcome <> '0' then
        v_codes := case when v_codes in ('0', v_outcome) then v_outcome else v_codes || '+' || v_outcome end;
      end if;
    end loop;
    table_name := v_table.table_name;
    outcome := case
      when v_reached = 0 then v_codes
      when v_reached = v_table.rows then 'all'
      when v_reached = v_own and v_own = v_table.own then 'own'
      else format('%s/%s', v_reached, v_table.rows)
    end;
    return next;
  end loop;
end;
$$;

-- tests.reach() for every command as one person after the other ('anon': nobody). '<name> client' and
-- '<name> other client' are the clients of tests.full_org(). Called as admin, ends as admin.
create function tests.matrix(p_people text[])
returns table (person text, command text, table_name name, outcome text) language plpgsql as $$
begin
  foreach person in array p_people loop
    foreach command in array array['select', 'insert', 'update', 'delete'] loop
      perform case person when 'anon' then tests.act_as_anon() else tests.act_as(person) end;
      for table_name, outcome in
        select r.table_name, r.outcome
          from tests.reach(command, case when person ~ 'client$' then
                 tests.id(regexp_replace(person, '^\S+ ', ''), split_part(person, ' ', 1)) end) as r
      loop
        return next;
      end loop;
    end loop;
  end loop;
  perform tests.act_as_admin();
end;
$$;

-- Who may execute what: signatures of the functions of a schema that a role may execute, without extensions' own.
create function tests.executable(p_role text, p_schema text) returns setof text language sql stable as $$
  select format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)) collate "default"
    from pg_catalog.pg_proc as p
   where p.pronamespace = p_schema::regnamespace and has_function_privilege(p_role, p.oid, 'execute')
   order by 1;
$$;

-- A Checkout Session's event as Stripe sends it, about the offer and client of an org. `p_session` overrides fields of
-- the session (null removes one), `p_event` those of the event.
create function tests.checkout_event(
  p_id text, p_org text, p_session jsonb default '{}', p_event jsonb default '{}'
) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'id', p_id, 'object', 'event', 'account', 'acct_' || p_org, 'api_version', '2026-04-22.dahlia',
    'created', 1767607200, 'livemode', false, 'pending_webhooks', 1, 'type', 'checkout.session.completed',
    'request', jsonb_build_object('id', null, 'idempotency_key', null)
  ) || p_event || jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object(
    'id', 'cs_test_' || p_org, 'object', 'checkout.session', 'mode', 'payment', 'status', 'complete',
    'payment_status', 'paid', 'payment_intent', 'pi_' || p_org, 'amount_subtotal', 90000, 'amount_total', 90000,
    'currency', 'aud', 'customer_details', jsonb_build_object('email', 'payer@example.com', 'name', 'Pat Payer'),
    'metadata', jsonb_build_object(
      'org_id', tests.id('org', p_org), 'client_id', tests.id('client', p_org), 'offer_id', tests.id('offer', p_org))
  ) || p_session)));
$$;
