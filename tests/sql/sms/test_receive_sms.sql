-- SMS-05: "Y" confirms the booking that was asked about, through one handler; anything else changes no booking.
begin;
select plan(61);

-- Ada and Eve both have the same person as a client, and both another one.
select tests.org('ada', 'Australia/Brisbane');
select tests.org('eve', 'America/New_York');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550002' where org_id = tests.id('org', 'eve');
insert into public.clients (id, org_id, full_name, phone)
values (tests.id('client', 'eve only'), tests.id('org', 'eve'), 'Only Eve', '+61491570999'),
       (tests.id('client', 'no booking'), tests.id('org', 'ada'), 'No Booking', '+61491570888');
-- It is 10:00 in Brisbane on Monday 2 March 2099.
create function pg_temp.booking(p_name text, p_org text, p_start timestamptz, p_asked boolean default true) returns void
language plpgsql as $$
begin
  perform tests.booking(p_name, p_org, p_start);
  update public.bookings set confirmation_sent_at = '2099-03-01 00:00Z'
   where id = tests.id('booking', p_name) and p_asked;
end;
$$;
create function tests.text_in(
  p_sid text, p_body text, p_from text default '+61491570156', p_to text default '+15005550001',
  p_now timestamptz default '2099-03-02 00:00Z'
) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform tests.act_as_role('coach_os_sidecar');
  v_answer := app.receive_sms(p_sid, p_from, p_to, p_body, p_now);
  perform tests.act_as_admin();
  return v_answer;
end;
$$;
create function pg_temp.confirmed() returns text language sql as $$
  select coalesce(string_agg(n, ', ' order by n), 'none')
    from (values ('never asked'), ('tomorrow'), ('next week'), ('too late'), ('in time'), ('cancelled'), ('pending'),
                 ('completed'), ('eve''s'), ('eve''s other')) as x (n)
    join public.bookings as b on b.id = tests.id('booking', n)
   where b.client_confirmed;
$$;

select tests.act_as_role('coach_os_worker');
select throws_ok($$select app.receive_sms('SM0', '+1', '+2', 'Y')$$, '42501', 'permission denied for function receive_sms',
  'the sidecar''s alone');
select tests.act_as('ada');
select throws_ok($$select app.receive_sms('SM0', '+1', '+2', 'Y')$$, '42501', 'permission denied for schema app',
  'not a coach''s');
select tests.act_as_admin();

-- Nobody is waiting for an answer.
select pg_temp.booking('never asked', 'ada', '2099-03-02 05:00Z', false);
select isnt(tests.text_in('SM1', 'Y'), null, 'a Y that nobody asked for gets a polite answer');
select is(pg_temp.confirmed(), 'none', 'and confirms nothing');
select isnt(tests.text_in('SM2', 'Y', '+61491570888'), null, 'so does that of a client without a booking');
select isnt(tests.text_in('SM3', 'Y', '+61491570777'), null, 'and that of an unknown number');
select is(tests.text_in('SM4', 'Y', '+61491570156', '+15005559999'), null, 'a number that is no org''s has no answer');
select is(pg_temp.confirmed(), 'none', 'none of them confirms anything');

-- The one that was asked about.
select pg_temp.booking('too late', 'ada', '2099-03-01 21:59:59Z');
select pg_temp.booking('next week', 'ada', '2099-03-09 23:00Z');
select pg_temp.booking('tomorrow', 'ada', '2099-03-02 23:00Z');
select pg_temp.booking('eve''s', 'eve', '2099-03-02 20:00Z');
select pg_temp.booking('eve''s other', 'eve', '2099-03-02 21:00Z');
update public.bookings set client_id = tests.id('client', 'eve only') where id = tests.id('booking', 'eve''s other');
select is(tests.text_in('SM5', 'yes?'), null, 'a question gets no automatic answer');
select is(tests.text_in('SM6', 'yes but can we move it'), null, 'nor does a condition');
select is(tests.text_in('SM7', 'no'), null, 'nor does a no');
select is(pg_temp.confirmed(), 'none', 'and they confirm nothing');
create temp table answers as select tests.text_in('SM10', 'Y') as text;
select is(pg_temp.confirmed(), 'tomorrow', 'Y confirms the nearest booking that was asked about');
select matches((select text from answers), 'Tue 3 Mar.* 9:00 am', 'the answer names it, in the org''s time');
select matches((select text from answers), 'Y .*Tue 10 Mar.* 9:00 am', 'and the next one, that takes another Y');
select results_eq($$select client_confirmed, status from public.bookings where id = tests.id('booking', 'tomorrow')$$,
  $$values (true, 'confirmed')$$, 'its status stays');
-- The same message again.
select is(tests.text_in('SM10', 'Y'), null, 'the same message again is not answered');
select is(tests.text_in('SM10', 'Y'), null, 'however often');
select is(pg_temp.confirmed(), 'tomorrow', 'and confirms nothing more');
select is((select count(*) from public.sms_events where provider_message_id = 'SM10'), 1::bigint, 'it is kept once');
update answers set text = tests.text_in('SM11', ' Yes! ');
select is(pg_temp.confirmed(), 'next week, tomorrow', 'a second Y confirms the next one');
select matches((select text from answers), 'Tue 10 Mar', 'the answer names that');
select doesnt_match((select text from answers), 'Y again|Tue 3 Mar', 'and no other, as there is none');
select isnt(tests.text_in('SM12', 'Y'), null, 'a third Y is answered');
select is(pg_temp.confirmed(), 'next week, tomorrow', 'and confirms nothing: not what was not asked, not what is over');

-- Two hours of grace.
select pg_temp.booking('in time', 'ada', '2099-03-01 22:00Z');
select isnt(tests.text_in('SM13', 'Y'), null, 'two hours after its start');
select is(pg_temp.confirmed(), 'in time, next week, tomorrow', 'a booking can still be confirmed, a second later not');

-- Bookings that cannot be confirmed.
select pg_temp.booking(n, 'ada', '2099-03-03 05:00Z') from unnest(array['cancelled', 'pending', 'completed']) as n;
update public.bookings set status = x.n from (values ('cancelled'), ('pending'), ('completed')) as x (n)
 where id = tests.id('booking', x.n);
select isnt(tests.text_in('SM14', 'Y'), null, 'a Y after that');
select is(pg_temp.confirmed(), 'in time, next week, tomorrow', 'confirms no cancelled, pending or completed booking');

-- Orgs are apart: the number texted to says whose client is meant.
select is(pg_temp.confirmed() ~ 'eve', false, 'so far nothing of the other org''s, that has the same person as a client');
select isnt(tests.text_in('SM20', 'Y', '+61491570999', '+15005550001'), null, 'a client of hers texts the first org');
select is(pg_temp.confirmed() ~ 'eve', false, 'and confirms nothing');
update answers set text = tests.text_in('SM21', 'Y', '+61491570156', '+15005550002');
select is(pg_temp.confirmed(), 'eve''s, in time, next week, tomorrow', 'the person confirms at the other org');
select matches((select text from answers), 'Mon 2 Mar.* 3:00 pm', 'and is answered in that org''s time');
select doesnt_match((select text from answers), 'Y again', 'without a word about another client''s booking');
-- A number that is a person's only in part, or nobody's.
update public.clients set phone = null where id = tests.id('client', 'eve only');
select isnt(tests.text_in('SM22', 'Y', '', '+15005550002'), null, 'an empty sender');
select isnt(tests.text_in('SM23', 'Y', '%', '+15005550002'), null, 'a pattern for a sender');
select isnt(tests.text_in('SM24', 'Y', '491570156', '+15005550002'), null, 'part of a number');
select is(pg_temp.confirmed(), 'eve''s, in time, next week, tomorrow', 'confirm nothing');
-- A parent's number: the nearest booking of the clients who share it.
insert into public.clients (id, org_id, full_name, phone)
values (tests.id('client', 'kid'), tests.id('org', 'eve'), 'Kid', '+61491570156');
update public.bookings set client_id = tests.id('client', 'kid') where id = tests.id('booking', 'eve''s other');
update public.bookings set confirmation_sent_at = now() where id = tests.id('booking', 'eve''s other');
select matches(tests.text_in('SM25', 'Y', '+61491570156', '+15005550002'), 'Mon 2 Mar.* 4:00 pm',
  'a parent confirms the child''s booking');
select is(pg_temp.confirmed(), 'eve''s, eve''s other, in time, next week, tomorrow', 'that one');

-- STOP and START.
create temp view stopped as
select x.phone, x.reason, x.client_id from public.sms_suppression as x where x.org_id = tests.id('org', 'ada');
select pg_temp.booking('asked again', 'ada', '2099-03-04 05:00Z');
select is(tests.text_in('SM30', 'STOP'), null, 'STOP: Twilio answers');
select is(tests.text_in('SM31', 'stop all'), null, 'and again');
select is(tests.text_in('SM30', 'STOP'), null, 'and the first one again');
select results_eq('select phone, reason from stopped', $$values ('+61491570156', 'opt_out')$$, 'the number is stopped once');
select is((select client_confirmed from public.bookings where id = tests.id('booking', 'asked again')), false,
  'and no booking is changed');
select is((select status from public.bookings where id = tests.id('booking', 'asked again')), 'confirmed',
  'nor cancelled, though the word may have been CANCEL');
select is((select count(*) from public.sms_suppression where org_id = tests.id('org', 'eve')), 0::bigint,
  'the other org may still text');
select is(tests.text_in('SM32', 'START', '+61491570156', '+15005550002'), null, 'START at the other org');
select isnt_empty('select 1 from stopped', 'lifts nothing here');
select is(tests.text_in('SM33', 'START'), null, 'START here: Twilio answers');
select is_empty('select 1 from stopped', 'lifts it');
select is(tests.text_in('SM34', 'START'), null, 'again: nothing to lift');
select is(tests.text_in('SM30', 'STOP'), null, 'the old STOP, repeated late');
select is_empty('select 1 from stopped', 'stops nothing anew');
select is(tests.text_in('SM35', 'STOP', '+61491570777'), null, 'an unknown number');
select isnt_empty($$select 1 from stopped where phone = '+61491570777'$$, 'may stop, too');
insert into public.sms_suppression (org_id, phone, reason)
values (tests.id('org', 'ada'), '+61491570156', 'invalid_number');
select is(tests.text_in('SM36', 'START'), null, 'START of a number that does not work');
select isnt_empty($$select 1 from stopped where reason = 'invalid_number'$$, 'mends no other reason');
select is(tests.text_in('SM37', 'HELP'), null, 'HELP: Twilio answers');

select is_empty($$select 1 from public.sms_events where event_payload::text ~ '\+?61491|stop|yes' or error_message is not null$$,
  'what is kept of a message holds neither number nor words');

select * from finish();
rollback;
