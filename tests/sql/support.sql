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

-- An org owned by a person of the same name, with one client, one offer and one paid pack of ten.
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
  insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status)
  values (md5('pack ' || p_name)::uuid, v_org_id, md5('client ' || p_name)::uuid, md5('offer ' || p_name)::uuid,
          90000, 10, 'succeeded');
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

-- An org with a row in every table that has an org, and three members: its owner, '<name> staff', '<name> books'.
create function tests.full_org(p_name text) returns void language plpgsql as $$
declare
  v_org_id uuid := md5('org ' || p_name)::uuid;
begin
  perform tests.org(p_name);
  insert into public.org_members (org_id, user_id, role)
  values (v_org_id, tests.person(p_name || ' staff'), 'staff'),
         (v_org_id, tests.person(p_name || ' books'), 'accountant_readonly');
  perform tests.booking(p_name, p_name, '2026-01-05 09:00+10');
  perform app.use_session(tests.id('pack', p_name));
  insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled)
  values (v_org_id, 'acct_' || p_name, true);
  insert into public.money_events (org_id, event_date, type, amount_cents, source, reference_id, client_id)
  values (v_org_id, '2026-01-05', 'INCOME', 90000, 'manual', 'of ' || p_name, tests.id('client', p_name));
  insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body)
  values (v_org_id, tests.id('client', p_name), '+61491570156', '+15005550006', 'Hello');
  insert into public.sms_events (org_id, provider_message_id, event_type, dedupe_key)
  values (v_org_id, 'SM' || p_name, 'status', p_name);
  insert into public.sms_suppression (org_id, phone, reason) values (v_org_id, '+61491570999', 'manual');
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

-- Every table of `public`, from the catalogue, and its column that names the org.
create function tests.tables() returns table (table_name name, org_column name) language sql stable as $$
  select c.relname, case when c.relname = 'orgs' then 'id' else 'org_id' end::name
    from pg_catalog.pg_class as c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition;
$$;

-- One row of the org from every table, as JSON: what tests.reach() tries to insert again. Called as admin.
create function tests.samples(p_org text) returns table (table_name name, columns text, sample jsonb)
language plpgsql as $$
declare
  v_table record;
begin
  for v_table in select * from tests.tables() loop
    table_name := v_table.table_name;
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
      from pg_catalog.pg_attribute as a
     where a.attrelid = format('public.%I', v_table.table_name)::regclass
       and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
    execute format('select to_jsonb(t) from public.%I as t where t.%I = %L limit 1',
                   v_table.table_name, v_table.org_column, tests.id('org', p_org)) into sample;
    return next;
  end loop;
end;
$$;

-- What the current role can do to the rows of an org, per table: number of rows, or SQLSTATE ('42501': no right).
-- Commands: select, update, delete, insert (a copy of a row in the temporary table `samples`), and move (rows of
-- p_org are given to p_other).
create function tests.reach(p_command text, p_org text, p_other text default null)
returns table (table_name name, outcome text) language plpgsql as $$
declare
  v_table record;
  v_org uuid := tests.id('org', p_org);
begin
  for v_table in select * from tests.tables() loop
    table_name := v_table.table_name;
    outcome := tests.attempt(case p_command
      when 'select' then format('select 1 from public.%1$I where %2$I = %3$L', v_table.table_name, v_table.org_column, v_org)
      when 'update' then format('update public.%1$I set %2$I = %2$I where %2$I = %3$L',
                                v_table.table_name, v_table.org_column, v_org)
      when 'move' then format('update public.%1$I set %2$I = %3$L where %2$I = %4$L',
                              v_table.table_name, v_table.org_column, tests.id('org', p_other), v_org)
      when 'delete' then format('delete from public.%1$I where %2$I = %3$L', v_table.table_name, v_table.org_column, v_org)
      when 'insert' then (
        select format('insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, %3$L)',
                      s.table_name, s.columns,
                      s.sample || case when s.sample ? 'id' then jsonb_build_object('id', gen_random_uuid()) else '{}' end)
          from samples as s where s.table_name = v_table.table_name)
    end);
    return next;
  end loop;
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
