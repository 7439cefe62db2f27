-- The service-role routes' way into the outbox: insert_sms_direct() answers null where insert_sms_from_service() raises.
begin;
select plan(73);

select tests.full_org('ada');
select tests.full_org('eve');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550002' where org_id = tests.id('org', 'eve');
select tests.booking('next', 'ada', '2099-03-02 23:00Z');
select tests.booking('of eve', 'eve', '2099-03-02 23:00Z');
delete from public.sms_messages;
-- Named arguments, as the API calls it; what a caller leaves out is left out.
create function tests.direct(
  p_key text, p_body text default 'Hello', p_org text default 'ada', p_client text default 'ada',
  p_related text default 'next'
) returns uuid language sql as $$
  select public.insert_sms_direct(
    p_org_id => tests.id('org', p_org), p_client_id => tests.id('client', p_client), p_body => p_body,
    p_scheduled_for => '2099-03-01 23:00Z', p_related_entity_type => 'booking',
    p_related_entity_id => tests.id('booking', p_related), p_idempotency_key => p_key);
$$;
create function tests.from_service(
  p_key text, p_template text default 'hello', p_org text default 'ada', p_client text default 'ada',
  p_related text default 'next'
) returns uuid language sql as $$
  select public.insert_sms_from_service(
    p_org_id => tests.id('org', p_org), p_client_id => tests.id('client', p_client), p_template_key => p_template,
    p_variables => '{"client_name": "Ann"}', p_scheduled_for => '2099-03-01 23:00Z',
    p_related_entity_type => 'booking', p_related_entity_id => tests.id('booking', p_related),
    p_idempotency_key => p_key);
$$;

-- Whose they are.
create temp table callers (call text, name text);
insert into callers values
  ($$select tests.direct('k')$$, 'insert_sms_direct'),
  ($$select tests.from_service('k')$$, 'insert_sms_from_service'),
  ($$select public.queue_pending_sms()$$, 'queue_pending_sms'),
  ($$select public.is_phone_suppressed(tests.id('org', 'ada'), '+61491570999')$$, 'is_phone_suppressed');
grant select on callers to public;
select tests.act_as_anon();
select throws_ok(c.call, '42501', 'permission denied for function ' || c.name, c.name || ' is not a visitor''s')
  from callers as c order by c.name;
select throws_ok($$select public.render_sms_template('', '{}')$$, '42501',
  'permission denied for function render_sms_template', 'nor is render_sms_template');
select tests.act_as('ada');
select throws_ok(c.call, '42501', 'permission denied for function ' || c.name, c.name || ' is not the owner''s')
  from callers as c order by c.name;
select cmp_ok(length(public.render_sms_template(repeat('{{a}}', 100000), jsonb_build_object('a', repeat('x', 10000)))), '<',
  6000000, 'a few placeholders do not make a gigabyte');
select is(length(public.render_sms_template('{{a}}', jsonb_build_object('a', repeat('x', 1700)))), 1601,
  'a value too long to be sent stays too long');
select is(public.render_sms_template('Hi {{client_name}}', '{"client_name": "Ann"}'), 'Hi Ann',
  'a signed-in coach renders a template');
select is(public.render_sms_template(p_template_body => 'At {{Address_1}}, {{not there}}', p_variables => '{"Address_1": "Bay St"}'),
  'At Bay St, {{not there}}', 'a key is letters, digits and underscores');

-- insert_sms_direct(): what it writes.
select tests.act_as_role('service_role');
create temp table queued as select tests.direct('key 1') as id;
select isnt((select id from queued), null, 'a text is queued');
select tests.act_as_admin();
grant select on queued to public;
select results_eq(
  $$select id, org_id, client_id, to_phone, from_phone, body, status, scheduled_for, related_entity_type,
           related_entity_id, idempotency_key, template_id, template_key from public.sms_messages$$,
  $$select id, tests.id('org', 'ada'), tests.id('client', 'ada'), '+61491570156', '+15005550001', 'Hello', 'pending',
           '2099-03-01 23:00Z'::timestamptz, 'booking', tests.id('booking', 'next'), 'key 1', null::uuid, null::text
      from queued$$,
  'pending, from the org''s number to the client''s, at its time, about the booking');

-- What queues none.
select tests.act_as_role('service_role');
select is(tests.direct('key 1', 'Other words'), null, 'the same key again: null');
select is(tests.direct('key 1', p_org => 'eve', p_client => 'eve', p_related => 'of eve'), null, 'from whomever');
select is(tests.direct('k', p_client => 'nobody'), null, 'no such client');
select is(tests.direct('k', p_client => 'eve'), null, 'another org''s client');
select is(tests.direct('k', p_org => 'nobody'), null, 'no such org');
select is(tests.direct('k', p_related => 'of eve'), null, 'about another org''s booking');
select is(tests.direct('k', p_related => 'nothing'), null, 'about a booking that is not there');
select is(tests.direct('k', null), null, 'no words');
select is(tests.direct('k', E' \n'), null, 'blank words');
select is(tests.direct('k', repeat('x', 1601)), null, 'more than 1600 characters');
select is(public.insert_sms_direct(null, null, null), null, 'nothing at all');
select tests.act_as_admin();
savepoint refused;
update public.clients set phone = null where id = tests.id('client', 'ada');
select tests.act_as_role('service_role');
select is(tests.direct('k'), null, 'a client without a phone');
select tests.act_as_admin();
update public.clients set phone = ' ' where id = tests.id('client', 'ada');
select tests.act_as_role('service_role');
select is(tests.direct('k'), null, 'with a blank one');
select tests.act_as_admin();
rollback to refused;
insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '+61491570156', 'opt_out');
select tests.act_as_role('service_role');
select is(tests.direct('k'), null, 'a number that said STOP');
select isnt(tests.direct('k', p_org => 'eve', p_client => 'eve', p_related => 'of eve'), null, 'to this org, not another');
select is(public.is_phone_suppressed(tests.id('org', 'ada'), '+61491570156'), true, 'suppressed');
select is(public.is_phone_suppressed(tests.id('org', 'eve'), '+61491570156'), false, 'not there');
select is(public.is_phone_suppressed(tests.id('org', 'ada'), '+61491570157'), false, 'not another number');
select is(public.is_phone_suppressed(tests.id('org', 'ada'), null), false, 'nor none');
select tests.act_as_admin();
rollback to refused;
update public.sms_settings set enabled = false where org_id = tests.id('org', 'ada');
select tests.act_as_role('service_role');
select is(tests.direct('k'), null, 'an org that has switched texting off');
select tests.act_as_admin();
rollback to refused;
update public.sms_settings set twilio_phone_number = null where org_id = tests.id('org', 'ada');
select tests.act_as_role('service_role');
select is(tests.direct('k'), null, 'without a number to text from');
select tests.act_as_admin();
rollback to refused;
delete from public.sms_settings where org_id = tests.id('org', 'ada');
select tests.act_as_role('service_role');
select is(tests.direct('k'), null, 'without settings');
select tests.act_as_admin();
rollback to refused;
select is((select count(*) from public.sms_messages), 1::bigint, 'none of these has left a row');
select tests.act_as_role('service_role');
select isnt(tests.direct('k', repeat('x', 1600)), null, 'nor used up the key: with 1600 characters it is queued');

-- What may be left out.
select isnt(public.insert_sms_direct(tests.id('org', 'ada'), tests.id('client', 'ada'), 'Twice'), null, 'without the rest');
select isnt(public.insert_sms_direct(tests.id('org', 'ada'), tests.id('client', 'ada'), 'Twice', null), null,
  'and without a key as often as asked');
select tests.act_as_admin();
select results_eq(
  $$select scheduled_for, related_entity_type, related_entity_id, idempotency_key
      from public.sms_messages where body = 'Twice'$$,
  $$values (now(), null, null::uuid, null), (now(), null, null, null)$$, 'due now, about nothing, under no key');

-- One rule for all: a booking's own text follows it, but a suppressed number is left to the sender, who says why.
insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '+61491570156', 'opt_out');
select tests.booking('suppressed', 'ada', '2099-03-03 23:00Z');
select is((select count(*) from public.sms_messages where related_entity_id = tests.id('booking', 'suppressed')), 1::bigint,
  'a booking of a client who said STOP queues its confirmation');
select is_empty($$select 1 from app.claim_sms('2099-03-02 23:30Z') where body ~ 'booked for'$$, 'which is not sent');
select results_eq(
  $$select status, error_code from public.sms_messages where related_entity_id = tests.id('booking', 'suppressed')$$,
  $$values ('cancelled', 'number_suppressed')$$, 'and says why');
delete from public.sms_suppression;

-- insert_sms_from_service(): what it writes.
insert into public.sms_templates (id, org_id, template_key, name, body, version, is_active, variables_schema)
values (tests.id('template', 'ada 2'), tests.id('org', 'ada'), 'hello', 'Hello', 'Newer, {{client_name}}', 2, true, '[]'),
       (tests.id('template', 'ada 3'), tests.id('org', 'ada'), 'hello', 'Hello', 'Newest, but off', 3, false, '[]'),
       (tests.id('template', 'ada off'), tests.id('org', 'ada'), 'off', 'Off', 'Off', 1, false, '[]'),
       (tests.id('template', 'ada only'), tests.id('org', 'ada'), 'only ada', 'Only', 'Only', 1, true, '[]'),
       (tests.id('template', 'ada blank'), tests.id('org', 'ada'), 'blank', 'Blank', '{{nothing}}', 1, true, '["nothing"]');
delete from public.sms_messages;
select tests.act_as_role('service_role');
create temp table from_template as select tests.from_service('key 2') as id;
select tests.act_as_admin();
grant select on from_template to public;
select results_eq(
  $$select id, body, template_id, template_key, variables, to_phone, from_phone, status, scheduled_for,
           related_entity_id, idempotency_key from public.sms_messages$$,
  $$select id, 'Newer, Ann', tests.id('template', 'ada 2'), 'hello', '{"client_name": "Ann"}'::jsonb, '+61491570156',
           '+15005550001', 'pending', '2099-03-01 23:00Z'::timestamptz, tests.id('booking', 'next'), 'key 2'
      from from_template$$,
  'the newest active version, filled in, and with what');

-- What it refuses, each by its name.
select tests.act_as_role('service_role');
select throws_ok($$select tests.from_service('key 2')$$, 'PT409', 'sms_already_queued', 'the same key again');
select throws_ok($$select tests.from_service('k', 'nonesuch')$$, 'PT404', 'template_not_found', 'no such template');
select throws_ok($$select tests.from_service('k', null)$$, 'PT404', 'template_not_found', 'none');
select throws_ok($$select tests.from_service('k', 'off')$$, 'PT404', 'template_not_found', 'one that is off');
select throws_ok($$select tests.from_service('k', 'only ada', 'eve', 'eve', 'of eve')$$,
  'PT404', 'template_not_found', 'another org''s');
select throws_ok($$select tests.from_service('k', 'blank')$$, 'PT400', 'sms_body_invalid', 'a template that leaves no words');
select throws_ok($$select tests.from_service('k', p_client => 'nobody')$$, 'PT404', 'client_not_found', 'no such client');
select throws_ok($$select tests.from_service('k', p_client => 'eve')$$, 'PT404', 'client_not_found', 'another org''s client');
select throws_ok($$select tests.from_service('k', p_related => 'of eve')$$,
  'PT404', 'booking_not_found', 'another org''s booking');
select tests.act_as_admin();
-- As the client's phone: the code, or queued.
create function pg_temp.to_phone(p_phone text) returns text language plpgsql as $$
begin
  update public.clients set phone = p_phone where id = tests.id('client', 'ada');
  perform tests.act_as_role('service_role');
  perform tests.from_service(null);
  perform tests.act_as_admin();
  return 'queued';
exception when others then
  return sqlerrm;
end;
$$;
select is(pg_temp.to_phone(p.phone), p.answer, format('a number like %L: %s', p.phone, p.answer))
  from (values (1, '0491 570 156', 'queued'), (2, '+64 21 123 4567', 'queued'), (3, '+614915701', 'phone_invalid'),
               (4, '+6149157015600000', 'phone_invalid'), (5, '0491570156', 'queued'),
               (6, '+61 491 570 156', 'queued'), (7, '+61491570156x', 'phone_invalid'),
               (8, 'ask at the desk', 'phone_invalid'), (9, null, 'phone_missing'), (10, '', 'phone_missing')
       ) as p (n, phone, answer) order by n;
insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '+61491570156', 'opt_out');
select is(pg_temp.to_phone('+61491570156'), 'number_suppressed', 'a number that said STOP');
delete from public.sms_suppression;
update public.sms_settings set twilio_phone_number = null where org_id = tests.id('org', 'ada');
select is(pg_temp.to_phone('+61491570156'), 'sms_sender_missing', 'no number to text from');
update public.sms_settings set enabled = false where org_id = tests.id('org', 'ada');
select is(pg_temp.to_phone('+61491570156'), 'sms_disabled', 'texting switched off');
delete from public.sms_settings where org_id = tests.id('org', 'ada');
select is(pg_temp.to_phone('+61491570156'), 'sms_disabled', 'or without settings');
select is((select count(*) from public.sms_messages), 5::bigint, 'only what was queued is there');

-- queue_pending_sms().
delete from public.sms_messages;
insert into public.sms_messages (org_id, to_phone, from_phone, body, status, scheduled_for)
select tests.id('org', o), '+61491570156', '+15005550001', b, s, now() + d
  from (values ('ada', 'due', 'pending', interval '0'), ('eve', 'overdue', 'pending', interval '-2 days'),
               ('ada', 'later', 'pending', interval '1 minute'), ('ada', 'cancelled', 'cancelled', interval '-1 day'),
               ('ada', 'sending', 'sending', interval '-1 day')) as v (o, b, s, d);
select tests.act_as_role('service_role');
select is(public.queue_pending_sms(), 2, 'what is pending and due');
select is(public.queue_pending_sms(), 0, 'once');
select tests.act_as_admin();
select results_eq('select body, status from public.sms_messages order by body',
  $$values ('cancelled', 'cancelled'), ('due', 'queued'), ('later', 'pending'), ('overdue', 'queued'), ('sending', 'sending')$$,
  'is queued, of every org, and nothing else is touched');

select * from finish();
rollback;
