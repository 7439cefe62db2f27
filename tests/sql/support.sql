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

-- Acts as a signed-in user from here to the end of the transaction, or until tests.act_as_admin().
create function tests.act_as(p_name text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims',
    json_build_object('sub', md5('person ' || p_name)::uuid, 'role', 'authenticated')::text, true);
  perform set_config('role', 'authenticated', true);
end;
$$;

create function tests.act_as_anon() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '{"role": "anon"}', true);
  perform set_config('role', 'anon', true);
end;
$$;

-- Acts as a role without a user: service_role, coach_os_sidecar, coach_os_worker.
create function tests.act_as_role(p_role text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', json_build_object('role', p_role)::text, true);
  perform set_config('role', p_role, true);
end;
$$;

create function tests.act_as_admin() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '', true);
  perform set_config('role', 'none', true);
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
