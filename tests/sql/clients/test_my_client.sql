-- What an end client sees and changes: their own, and of it what the app shows.
begin;
select plan(50);

select tests.full_org('ada');
select tests.full_org('eve');
do $$
begin
  perform tests.person('nobody');
  perform tests.person('maker of ada');
end;
$$;
update public.clients set full_name = 'Jo Lee', email = 'jo@example.com', weight_kg = 71.5
 where id = tests.id('client', 'ada');
update public.branding set display_name = 'Ada Moves', primary_color = '#00AA00', logo_url = 'https://ada.example/l.png'
 where org_id = tests.id('org', 'ada');
update public.subscriptions set status = 'past_due', manage_url = 'https://pay.example/jo'
 where client_id = tests.id('client', 'ada');
delete from public.subscriptions where client_id = tests.id('other client', 'ada');

-- my_client() ---------------------------------------------------------------------------------------------------------
select tests.act_as('ada client');
select results_eq('select * from public.my_client()',
  $$values (tests.id('client', 'ada'), tests.id('org', 'ada'), 'Jo Lee', 'jo@example.com', 71.5, 'ada', 'Ada Moves',
            '#00AA00', 'https://ada.example/l.png', 'past_due', 'https://pay.example/jo')$$,
  'a client sees who they are, whose client, and the state of the subscription');
select tests.act_as('ada other client');
select results_eq('select id, full_name, email, subscription_status, manage_url from public.my_client()',
  $$values (tests.id('other client', 'ada'), 'Other Client Of ada', null, 'none', null)$$,
  'another sees themselves; without a subscription its state is none');
select tests.act_as_admin();
delete from public.branding where org_id = tests.id('org', 'eve');
select tests.act_as('eve client');
select results_eq('select id, org_name, display_name from public.my_client()',
  $$values (tests.id('client', 'eve'), 'eve', null)$$, 'a business without branding has its clients still');

-- my_bookings() -------------------------------------------------------------------------------------------------------
select tests.act_as_admin();
delete from public.bookings;
insert into public.bookings (id, org_id, client_id, offer_id, start_time, end_time, duration_mins, status, location_type,
                             location_details, client_confirmed, notes, client_notes, cancellation_reason)
values
  (tests.id('booking', 'later'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'),
   '2026-03-02 09:00Z', '2026-03-02 09:45Z', 45, 'confirmed', 'outdoor', 'Harbour steps', true, 'knee?', 'x', null),
  (tests.id('booking', 'first'), tests.id('org', 'ada'), tests.id('client', 'ada'), null,
   '2026-03-01 09:00Z', '2026-03-01 10:00Z', 60, 'cancelled', 'in_person', null, null, 'always late', 'y', 'ill'),
  (tests.id('booking', 'not theirs'), tests.id('org', 'ada'), tests.id('other client', 'ada'), null,
   '2026-03-03 09:00Z', '2026-03-03 10:00Z', 60, 'confirmed', 'in_person', null, false, null, null, null);
select tests.act_as('ada client');
select results_eq('select * from public.my_bookings()',
  $$values (tests.id('booking', 'first'), '2026-03-01 09:00Z'::timestamptz, '2026-03-01 10:00Z'::timestamptz, 60,
            'cancelled', 'pt_session', 'in person', false, null),
           (tests.id('booking', 'later'), '2026-03-02 09:00Z', '2026-03-02 09:45Z', 45,
            'confirmed', 'pt_session', 'Harbour steps', true, 'Ten')$$, 'their bookings, earliest first');
select results_eq($$select id from public.my_bookings('2026-03-02 09:00Z')$$,
  $$values (tests.id('booking', 'later'))$$, 'from an instant on, which is part of it');
select is_empty($$select 1 from public.my_bookings('2026-03-02 09:00:01Z')$$, 'and not from before it');
select tests.act_as('ada other client');
select results_eq('select id from public.my_bookings()', $$values (tests.id('booking', 'not theirs'))$$,
  'another client has their own');

-- my_packages() -------------------------------------------------------------------------------------------------------
select tests.act_as_admin();
update public.client_purchases set expires_at = '2026-06-01Z' where id = tests.id('pack', 'ada');  -- one used
insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status,
                                     expires_at)
values
  (tests.id('pack', 'over'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 1, 5,
   'succeeded', '2020-01-01Z'),
  (tests.id('pack', 'unpaid'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 1, 5,
   'pending', null),
  (tests.id('pack', 'subscription'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 1, 0,
   'succeeded', null),
  (tests.id('pack', 'endless'), tests.id('org', 'ada'), tests.id('client', 'ada'), tests.id('offer', 'ada'), 1, 3,
   'succeeded', null);
select tests.act_as('ada client');
select results_eq('select * from public.my_packages()',
  $$values (tests.id('pack', 'over'), 'Ten', 5, 0, 5, 0, '2020-01-01Z'::timestamptz),
           (tests.id('pack', 'ada'), 'Ten', 10, 1, 9, 0, '2026-06-01Z'),
           (tests.id('pack', 'endless'), 'Ten', 3, 0, 3, 3, null)$$,
  'their paid packs with what is used, left and bookable, the first to expire first');
select tests.act_as('ada other client');
select results_eq('select sessions_remaining from public.my_packages()', $$values (10)$$, 'another client has their own');

-- my_offers() ---------------------------------------------------------------------------------------------------------
select tests.act_as_admin();
insert into public.offers (org_id, name, description, offer_type, price_cents, session_duration_mins, sort_order, is_active)
values (tests.id('org', 'ada'), 'Trial', 'Come and see', 'single_session', 2000, 30, -1, true),
       (tests.id('org', 'ada'), 'Of last year', null, 'single_session', 100, 30, 0, false);
select tests.act_as('ada client');
select results_eq('select name, description, price_cents, currency, session_duration_mins from public.my_offers()',
  $$values ('Trial', 'Come and see', 2000, 'aud', 30), ('Ten', null, 90000, 'aud', 60)$$,
  'what their coach sells now, in the coach''s order, and nobody else''s');

-- Who is no client.
select tests.act_as_admin();
create temp view reads with (security_invoker = on) as
select 'my_client' as name, count(*) as rows from public.my_client()
union all select 'my_bookings', count(*) from public.my_bookings()
union all select 'my_packages', count(*) from public.my_packages()
union all select 'my_offers', count(*) from public.my_offers();
grant select on reads to public;
select tests.act_as('ada');
select is_empty('select * from reads where rows > 0', 'a coach is no client');
select tests.act_as('nobody');
select is_empty('select * from reads where rows > 0', 'nor is a user without a business');
select throws_ok($$select public.update_my_client('new@example.com', 70)$$, 'PT403', 'not_a_client',
  'who is no client has nothing to change');
select tests.act_as_role('authenticated');
select is_empty('select * from reads where rows > 0', 'a token without a user is nobody''s');
select throws_ok($$select public.update_my_client(null, 70)$$, 'PT403', 'not_a_client', 'and changes nothing');
select tests.act_as_anon();
select throws_ok('select * from public.my_client()', '42501', 'permission denied for function my_client', 'anon: my_client');
select throws_ok('select * from public.my_bookings()', '42501', 'permission denied for function my_bookings',
  'anon: my_bookings');
select throws_ok('select * from public.my_packages()', '42501', 'permission denied for function my_packages',
  'anon: my_packages');
select throws_ok('select * from public.my_offers()', '42501', 'permission denied for function my_offers', 'anon: my_offers');
select throws_ok('select * from public.update_my_client()', '42501', 'permission denied for function update_my_client',
  'anon: update_my_client');

-- update_my_client() --------------------------------------------------------------------------------------------------
select tests.act_as_admin();
create temp table before as select * from public.clients;
select tests.act_as('ada client');
select results_eq($$select * from public.update_my_client(p_weight_kg => 70.25)$$,
  $$values ('jo@example.com', 70.25)$$, 'a client writes down their weight');
select results_eq($$select * from public.update_my_client('  jo.lee@example.org ')$$,
  $$values ('jo.lee@example.org', 70.25)$$, 'and their e-mail address, trimmed');
select results_eq($$select * from public.update_my_client()$$,
  $$values ('jo.lee@example.org', 70.25)$$, 'what is not given stays');
select throws_ok(format('select public.update_my_client(%L)', address), 'PT400', 'email_invalid',
  format('no e-mail address: "%s"', left(address, 20)))
  from unnest(array['', ' ', 'jo', 'jo@', '@example.com', 'jo@example', 'jo lee@example.com', 'a@b@example.com',
                    repeat('x', 250) || '@example.com']) as address;
select throws_ok(format('select public.update_my_client(p_weight_kg => %L)', weight), 'PT400', 'weight_invalid',
  format('no weight: %s', weight)) from unnest(array['0', '-1', '1000', 'NaN', 'Infinity']) as weight;
select throws_ok($$select public.update_my_client('new@example.com', -1)$$, 'PT400', 'weight_invalid',
  'one value that is refused');
select is((select email from public.my_client()), 'jo.lee@example.org', 'refuses the other, too');
select is(tests.attempt($$update public.clients set weight_kg = 60$$), '0', 'past the function they change no row');
select is(tests.attempt($$update public.clients set auth_user_id = null$$), '0', 'nor end their own access');
select tests.act_as_admin();
select results_eq(
  $$select c.id, (to_jsonb(c) - 'email' - 'weight_kg') = (to_jsonb(b) - 'email' - 'weight_kg')
      from public.clients as c join before as b using (id) where c is distinct from b$$,
  $$values (tests.id('client', 'ada'), true)$$, 'all that changed are two columns of their own row');

-- Tables that stay open to them ---------------------------------------------------------------------------------------
insert into public.habits (org_id, name) values (tests.id('org', 'ada'), 'For somebody else');
select tests.act_as('ada client');
select results_eq('select h.name from public.client_habits as c join public.habits as h on h.id = c.habit_id',
  $$values ('Walk')$$, 'the habits they follow have names');
select is((select count(*) from public.habits), 1::bigint, 'the others are not theirs to read');
select tests.act_as_admin();
delete from public.message_threads where client_id = tests.id('client', 'ada');
select tests.act_as('ada client');
select throws_ok(
  $$insert into public.message_threads (org_id, client_id, trainer_last_read_at)
    values (tests.id('org', 'ada'), tests.id('client', 'ada'), '2100-01-01')$$,
  '42501', 'new row violates row-level security policy for table "message_threads"',
  'a client does not say what the coach has read');
select lives_ok(
  $$insert into public.message_threads (org_id, client_id) values (tests.id('org', 'ada'), tests.id('client', 'ada'))$$,
  'but begins the conversation');
select lives_ok(
  $$insert into public.messages (org_id, thread_id, sender_type, body)
    select org_id, id, 'client', 'Hello' from public.message_threads$$, 'and speaks in it');

-- The hunt: a value of its own in every column of every row of the business, then everything a client can read or call.
select tests.act_as_admin();
create temp table secrets (place text, value text, client_id uuid);
-- Where a check, key or generated column refuses the value, the column keeps what it has.
create function pg_temp.plant() returns void language plpgsql as $$
declare
  v_column record;
  v_row record;
  v_value text;
  v_number integer := 0;
begin
  for v_column in
    select t.table_name, t.of_org, a.attname, a.atttypid
      from tests.tables() as t
      join pg_attribute as a on a.attrelid = format('public.%I', t.table_name)::regclass
     where a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
       and t.table_name not in ('measurement_types', 'platform_admins') and a.attname not in ('org_id', 'timezone')
       and not exists (select from pg_constraint as c
                        where c.conrelid = a.attrelid and c.contype in ('p', 'f') and a.attnum = any (c.conkey))
  loop
    for v_row in execute format(
      'select t.ctid, (to_jsonb(t) ->> %L)::uuid as client_id from public.%I as t where %s',
      case v_column.table_name when 'clients' then 'id' else 'client_id' end, v_column.table_name, v_column.of_org)
      using tests.id('org', 'ada')
    loop
      v_number := v_number + 1;
      v_value := case
        when v_column.atttypid = 'text'::regtype then format('<secret %s>', v_number)
        when v_column.atttypid = 'text[]'::regtype then format('{"<secret %s>"}', v_number)
        when v_column.atttypid = 'jsonb'::regtype then format('{"x": "<secret %s>"}', v_number)
        when v_column.atttypid = 'uuid'::regtype then md5('secret ' || v_number)::uuid::text
        when v_column.atttypid = 'numeric'::regtype then '0.73' || 10000 + v_number
        -- Far enough apart that what is left of one pack is not the total of another.
        when v_column.atttypid in ('integer'::regtype, 'bigint'::regtype) then (7310000 + 10 * v_number)::text
        when v_column.atttypid = 'date'::regtype then ('2200-01-01'::date + v_number)::text
        when v_column.atttypid = 'timestamptz'::regtype then ('2200-01-01 00:00Z'::timestamptz + v_number * interval '1 s')::text
      end;
      continue when v_value is null;
      begin
        execute format('update public.%I set %I = %L where ctid = %L', v_column.table_name, v_column.attname, v_value, v_row.ctid);
        insert into secrets values (
          format('%s.%s', v_column.table_name, v_column.attname),
          case when v_column.atttypid in ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype)
               then format('<secret %s>', v_number)
               when v_column.atttypid = 'timestamptz'::regtype then to_jsonb(v_value::timestamptz) #>> '{}'
               else v_value end, v_row.client_id);
      exception when integrity_constraint_violation then
        null;
      end;
    end loop;
  end loop;
  insert into secrets values ('orgs.created_by', md5('person maker of ada')::uuid::text);
end;
$$;
-- Every row of every table, and every answer and error of every function, with whatever arguments fit.
create function pg_temp.everything_told() returns text language plpgsql as $$
declare
  v_told text := '';
  v_call text;
  v_detail text;
begin
  for v_call in
    select format('select jsonb_agg(to_jsonb(r)) from public.%I as r', t.table_name) from tests.tables() as t
    union all
    select format('select jsonb_agg(to_jsonb(r)) from public.%I(%s) as r', p.proname, (
             select string_agg(format('%s %L::%s', case when p.proargnames is null then '' else p.proargnames[n] || ' =>' end,
                      case when t = 'uuid'::regtype then k.id::text when t = 'text'::regtype then 'x'
                           when t in ('timestamptz'::regtype, 'date'::regtype) then '2026-03-01'
                           when t in ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype) then '1'
                           when t = 'jsonb'::regtype then '{}' end, t::regtype), ', ' order by n)
               from unnest((p.proargtypes::oid[])[0:p.pronargs - p.pronargdefaults - 1]) with ordinality as a (t, n)))
      from pg_proc as p, keys as k
     where p.pronamespace = 'public'::regnamespace and has_function_privilege(p.oid, 'execute')
  loop
    begin
      execute v_call into v_detail;
      raise exception using errcode = 'TT000', detail = coalesce(v_detail, '');  -- so that nothing it did stays
    exception when others then
      get stacked diagnostics v_detail = pg_exception_detail;
      v_told := v_told || v_detail || case sqlstate when 'TT000' then '' else sqlerrm end || e'\n';
    end;
  end loop;
  return v_told;
end;
$$;
set local session_replication_role = replica;  -- whatever stands in a column, a trigger must not repair it
update public.orgs set created_by = md5('person maker of ada')::uuid where id = tests.id('org', 'ada');
select pg_temp.plant();
set local session_replication_role = origin;
create temp table keys as
select (s.sample ->> 'id')::uuid as id from tests.samples('ada') as s
 where s.table_name in ('orgs', 'clients', 'client_purchases', 'bookings', 'offers', 'message_threads', 'client_waivers');
grant select on keys to public;
create temp table told (who text, everything text);
grant insert on told to public;
select tests.act_as('ada');
insert into told select 'ada', pg_temp.everything_told();
select tests.act_as('ada client');
insert into told select 'ada client', pg_temp.everything_told();
select tests.act_as_admin();
create temp view seen as
select distinct t.who, s.place, s.client_id from told as t join secrets as s on position(s.value in t.everything) > 0;
select is_empty(
  $$select p from unnest(array[
      'clients.notes', 'clients.phone', 'clients.injuries', 'clients.portal_token', 'clients.preferred_time_windows',
      'clients.source', 'bookings.notes', 'bookings.cancellation_reason', 'orgs.commission_rate', 'orgs.created_by',
      'orgs.waiver_template', 'subscriptions.stripe_customer_id', 'client_purchases.stripe_payment_intent_id',
      'client_purchases.amount_paid_cents', 'offers.stripe_price_id', 'client_invites.invite_code',
      'session_types.description', 'availability.created_at', 'client_communications.content']) as p
    except select place from seen where who = 'ada'$$,
  'the hunt finds what there is to find: the coach reads their own private columns');
select results_eq($$select distinct place from seen where who = 'ada client' order by 1$$,
  $$values
    ('activity_events.created_at'), ('activity_events.payload'), ('activity_events.photo_paths'),
    ('bookings.duration_mins'), ('bookings.location_details'), ('bookings.session_type'),
    ('branding.display_name'), ('branding.logo_url'), ('branding.primary_color'),
    ('checkin_photos.created_at'), ('checkin_photos.notes'), ('checkin_photos.storage_path'), ('checkin_photos.taken_at'),
    ('client_habits.created_at'),
    ('client_purchases.expires_at'), ('client_purchases.purchased_at'), ('client_purchases.sessions_total'),
    ('clients.email'), ('clients.full_name'), ('clients.weight_kg'),
    ('habits.created_at'), ('habits.name'),
    ('message_threads.created_at'), ('message_threads.trainer_last_read_at'),
    ('messages.body'), ('messages.created_at'),
    ('offers.description'), ('offers.name'), ('offers.price_cents'), ('offers.session_duration_mins'),
    ('orgs.name'),
    ('push_tokens.created_at'), ('push_tokens.device_id'), ('push_tokens.expo_token'), ('push_tokens.updated_at'),
    ('session_ledger.created_at'), ('session_ledger.delta'), ('session_ledger.reason'),
    ('subscriptions.manage_url')$$,
  'and these are all the columns of which a client sees anything, in whatever table or function');
select is_empty($$select * from seen where who = 'ada client' and client_id <> tests.id('client', 'ada')$$,
  'none of it another client''s');

select * from finish();
rollback;
