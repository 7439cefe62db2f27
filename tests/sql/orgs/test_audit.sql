-- Who changed what and when: recorded for every audited table and everybody, readable by the owner alone, changed by
-- nobody, and without a secret.
begin;
select plan(83);

select tests.full_org('ada');
select tests.full_org('eve');
select tests.platform_admin('root');
do 'begin perform tests.person(''nobody''); end';
set local timezone = 'UTC';

-- What the audit says about a statement, which is undone. p_as: a person, a database role, or nobody in particular.
create function pg_temp.recorded(p_statement text, p_as text default null)
returns table (table_name text, row_id uuid, action text, who text, role text, changes jsonb) language plpgsql as $$
declare
  v_newest bigint := (select coalesce(max(a.seq), 0) from public.audit_events as a);
  v_recorded text;
begin
  begin
    case
      when p_as is null then null;
      when p_as = 'anon' then perform tests.act_as_anon();
      when exists (select from pg_roles where rolname = p_as) then perform tests.act_as_role(p_as);
      else perform tests.act_as(p_as);
    end case;
    execute p_statement;
    perform tests.act_as_admin();
    select coalesce(jsonb_agg(to_jsonb(a) order by a.seq), '[]') into v_recorded
      from public.audit_events as a where a.seq > v_newest;
    raise exception using errcode = 'TT000', message = v_recorded;
  exception when sqlstate 'TT000' then
    v_recorded := sqlerrm;
  end;
  return query
  select r.table_name, r.row_id, r.action,
         (select split_part(u.email, '@', 1) from auth.users as u where u.id = r.actor_id), r.actor_role, r.changes
    from jsonb_populate_recordset(null::public.audit_events, v_recorded::jsonb) as r;
end;
$$;

-- Which tables ---------------------------------------------------------------------------------------------------------
-- A new table of `public` is audited, or stands here with the reason why not.
create temp table exempt (table_name text, reason text);
insert into exempt values
  ('audit_events', 'the audit itself'),
  ('session_ledger', 'append-only; an entry says who, when and why'),
  ('client_communications', 'a log: says who and when, and only grows'),
  ('client_measurements', 'a log: only grows'),
  ('activity_events', 'a log of what clients do: only grows'),
  ('checkin_photos', 'a log of what clients send: only grows'),
  ('automation_runs', 'a log of what automations did'),
  ('message_threads', 'conversations, not records'),
  ('messages', 'conversations, not records'),
  ('sms_messages', 'the outbox: says itself what became of a text and when'),
  ('sms_attempts', 'a log of the outbox'),
  ('sms_events', 'a log of the outbox'),
  ('client_risk', 'worked out from the rest every day'),
  ('push_tokens', 'devices, registered by the app: nothing but secrets'),
  ('habits', 'coaching, neither money nor settings'),
  ('client_habits', 'coaching, neither money nor settings'),
  ('inquiries', 'not a client yet; who becomes one is recorded there'),
  ('measurement_types', 'no org''s: reference rows of the migrations'),
  ('platform_admins', 'no org''s: no owner could read of it');
create temp view audited as
select c.relname::text collate "default" as table_name, c.oid as table_id
  from pg_class as c
 where exists (select from pg_trigger as t where t.tgrelid = c.oid and t.tgfoid = 'app.record_audit()'::regprocedure);
select is_empty(
  $$select table_name from tests.tables() where table_name not in (select table_name from audited)
    except select table_name from exempt$$,
  'every table is audited, or exempt for a reason');
select is_empty($$select table_name from exempt except select table_name from tests.tables()$$,
  'nothing is exempt that does not exist');
select is_empty($$select table_name from exempt intersect select table_name from audited$$, 'or is audited all the same');
select results_eq(
  'select table_name from audited order by 1',
  $$select t from unnest(array[
      'automations', 'availability', 'blocked_times', 'booking_settings', 'bookings', 'branding', 'client_invites',
      'client_purchases', 'client_waivers', 'clients', 'money_events', 'offers', 'org_members', 'org_payout_settings',
      'org_payouts', 'orgs', 'products', 'promo_codes', 'referral_links', 'referrals', 'session_types', 'sms_schedules',
      'sms_settings', 'sms_suppression', 'sms_templates', 'stripe_accounts', 'subscriptions']) as t$$,
  'clients, bookings, purchases, settings and money are audited');
select is_empty(
  $$select a.table_name from audited as a
     where (select array_agg(t.tgtype & 125 order by t.tgtype & 125) from pg_trigger as t
             where t.tgrelid = a.table_id and t.tgfoid = 'app.record_audit()'::regprocedure
               and t.tgenabled in ('O', 'A') and t.tgqual is null
               and (cardinality(t.tgattr::smallint[]) = 0 or t.tgname = 'client_purchases_audit_update'))
           is distinct from case a.table_name when 'client_purchases' then array[4, 8, 17] else array[4, 8, 16] end$$,
  'each on insert, delete and update, once a statement; packs on update by row');
select results_eq(
  $$select a.attname from pg_attribute as a
     where a.attrelid = 'public.client_purchases'::regclass and a.attnum > 0 and not a.attisdropped
       and a.attnum not in (select unnest(t.tgattr::smallint[]) from pg_trigger as t
                             where t.tgname = 'client_purchases_audit_update') order by 1$$,
  $$values ('sessions_remaining'::name), ('sessions_used')$$, 'of every column but the counter, which the ledger tells');

-- Secrets --------------------------------------------------------------------------------------------------------------
-- Every column whose name sounds like a secret is decided upon: secret, or harmless and why.
create temp table harmless (column_name text, reason text);
insert into harmless values
  ('clients.postcode', 'an address'),
  ('orgs.country_code', 'a country'),
  ('clients.referral_code', 'as printed on a link'),
  ('referral_links.code', 'as printed on a link'),
  ('promo_codes.code', 'as printed on a flyer'),
  ('client_purchases.promo_code_id', 'an id'),
  ('org_payout_settings.bank_account_name', 'a name'),
  ('stripe_accounts.stripe_account_id', 'an id: nothing can be done with it without the platform''s key'),
  ('sms_settings.twilio_account_sid', 'an id: nothing can be done with it without the auth token'),
  ('sms_settings.twilio_messaging_service_sid', 'an id, likewise'),
  ('sms_templates.template_key', 'a name'),
  ('branding.logo_url', 'a public picture'),
  ('products.image_url', 'a public picture'),
  ('referrals.referral_link_id', 'an id');
create temp view secret as
select a.table_name, c as column_name, t.atttypid::regtype as type
  from audited as a
 cross join lateral unnest((app.audit_exceptions(a.table_name)).secret) as c
  left join pg_attribute as t on t.attrelid = a.table_id and t.attname = c and not t.attisdropped;
select is_empty(
  $$select a.table_name || '.' || c.attname from audited as a
      join pg_attribute as c on c.attrelid = a.table_id and c.attnum > 0 and not c.attisdropped
     where c.attname ~ 'token|secret|code|passw|key|account|bsb|iban|card|url|link|pin|hash|crypt|sid|cred|otp|webhook'
    except select column_name from harmless
    except select table_name || '.' || column_name from secret$$,
  'every column that sounds like a secret is one, or is known to be harmless');
select is_empty(
  $$select h.column_name from harmless as h
     where not exists (select from audited as a join pg_attribute as c on c.attrelid = a.table_id and not c.attisdropped
                        where a.table_name || '.' || c.attname = h.column_name)
    union all select table_name || '.' || column_name from secret where type is null$$,
  'nothing is decided about a column that does not exist');
select results_eq(
  $$select table_name || '.' || column_name from secret order by 1$$,
  $$select s from unnest(array[
      'client_invites.invite_code', 'client_waivers.token', 'clients.onboarding_token', 'clients.portal_token',
      'org_payout_settings.bank_account_number', 'org_payout_settings.bank_bsb', 'subscriptions.manage_url']) as s$$,
  'these are secret');
select is_empty(
  $$select a.table_name, c.attname from audited as a
      join pg_attribute as c on c.attrelid = a.table_id and c.attnum > 0 and not c.attisdropped
     where (c.attgenerated <> '' or c.attname = 'updated_at')
       and c.attname <> all ((app.audit_exceptions(a.table_name)).left_out)$$,
  'what is generated, and when a row was last touched, is left out');

-- The whole story ------------------------------------------------------------------------------------------------------
create temp table present (table_name text, row_id uuid, image jsonb);  -- the rows of ada's org, as they are
do $$
declare
  v record;
begin
  for v in select a.table_name, t.of_org from audited as a join tests.tables() as t on t.table_name = a.table_name loop
    execute format('insert into present
                    select %L, coalesce(to_jsonb(t) ->> ''id'', to_jsonb(t) ->> ''org_id'')::uuid, to_jsonb(t)
                      from public.%I as t where %s', v.table_name, v.table_name, v.of_org)
      using tests.id('org', 'ada');
  end loop;
end;
$$;
-- What may be told of a row: all that is not null, left out or secret; of a secret, that there is one.
create function pg_temp.told(p_table text, p_image jsonb) returns jsonb language sql as $$
  select jsonb_object_agg(c.key, case when (p_table, c.key) in (select s.table_name, s.column_name from secret as s)
                                      then '{"changed": true}' else c.value end)
    from jsonb_each(p_image) as c
   where c.value <> 'null' and c.key <> all ((app.audit_exceptions(p_table)).left_out);
$$;
-- A row as its history tells it.
create function pg_temp.retold(p_table text, p_row_id uuid) returns jsonb language plpgsql as $$
declare
  v_event public.audit_events;
  v_image jsonb;
begin
  for v_event in select * from public.audit_events as a
                  where (a.table_name, a.row_id) = (p_table, p_row_id) order by a.created_at, a.seq loop
    if v_event.action = 'insert' then
      v_image := v_event.changes;
    elsif exists (select from jsonb_each(v_event.changes) as c
                   where c.value <> '{"changed": true}'
                     and coalesce(v_image -> c.key, 'null') <> c.value -> 'from') then
      raise 'a change of % does not begin where the last one ended', p_table;
    else
      v_image := v_image || (select jsonb_object_agg(c.key, coalesce(c.value -> 'to', c.value))
                               from jsonb_each(v_event.changes) as c);
    end if;
  end loop;
  return jsonb_strip_nulls(v_image);
end;
$$;
select is_empty($$select table_name from audited except select table_name from present$$,
  'tests.full_org() has a row in every audited table');
select is_empty(
  $$select p.table_name, pg_temp.retold(p.table_name, p.row_id), pg_temp.told(p.table_name, p.image) from present as p
           -- What a pack has used, its ledger tells.
           cross join lateral (select case p.table_name when 'client_purchases' then 'sessions_used' else '' end as k) as x
     where (pg_temp.retold(p.table_name, p.row_id) - x.k)
           is distinct from jsonb_strip_nulls(pg_temp.told(p.table_name, p.image)) - x.k$$,
  'the inserts and updates recorded of a row make it what it is');
select isnt_empty(
  $$select 1 from public.audit_events where org_id = tests.id('org', 'ada') and action = 'update'$$,
  'there are updates among them');
select is_empty(
  $$select * from public.audit_events
     where transaction_id <> pg_current_xact_id()::text::bigint or created_at <> now() or actor_id is not null
        or actor_role <> 'system'$$,
  'each with its transaction and time; by the system, where nobody is signed in');

-- Every table, by everybody who may --------------------------------------------------------------------------------------
create temp table personas (login text, who text, role text);
insert into personas values
  ('ada', 'ada', 'owner'), ('ada staff', 'ada staff', 'staff'), ('root', 'root', 'platform_admin'),
  ('service_role', null, 'service_role'), ('postgres', null, 'system');
create function pg_temp.may(p_login text, p_command text, p_table text) returns boolean language sql as $$
  select case
    when p_login in ('service_role', 'postgres') then has_table_privilege(p_login, format('public.%I', p_table), p_command)
    when p_login = 'root' then p_command = 'update' and p_table = 'org_payouts'  -- and orgs.commission_rate: see below
    when p_table = 'org_payouts' or (p_login = 'ada staff' and p_table = 'org_payout_settings') then false
    when p_command = 'delete' then has_table_privilege('authenticated', format('public.%I', p_table), p_command)
    else has_any_column_privilege('authenticated', format('public.%I', p_table), p_command)
  end;
$$;

create temp table edits (table_name text, column_name text, value jsonb);
insert into edits values
  ('automations', 'name', '"New"'), ('availability', 'is_available', 'false'), ('blocked_times', 'reason', '"New"'),
  ('booking_settings', 'slot_duration_mins', '45'), ('bookings', 'notes', '"New"'), ('branding', 'display_name', '"New"'),
  ('client_invites', 'expires_at', '"2027-01-01T00:00:00+00:00"'),
  ('client_purchases', 'expires_at', '"2027-01-01T00:00:00+00:00"'), ('client_waivers', 'name', '"New"'),
  ('clients', 'full_name', '"New"'), ('money_events', 'payout_id', 'null'), ('offers', 'price_cents', '1'),
  ('org_members', 'role', '"staff"'), ('org_payout_settings', 'payout_method', '"paypal"'),
  ('org_payouts', 'status', '"paid"'), ('orgs', 'name', '"New"'), ('products', 'price_cents', '1'),
  ('promo_codes', 'is_active', 'false'), ('referral_links', 'name', '"New"'), ('referrals', 'referred_name', '"New"'),
  ('session_types', 'name', '"New"'), ('sms_schedules', 'label', '"New"'), ('sms_settings', 'max_sms_per_hour', '7'),
  ('sms_suppression', 'notes', '"New"'), ('sms_templates', 'name', '"New"'), ('stripe_accounts', 'payouts_enabled', 'true'),
  ('subscriptions', 'price_cents', '5');
create temp table updates as
select distinct on (e.table_name) e.table_name, p.row_id,
       jsonb_build_object(e.column_name, jsonb_build_object('from', p.image -> e.column_name, 'to', e.value)) as changes,
       format('update public.%I set %I = %L where %s = %L', e.table_name, e.column_name, e.value #>> '{}',
              case when p.image ? 'id' then 'id' else 'org_id' end, p.row_id) as statement
  from edits as e join present as p using (table_name)
 where p.image -> 'role' is distinct from '"staff"'
 order by e.table_name, p.row_id;
select is_empty($$select table_name from audited except select table_name from updates$$, 'every table is tried');
select is_empty(
  format($$select u.table_name, (select jsonb_agg(r) from pg_temp.recorded(u.statement, %1$L) as r) from updates as u
     where pg_temp.may(%1$L, 'update', u.table_name)
       and (select jsonb_agg(r) from pg_temp.recorded(u.statement, %1$L) as r)
           is distinct from jsonb_build_array(jsonb_build_object('table_name', u.table_name, 'row_id', u.row_id,
             'action', 'update', 'who', %2$L::text, 'role', %3$L, 'changes', u.changes))$$, login, who, role),
  format('an update by %s is recorded, once, with who they are and what became what', login))
  from personas;

-- Rows of their own to delete, where the first is held by others.
insert into public.offers (id, org_id, name, offer_type, price_cents)
values (tests.id('spare', 'offer'), tests.id('org', 'ada'), 'Spare', 'single_session', 100);
insert into public.clients (id, org_id, full_name) values (tests.id('spare', 'client'), tests.id('org', 'ada'), 'Spare');
insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents)
values (tests.id('spare', 'pack'), tests.id('org', 'ada'), tests.id('spare', 'client'), tests.id('offer', 'ada'), 0);
-- Of the books nothing goes but an estimate.
insert into public.money_events (id, org_id, event_date, type, amount_cents, source, is_estimate)
values (tests.id('spare', 'fee'), tests.id('org', 'ada'), '2026-01-05', 'FEE', -30, 'stripe', true);
insert into present
select 'offers', o.id, to_jsonb(o) from public.offers as o where o.id = tests.id('spare', 'offer')
union all select 'clients', c.id, to_jsonb(c) from public.clients as c where c.id = tests.id('spare', 'client')
union all select 'client_purchases', p.id, to_jsonb(p) from public.client_purchases as p where p.id = tests.id('spare', 'pack')
union all select 'money_events', e.id, to_jsonb(e) from public.money_events as e where e.id = tests.id('spare', 'fee');
create temp table deletes as
select distinct on (p.table_name) p.table_name, p.row_id, pg_temp.told(p.table_name, p.image) as changes,
       format('delete from public.%I where %s = %L', p.table_name,
              case when p.image ? 'id' then 'id' else 'org_id' end, p.row_id) as statement
  from present as p
 where p.table_name <> 'orgs'  -- takes its audit with it: see below
 order by p.table_name, p.row_id in (
   tests.id('spare', 'offer'), tests.id('spare', 'client'), tests.id('spare', 'pack'), tests.id('spare', 'fee')) desc;
select is_empty(
  format($$select d.table_name, (select jsonb_agg(r) from pg_temp.recorded(d.statement, %1$L) as r) from deletes as d
     where pg_temp.may(%1$L, 'delete', d.table_name)
       and (select jsonb_agg(r) from pg_temp.recorded(d.statement, %1$L) as r
             where r.table_name = d.table_name)  -- what referred to the row went, too, or let go of it
           is distinct from jsonb_build_array(jsonb_build_object('table_name', d.table_name, 'row_id', d.row_id,
             'action', 'delete', 'who', %2$L::text, 'role', %3$L, 'changes', d.changes))$$, login, who, role),
  format('a delete by %s is recorded, once, with the row that went', login))
  from personas where login <> 'root';

-- Copies, where there can be two; of a purchase without its code, whose counter would be changed as well.
create temp table inserts as
select distinct on (p.table_name) p.table_name, tests.copy_of(p.table_name, p.image || '{"redeemed_by": null, "redeemed_at": null, "auth_user_id": null, "referred_email": "copy@example.com", "promo_code_id": null}') as statement
  from present as p
 where p.table_name not in ('orgs', 'org_members', 'branding', 'org_payout_settings', 'booking_settings', 'sms_settings',
                            'stripe_accounts', 'subscriptions', 'sms_suppression', 'promo_codes', 'session_types',
                            'sms_templates', 'money_events')
 order by p.table_name, p.row_id;
select is_empty(
  format($$select i.table_name, (select jsonb_agg(r) from pg_temp.recorded(i.statement, %1$L) as r) from inserts as i
     where pg_temp.may(%1$L, 'insert', i.table_name)
       and (select jsonb_agg(jsonb_build_array(r.table_name, r.action, r.who, r.role, r.changes -> 'id' = to_jsonb(r.row_id)))
              from pg_temp.recorded(i.statement, %1$L) as r)
           is distinct from jsonb_build_array(jsonb_build_array(i.table_name, 'insert', %2$L::text, %3$L, true))$$,
         login, who, role),
  format('an insert by %s is recorded, once', login))
  from personas where login <> 'root';
select results_eq(
  $$select format('%s: %s, %s, %s', p.login,
                  (select count(*) from updates as x where pg_temp.may(p.login, 'update', x.table_name)),
                  (select count(*) from deletes as x where pg_temp.may(p.login, 'delete', x.table_name)),
                  (select count(*) from inserts as x where pg_temp.may(p.login, 'insert', x.table_name)))
      from personas as p order by 1$$,
  $$values ('ada staff: 19, 10, 12'), ('ada: 20, 10, 12'), ('postgres: 27, 26, 14'), ('root: 1, 0, 0'),
           ('service_role: 26, 25, 14')$$,
  'so many tables everybody tried to update, delete from and insert into');

-- Who else --------------------------------------------------------------------------------------------------------------
select results_eq(
  $$select table_name, row_id, action, who, role, changes #>> '{weight_kg,to}'
      from pg_temp.recorded('select public.update_my_client(p_weight_kg => 80)', 'ada client')$$,
  $$values ('clients', tests.id('client', 'ada'), 'update', 'ada client', 'client', '80')$$, 'a client, in the app');
-- One person is different things to different orgs.
update public.clients set auth_user_id = tests.person('ada') where id = tests.id('client', 'eve');
select set_eq(
  $$select row_id, who, role from pg_temp.recorded('update public.clients set weight_kg = 81', 'ada')
    union all
    select row_id, who, role from pg_temp.recorded('select public.update_my_client(p_weight_kg => 81)', 'ada')$$,
  $$values (tests.id('client', 'ada'), 'ada', 'owner'), (tests.id('other client', 'ada'), 'ada', 'owner'),
           (tests.id('spare', 'client'), 'ada', 'owner'), (tests.id('client', 'eve'), 'ada', 'client')$$,
  'an owner who is another owner''s client');
select set_eq(
  $$select table_name, row_id, who, role from pg_temp.recorded('update public.orgs set commission_rate = 0.2', 'root')$$,
  $$select 'orgs' as t, o.id, 'root' as w, 'platform_admin' as r from public.orgs as o$$,
  'an admin of the platform, in the audit of each org');
-- Who has no right on a table comes through a function that runs with its owner's.
create function tests.visit() returns void language sql security definer as $$
  insert into public.clients (org_id, full_name) values (tests.id('org', 'ada'), 'Walk-in');
$$;
grant execute on function tests.visit() to public;
select results_eq(
  format($$select table_name, action, who, role from pg_temp.recorded('select tests.visit()', %L)$$, v.login),
  format($$values ('clients', 'insert', %L::text, %L)$$, v.who, v.role), 'through a function: ' || v.says)
  from (values
    ('anon', null, 'visitor', 'a visitor'),
    ('nobody', 'nobody', 'visitor', 'somebody signed in, but nothing to this org'),
    ('eve', 'eve', 'visitor', 'the owner of another one'),
    ('ada books', 'ada books', 'accountant_readonly', 'an accountant'),
    ('ada staff', 'ada staff', 'staff', 'staff'),
    ('ada client', 'ada client', 'client', 'a client'),
    ('service_role', null, 'service_role', 'the service role'),
    ('coach_os_worker', null, 'worker', 'the worker'),
    ('coach_os_sidecar', null, 'sidecar', 'the sidecar')) as v (login, who, role, says);
-- Who leaves did so as what they were.
create function tests.leave() returns void language sql security definer as $$
  delete from public.org_members where user_id = auth.uid();
$$;
grant execute on function tests.leave() to public;
select results_eq(
  $$select table_name, action, who, role from pg_temp.recorded('select tests.leave()', 'ada staff')$$,
  $$values ('org_members', 'delete', 'ada staff', 'staff')$$, 'staff who leave were staff');
select set_eq(
  $$select table_name, action, who, role from pg_temp.recorded($s$select public.create_org('Newcomers')$s$, 'nobody')$$,
  $$select t, 'insert' as a, 'nobody' as w, 'owner' as r
      from unnest(array['orgs', 'org_members', 'branding', 'booking_settings', 'sms_settings', 'session_types',
                        'sms_schedules']) as t$$, 'who signs up is the owner of what that makes');

select is_empty(
  $$select r from unnest(enum_range(null::public.org_role)) as r
     where (select pg_get_constraintdef(c.oid) from pg_constraint as c
             where c.conname = 'audit_events_actor_role_check') not like format('%%''%s''%%', r)$$,
  'whatever a member is, the audit can say it');

-- The worker, logged in as itself.
select tests.booking('past', 'ada', '2026-01-05 09:00+10');
select tests.booking('past too', 'ada', '2026-01-06 09:00+10');
update public.bookings set status = 'cancelled'
 where id not in (tests.id('booking', 'past'), tests.id('booking', 'past too'));
create temp table before as select max(seq) as seq, (select p.sessions_used from public.client_purchases as p
                                                      where p.id = tests.id('pack', 'ada')) as used from public.audit_events;
set session authorization coach_os_worker;
select is(app.complete_past_bookings('2026-01-07 00:00Z'), 2, 'the worker completes two bookings');
reset session authorization;
select results_eq(
  $$select row_id, action, actor_role, actor_id, changes from public.audit_events
     where seq > (select seq from before) and table_name = 'bookings' order by row_id$$,
  $$select id, 'update', 'worker', null::uuid, '{"status": {"from": "confirmed", "to": "completed"}}'::jsonb
      from unnest(array[tests.id('booking', 'past'), tests.id('booking', 'past too')]) as id order by id$$,
  'each is recorded');
select is_empty(
  $$select * from public.audit_events where seq > (select seq from before) and table_name <> 'bookings'$$,
  'what each took from the pack is told by its ledger entry, which is append-only itself');
select is_empty(
  $$select * from pg_temp.recorded('select public.use_session(tests.id(''pack'', ''ada''))', 'ada staff')$$,
  'so is a session used by hand');
select is_empty(
  $$select * from pg_temp.recorded('update public.client_purchases set sessions_used = 7 where id = '
                                   || quote_literal(tests.id('pack', 'ada')), 'ada staff')$$,
  'and a counter written by hand');
select results_eq(
  $$select table_name, row_id, who, role, changes
      from pg_temp.recorded('update public.client_purchases set sessions_used = 8, expires_at = ''2030-01-01Z'' where id = '
                            || quote_literal(tests.id('pack', 'ada')), 'ada staff')$$,
  $$select 'client_purchases', tests.id('pack', 'ada'), 'ada staff', 'staff',
           '{"sessions_used": {"from": 3, "to": 8}, "expires_at": {"from": null, "to": "2030-01-01T00:00:00+00:00"}}'::jsonb$$,
  'a form that writes more than the counter is recorded, with whose hand it was');

-- What a key does is done by whoever caused it.
update public.bookings set offer_id = tests.id('spare', 'offer'), booked_by = tests.person('ada staff')
 where id = tests.id('booking', 'past');
select set_eq(
  $$select table_name, row_id, action, who, role, changes #> '{offer_id,from}'
      from pg_temp.recorded('delete from public.offers where id = tests.id(''spare'', ''offer'')', 'ada')$$,
  $$values ('offers', tests.id('spare', 'offer'), 'delete', 'ada', 'owner', null::jsonb),
           ('bookings', tests.id('booking', 'past'), 'update', 'ada', 'owner', to_jsonb(tests.id('spare', 'offer')))$$,
  'an offer goes, and from the booking that named it: both by who deleted it');
select set_eq(
  $$select table_name, row_id, action, who, role, changes #> '{booked_by,from}'
      from pg_temp.recorded('delete from auth.users where id = tests.id(''person'', ''ada staff'')', 'supabase_auth_admin')$$,
  $$select 'org_members' as t, m.id, 'delete' as a, null as w, 'system' as r, null::jsonb as c from public.org_members as m
     where m.user_id = tests.id('person', 'ada staff')
    union all values ('bookings', tests.id('booking', 'past'), 'update', null, 'system',
                      to_jsonb(tests.id('person', 'ada staff')))$$,
  'a user goes, as Supabase Auth deletes them');
select set_eq(
  $$select table_name, action, who, role
      from pg_temp.recorded('delete from public.clients where id = tests.id(''other client'', ''ada'')')$$,
  $$values ('clients', 'delete', null, 'system'), ('client_invites', 'delete', null, 'system'),
           ('client_waivers', 'delete', null, 'system'), ('client_purchases', 'delete', null, 'system'),
           ('subscriptions', 'delete', null, 'system'), ('bookings', 'delete', null, 'system'),
           ('referrals', 'update', null, 'system'), ('money_events', 'update', null, 'system'),
           ('sms_suppression', 'update', null, 'system')$$,
  'a client goes, and with them what was theirs');

-- What changes nothing ------------------------------------------------------------------------------------------------
select is_empty(
  $$select u.table_name, r from updates as u join audited as t using (table_name)
      join pg_attribute as a on a.attrelid = t.table_id and a.attnum > 0 and not a.attisdropped and a.attgenerated = '',
           pg_temp.recorded(format('update public.%1$I set %2$I = %2$I', u.table_name, a.attname)) as r$$,
  'an update of any column to what it is');
select is_empty($$select r from pg_temp.recorded('update public.bookings set updated_at = ''2020-01-01''') as r$$,
  'an update that only touches');
select is_empty(
  $$select r from pg_temp.recorded('update public.referral_links set clicks = clicks + 1, signups = signups + 1') as r$$,
  'an update that only counts visitors');
select is_empty($$select r from pg_temp.recorded('update public.bookings set status = ''completed'' where false') as r$$,
  'an update of no row');
select is_empty(
  $$select r from pg_temp.recorded('insert into public.sms_settings (org_id, enabled) values (tests.id(''org'', ''ada''), true)
      on conflict (org_id) do update set enabled = excluded.enabled', 'ada') as r$$,
  'an upsert of what is there');
select is_empty(
  $$select r from pg_temp.recorded('insert into public.sms_settings (org_id) values (tests.id(''org'', ''ada''))
      on conflict do nothing') as r$$,
  'an insert that gives way');
select is_empty(
  $$select r from pg_temp.recorded('insert into public.org_members (org_id, user_id, role)
      values (tests.id(''org'', ''ada''), tests.id(''person'', ''ada''), ''owner'')', 'ada') as r$$,
  'a member who is one already');
-- … and what changes something.
select results_eq(
  $$select action, changes from pg_temp.recorded(
      'insert into public.sms_suppression (org_id, phone, reason)
       select tests.id(''org'', ''ada''), p, ''opt_out'' from unnest(array[''+61491570999'', ''+61491570998'']) as p
       on conflict (org_id, phone) do update set reason = case excluded.phone when ''+61491570999'' then ''opt_out''
                                                               else sms_suppression.reason end')$$,
  $$values ('update', '{"reason": {"from": "manual", "to": "opt_out"}}'::jsonb)$$,
  'of an upsert, the row that it changed');
select results_eq(
  $$select action, changes ->> 'phone' from pg_temp.recorded(
      'insert into public.sms_suppression (org_id, phone, reason)
       select tests.id(''org'', ''ada''), p, ''manual'' from unnest(array[''+61491570999'', ''+61491570111'']) as p
       on conflict (org_id, phone) do update set reason = excluded.reason')$$,
  $$values ('insert', '+61491570111')$$, 'and the row that it added');
select set_eq(
  $$select row_id, action, changes ->> 'name' from pg_temp.recorded(
      'update public.products set id = tests.id(''product'', ''anew'') where org_id = tests.id(''org'', ''ada'')', 'ada')$$,
  $$select p.id, 'delete' as a, 'Shaker' as n from public.products as p where p.org_id = tests.id('org', 'ada')
    union all values (tests.id('product', 'anew'), 'insert', 'Shaker')$$,
  'an id that changes ends one history and begins another');
select results_eq(
  $$select changes #>> '{notes,to}' from pg_temp.recorded(
      'update public.bookings set notes = ''one'' where id = tests.id(''booking'', ''past'');
       update public.bookings set notes = ''two'' where id = tests.id(''booking'', ''past'')')$$,
  $$values ('one'), ('two')$$, 'what changed twice in a transaction is told in order');
set local timezone = 'Australia/Brisbane';
select results_eq(
  $$select changes #>> '{start_time,to}' from pg_temp.recorded(
      'update public.bookings set start_time = ''2026-01-05 08:30+10'' where id = tests.id(''booking'', ''past'')')$$,
  $$values ('2026-01-04T22:30:00+00:00')$$, 'instants are in UTC, whatever the zone of who wrote them');
set local timezone = 'UTC';

-- Secrets, planted: each gets a marker by an insert and another by an update, and goes by a delete ---------------------
delete from public.org_payout_settings where org_id = tests.id('org', 'ada');
insert into public.clients (id, org_id, full_name, portal_token, onboarding_token)
values (tests.id('secretive', 'client'), tests.id('org', 'ada'), 'Secretive', '5ec2e700-0000-4000-8000-000000000001',
        '5ec2e700-0000-4000-8000-000000000002');
insert into public.client_waivers (org_id, client_id, token)
values (tests.id('org', 'ada'), tests.id('secretive', 'client'), '5ec2e700-0000-4000-8000-000000000003');
insert into public.client_invites (org_id, client_id, invite_code, expires_at)
values (tests.id('org', 'ada'), tests.id('secretive', 'client'), '5ec2e7-invite', '2027-01-01');
insert into public.subscriptions (org_id, client_id, manage_url)
values (tests.id('org', 'ada'), tests.id('secretive', 'client'), 'https://example.com/5ec2e7');
insert into public.org_payout_settings (org_id, bank_bsb, bank_account_number)
values (tests.id('org', 'ada'), '5ec2e7', '5ec2e7-account');
update public.clients set portal_token = '5ec2e700-0000-4000-8000-000000000004',
       onboarding_token = '5ec2e700-0000-4000-8000-000000000005' where id = tests.id('secretive', 'client');
update public.client_waivers set token = '5ec2e700-0000-4000-8000-000000000006'
 where client_id = tests.id('secretive', 'client');
update public.client_invites set invite_code = '5ec2e7-again' where client_id = tests.id('secretive', 'client');
update public.subscriptions set manage_url = 'https://example.com/5ec2e7/again'
 where client_id = tests.id('secretive', 'client');
update public.org_payout_settings set bank_bsb = '5ec2e7-again', bank_account_number = '5ec2e7-again'
 where org_id = tests.id('org', 'ada');
delete from public.clients where id = tests.id('secretive', 'client');
delete from public.org_payout_settings where org_id = tests.id('org', 'ada');
select is_empty(
  $$select s.table_name, s.column_name, c from secret as s, unnest(array['insert', 'update', 'delete']) as c
     where not exists (select from public.audit_events as a
                        where (a.table_name, a.action) = (s.table_name, c)
                          and a.changes -> s.column_name = '{"changed": true}')$$,
  'of every secret it is recorded that it came, changed and went');
select is_empty($$select a from public.audit_events as a where a::text like '%5ec2e7%'$$, 'and of none what it was');
select is_empty(
  $$select p.table_name, s.column_name from secret as s join present as p using (table_name),
           public.audit_events as a
     where strpos(a::text, p.image ->> s.column_name) > 0$$,
  'nor of those that were there from the beginning');

-- Append-only ----------------------------------------------------------------------------------------------------------
set local role postgres;  -- who owns the table
select throws_ok(c, 'PT403', 'audit_is_append_only', format('%s: %s', current_user, c))
  from unnest(array['update public.audit_events set actor_id = null', 'delete from public.audit_events',
                    'truncate public.audit_events']) as c;
reset role;  -- a superuser
select throws_ok(c, 'PT403', 'audit_is_append_only', format('%s: %s', current_user, c))
  from unnest(array['update public.audit_events set actor_id = null', 'delete from public.audit_events',
                    'truncate public.audit_events']) as c;
select tests.act_as_role('service_role');
select throws_ok(c, '42501', 'permission denied for table audit_events', format('%s: %s', current_user, c))
  from unnest(array['update public.audit_events set actor_id = null', 'delete from public.audit_events',
                    'truncate public.audit_events', 'insert into public.audit_events default values']) as c;

-- Who reads it (every person: test_row_security.sql) ----------------------------------------------------------------------
select tests.act_as('ada');
select isnt_empty('select 1 from public.audit_events', 'the owner reads the audit');
select is_empty($$select 1 from public.audit_events where org_id <> tests.id('org', 'ada')$$, 'of their org alone');
select tests.act_as_admin();

-- With its org, and not before -------------------------------------------------------------------------------------------
create temp table of_eve as select * from public.audit_events where org_id = tests.id('org', 'eve');
select lives_ok($$delete from public.orgs where id = tests.id('org', 'ada'); set constraints all immediate$$,
  'an org can be deleted with its whole audit');
select is_empty($$select a from public.audit_events as a where a.org_id = tests.id('org', 'ada')$$,
  'nothing of it stays, nor is its end recorded');
select results_eq(
  $$select * from public.audit_events where org_id = tests.id('org', 'eve') order by seq$$,
  'select * from of_eve order by seq', 'another org''s audit is untouched');

select * from finish();
rollback;
