-- SMS-05 beyond the "Y": opting out and in, what Twilio reads itself, and words that are for the coach.
begin;
select plan(75);

select tests.org('ada');
select tests.org('eve');
update public.branding set display_name = 'Ada''s Gym' where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.sms_settings set twilio_phone_number = '+15005550002' where org_id = tests.id('org', 'eve');
-- Typed as it was before numbers were read.
update public.clients set phone = '0491 570 156' where id = tests.id('client', 'ada');
select tests.booking('next', 'ada', '2099-03-02 23:00Z'), tests.booking('later', 'ada', '2099-03-03 23:00Z');
select tests.booking('at eve', 'eve', '2099-03-02 23:00Z');
update public.bookings set confirmation_sent_at = '2099-03-01 00:00Z';

create function tests.text_in(
  p_sid text, p_body text, p_opt_out_type text default null, p_from text default '+61491570156',
  p_to text default '+15005550001', p_media integer default 0, p_account text default null
) returns text language plpgsql as $$
declare
  v_answer text;
begin
  perform tests.act_as_role('coach_os_sidecar');
  v_answer := app.receive_sms(p_sid, p_from, p_to, p_body, '2099-03-02 00:00Z', p_opt_out_type, p_media, p_account);
  perform tests.act_as_admin();
  return v_answer;
end;
$$;
create function pg_temp.stopped(p_org text default 'ada') returns text language sql as $$
  select coalesce(string_agg(x.phone || ' ' || x.reason, ', ' order by x.phone), 'none')
    from public.sms_suppression as x where x.org_id = tests.id('org', p_org);
$$;
create function pg_temp.confirmed() returns text language sql as $$
  select coalesce(string_agg(n, ', '), 'none')
    from unnest(array['next', 'later', 'at eve']) as n
    join public.bookings as b on b.id = tests.id('booking', n) and b.client_confirmed;
$$;
create function pg_temp.read_by_coach(p_org text default 'ada') returns text language plpgsql as $$
declare
  v_words text;
begin
  perform tests.act_as(p_org);
  select string_agg(m.body, ' | ' order by m.body collate "C") into v_words
    from public.messages as m
    join public.message_threads as t on t.id = m.thread_id and t.trainer_last_read_at is null
   where m.sender_type = 'client' and m.sender_user_id is null;
  perform tests.act_as_admin();
  return coalesce(v_words, 'nothing');
end;
$$;

-- Words for the coach.
select is(tests.text_in('SM1', 'yes if we can make it 10?'), null, 'a condition has no automatic answer');
select is(tests.text_in('SM2', ' No, thank you '), null, 'nor has a no');
select is(tests.text_in('SM1', 'yes if we can make it 10?'), null, 'the same again');
select is(pg_temp.read_by_coach(), ' No, thank you  | yes if we can make it 10?', 'both are unread messages of the coach''s, once');
select results_eq(
  $$select content, type, direction, client_id, user_id from public.client_communications order by content collate "C"$$,
  $$values (' No, thank you ', 'sms', 'inbound', tests.id('client', 'ada'), null::uuid),
           ('yes if we can make it 10?', 'sms', 'inbound', tests.id('client', 'ada'), null)$$, 'and on the client''s page');
select is(tests.text_in('SM3', '', p_media => 1), null, 'a picture');
select is(tests.text_in('SM4', 'my knee', p_media => 2), null, 'with words');
select is(tests.text_in('SM5', E' \n'), null, 'nothing at all');
select is(tests.text_in('SM6', null), null, 'not even words');
select is(pg_temp.read_by_coach(),
  ' No, thank you  | [a picture or file, which is not kept] | [an empty text] | [an empty text] | '
  'my knee [a picture or file, which is not kept] | yes if we can make it 10?', 'the coach sees that there was something');
select is(pg_temp.confirmed(), 'none', 'none of it confirms a booking');
select is(pg_temp.read_by_coach('eve'), 'nothing', 'another org''s coach reads none of it');
select is((select count(*) from public.message_threads), 1::bigint, 'one conversation');
do $$ begin perform tests.text_in('SM7', repeat('a', 20000)); end; $$;
select is((select max(length(body)) from public.messages), 10000, 'a very long one is cut');
delete from public.messages;

-- A number that nobody has.
create temp table before as
select (select count(*) from public.messages) as messages, (select count(*) from public.client_communications) as logged,
       (select count(*) from public.message_threads) as threads;
select is(tests.text_in('SM8', 'Hi, are you taking new clients?', p_from => '+61491570199'),
  'Thanks for your message. Ada''s Gym does not know this number: please get in touch another way.', 'has a polite answer');
select is(tests.text_in('SM8', 'Hi, are you taking new clients?', p_from => '+61491570199'), null, 'once');
select isnt(tests.text_in('SM9', 'Y', p_from => '+61491570199'), null, 'so has a Y');
select results_eq('select * from before', $$select (select count(*) from public.messages),
    (select count(*) from public.client_communications), (select count(*) from public.message_threads)$$, 'and nothing is kept');
select is(pg_temp.confirmed(), 'none', 'or confirmed');

-- "Y" from a number that stands in another form with its client.
select matches(tests.text_in('SM10', 'Y'), 'Tue 3 Mar.* 9:00 am', 'a Y confirms, however the number was typed');
select is(pg_temp.confirmed(), 'next', 'the nearest');

-- Opting out and in. Twilio answers its own keywords, nobody else the others.
select is(tests.text_in('SM20', 'Opt-out'), 'You will get no more texts from Ada''s Gym. Reply START to get them again.',
  'opting out in words that Twilio does not know is answered');
select is(pg_temp.stopped(), '+61491570156 opt_out', 'and kept');
select is(tests.text_in('SM21', 'opt out'), null, 'once');
select is(tests.text_in('SM20', 'Opt-out'), null, 'also when it comes again');
select is(tests.text_in('SM22', 'Help me'), null, 'words to the coach');
select is(pg_temp.read_by_coach(), 'Help me', 'reach the coach');
select is(tests.text_in('SM23', 'Info!'), null, 'a question for help is not answered to who wants no texts');
select is(tests.text_in('SM24', 'Y'), null, 'nor is a Y');
select is(pg_temp.confirmed(), 'next, later', 'which confirms all the same');
select is(pg_temp.stopped(), '+61491570156 opt_out', 'and opts in to nothing');
select is(tests.text_in('SM25', '"Start".'), 'You will get texts from Ada''s Gym again. Reply STOP to end them.', 'opting in again');
select is(pg_temp.stopped(), 'none', 'is kept');
select is(tests.text_in('SM26', 'start...'), null, 'and answered once');
select is(tests.text_in('SM27', 'Info!'), 'This is Ada''s Gym. We text about your sessions. Reply STOP to get no more texts.',
  'who asks for help is told who we are');
select is(tests.text_in('SM28', 'info'), null, 'by Twilio, in its own word');
select is(tests.text_in('SM29', 'STOP'), null, 'Twilio answers STOP');
select is(pg_temp.stopped(), '+61491570156 opt_out', 'and we keep it');
select is(pg_temp.stopped('eve'), 'none', 'for this org');

-- YES is an opt-in for Twilio, when there is something to opt in to.
update public.bookings set client_confirmed = false where id = tests.id('booking', 'later');
select is(tests.text_in('SM30', ' YES '), null, 'YES of one who has opted out');
select is(pg_temp.stopped(), 'none', 'opts in');
select is(pg_temp.confirmed(), 'next', 'and confirms nothing');
select matches(tests.text_in('SM31', 'YES'), 'is confirmed', 'the next YES');
select is(pg_temp.confirmed(), 'next, later', 'confirms');
insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '+61491570156', 'invalid_number');
update public.bookings set client_confirmed = false where id = tests.id('booking', 'later');
select matches(tests.text_in('SM32', 'yes'), 'is confirmed', 'nor is it an opt-in when the number just did not work');
select is(tests.text_in('SM33', 'STOP'), null, 'STOP from such a number');
select is(pg_temp.stopped(), '+61491570156 opt_out', 'is an opt-out');
delete from public.sms_suppression;

-- What Twilio read outweighs what we read.
update public.bookings set client_confirmed = false;
select is(tests.text_in('SM40', 'Y', 'STOP'), null, 'a word that stops, by the number''s own settings');
select is(pg_temp.stopped(), '+61491570156 opt_out', 'stops');
select is(tests.text_in('SM41', 'JOIN', 'START'), null, 'one that starts');
select is(pg_temp.stopped(), 'none', 'starts');
select is(tests.text_in('SM42', 'STOP', 'HELP'), null, 'one that asks for help');
select is(pg_temp.stopped(), 'none', 'does not stop');
select matches(tests.text_in('SM43', 'Y', 'SOMETHING NEW'), 'is confirmed', 'a type nobody knows is none');
select matches(tests.text_in('SM44', 'Y', ''), 'is confirmed', 'nor is an empty one');
select is(pg_temp.confirmed(), 'next, later', 'both are confirmed');

-- A parent's number: what is said and what is asked are of one client each.
insert into public.clients (id, org_id, full_name, phone)
values (tests.id('client', 'kid'), tests.id('org', 'ada'), 'Kid', '+61 491 570 156');
insert into public.bookings (id, org_id, client_id, start_time, end_time, confirmation_sent_at)
select tests.id('booking', 'kid ' || n), tests.id('org', 'ada'), tests.id('client', 'kid'), '2099-03-05 00:00Z'::timestamptz + n * interval '1 day',
       '2099-03-05 01:00Z'::timestamptz + n * interval '1 day', '2099-03-01' from generate_series(1, 2) as n;
update public.bookings set client_confirmed = false where id = tests.id('booking', 'later');
select matches(tests.text_in('SM50', 'Y'), 'Wed 4 Mar.*Reply Y again to confirm Fri 6 Mar', 'the nearest of all, then the child''s');
select matches(tests.text_in('SM51', 'Y'), 'Fri 6 Mar.*Reply Y again to confirm Sat 7 Mar', 'which another Y confirms');
delete from public.sms_messages;
insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body, created_at)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), '+61491570156', '+15005550001', 'x', '2099-03-01'),
       (tests.id('org', 'ada'), tests.id('client', 'kid'), '+61491570156', '+15005550001', 'x', '2099-03-02');
select is(tests.text_in('SM52', 'Running late'), null, 'words go to the conversation');
select is((select t.client_id from public.messages as m join public.message_threads as t on t.id = m.thread_id
            where m.body = 'Running late'), tests.id('client', 'kid'), 'with the one who was texted last');

-- An org with an account of its own: only that account speaks for its number, and for no other.
select is(app.store_twilio_account(tests.person('eve'), tests.id('org', 'eve'), 'AC' || repeat('e', 32), 'sealed', '+15005550002'),
  true, 'eve brings her account');
select is(tests.text_in('SM60', 'Y', p_to => '+15005550002'), null, 'the platform''s account does not speak for her number');
select is(tests.text_in('SM61', 'Y', p_to => '+15005550002', p_account => 'AC' || repeat('f', 32)), null, 'nor does another');
select is(tests.text_in('SM62', 'STOP', p_to => '+15005550001', p_account => 'AC' || repeat('e', 32)), null,
  'nor hers for somebody else''s');
select is(pg_temp.stopped(), 'none', 'which stops nothing');
select is(pg_temp.confirmed(), 'next, later', 'and none confirms anything');
select matches(tests.text_in('SM62', 'Y', p_to => '+15005550002', p_account => 'AC' || repeat('e', 32)), 'is confirmed',
  'her own does');
select is(pg_temp.confirmed(), 'next, later, at eve', 'for her booking');

-- So it is with what becomes of texts.
insert into public.sms_messages (id, org_id, to_phone, from_phone, body, status, provider_message_id, account_sid)
values (tests.id('text', 'ours'), tests.id('org', 'ada'), '+61491570156', '+15005550001', 'a', 'sent', 'SMa', null),
       (tests.id('text', 'hers'), tests.id('org', 'eve'), '+61491570156', '+15005550002', 'b', 'sent', 'SMb', 'AC' || repeat('e', 32));
select results_eq(
  $$select app.record_sms_status('SMa', 'delivered', null, null, now(), 'AC' || repeat('e', 32)),
           app.record_sms_status('SMb', 'delivered', null, null, now(), null),
           app.record_sms_status('SMx', 'delivered', null, tests.id('text', 'ours'), now(), 'AC' || repeat('e', 32)),
           app.record_sms_status('SMb', 'delivered', null, null, now(), 'AC' || repeat('e', 32))$$,
  $$values (false, false, false, true)$$, 'an account tells of its own texts only');
select results_eq($$select body, status from public.sms_messages where body in ('a', 'b') order by 1$$,
  $$values ('a', 'sent'), ('b', 'delivered')$$, 'so it is recorded');

-- Every order of the callbacks ends the same.
create function tests.after(p_statuses text[]) returns text language plpgsql as $$
declare
  v_id uuid := gen_random_uuid();
  v_status text;
begin
  insert into public.sms_messages (id, org_id, to_phone, from_phone, body, status, provider_message_id)
  values (v_id, tests.id('org', 'ada'), '+61491570156', '+15005550001', 'x', 'sent', 'SM' || v_id);
  foreach v_status in array p_statuses loop
    perform app.record_sms_status('SM' || v_id, v_status, case when v_status in ('failed', 'undelivered') then '30006' end);
  end loop;
  return (select concat_ws(' ', m.status, m.error_code) from public.sms_messages as m where m.id = v_id);
end;
$$;
create function pg_temp.orders(p_of text[]) returns setof text[] language sql as $$
  with recursive o (done, left_over) as (
    select '{}'::text[], p_of
    union all
    select o.done || o.left_over[n], o.left_over[:n - 1] || o.left_over[n + 1:]
      from o cross join generate_subscripts(o.left_over, 1) as n
  )
  select o.done from o where cardinality(o.left_over) = 0;
$$;
select results_eq($$select distinct tests.after(o) from pg_temp.orders('{queued,sending,sent,delivered,delivered}') as o$$,
  $$values ('delivered')$$, 'a text that was delivered');
select results_eq($$select distinct tests.after(o) from pg_temp.orders('{queued,sent,undelivered,undelivered}') as o$$,
  $$values ('failed 30006')$$, 'one that was not');
select results_eq($$select distinct tests.after(o) from pg_temp.orders('{sent,failed,delivered,read}') as o$$,
  $$values ('delivered')$$, 'one that a phone has though a carrier said it had not');
select is_empty($$select 1 from public.sms_suppression where reason = 'invalid_number'$$, '30006 stops no number');
select is(tests.after('{failed}'), 'failed 30006', 'a landline: final');

select * from finish();
rollback;
