-- What the outbox holds after everything that can happen to a booking: one text for each thing that now holds, in the
-- transaction that caused it, and none that waits for what holds no more.
begin;
select plan(80);

select tests.org('ada', 'Australia/Brisbane');
-- No quiet hours: this is not about the time of the day at which it runs.
update public.sms_settings
   set twilio_phone_number = '+15005550001', quiet_hours_start = 0, quiet_hours_end = 0
 where org_id = tests.id('org', 'ada');
update public.booking_settings set notify_phone = '0491 570 110' where org_id = tests.id('org', 'ada');
insert into public.clients (id, org_id, full_name, phone)
values (tests.id('client', 'bob'), tests.id('org', 'ada'), 'Bob Roe', '+61491570158');
update public.client_purchases set sessions_total = 100 where id = tests.id('pack', 'ada');
delete from public.sms_schedules;
set local timezone = 'Pacific/Honolulu';

-- The texts about a booking, in the order they were written: kind, to whom, what became of it.
create temp sequence written;
grant usage on written to public;
alter table public.sms_messages add column n integer default nextval('written');
create function pg_temp.texts(p_booking text) returns text language sql as $$
  select string_agg(concat_ws(' ', m.template_key, case m.client_id when tests.id('client', 'bob') then 'bob' end,
                              case when m.client_id is null then 'coach' end, m.status, m.error_code), ', ' order by m.n)
    from public.sms_messages as m where m.related_entity_id = tests.id('booking', p_booking);
$$;
create function pg_temp.bodies(p_booking text) returns text language sql as $$
  select string_agg(m.body, ' | ' order by m.n)
    from public.sms_messages as m
   where m.related_entity_id = tests.id('booking', p_booking) and m.status in ('pending', 'queued');
$$;
create function pg_temp.change(p_booking text, p_set text) returns void language plpgsql as $$
begin
  execute format('update public.bookings set %s where id = %L', p_set, tests.id('booking', p_booking));
end;
$$;
create function pg_temp.move(p_booking text, p_start timestamptz) returns void language sql as $$
  select pg_temp.change(p_booking, format('start_time = %L, end_time = %L', p_start, p_start + interval '1 hour'));
$$;
-- As if a sender had come by.
create function pg_temp.sent() returns void language sql as $$
  update public.sms_messages set status = 'sent', provider_message_id = id where status in ('pending', 'queued');
$$;

-- Booked, moved, and moved back.
select tests.booking('a', 'ada', '2099-03-02 23:00Z');
select is(pg_temp.texts('a'), 'booking_confirmation pending', 'booked: one confirmation');
do $$begin perform pg_temp.sent(); end$$;
do $$begin perform pg_temp.move('a', '2099-03-03 23:00Z'); end$$;
select is(pg_temp.texts('a'), 'booking_confirmation sent, booking_moved pending', 'moved: told of the new time');
select is(pg_temp.bodies('a'), 'Hi Client, your session has moved to Wed 4 Mar at 9:00 am. Reply Y to confirm. ada', 'in the org''s zone');
do $$begin perform pg_temp.move('a', '2099-03-02 23:00Z'); end$$;
select is(pg_temp.texts('a'),
  'booking_confirmation sent, booking_moved cancelled booking_moved, booking_moved pending',
  'and moved back: the time between is never told, the one that holds is told again');
select is(pg_temp.bodies('a'), 'Hi Client, your session has moved to Tue 3 Mar at 9:00 am. Reply Y to confirm. ada', 'with its time');
do $$begin perform pg_temp.change('a', 'end_time = end_time + interval ''30 minutes'', duration_mins = 90, notes = ''knee'''); end$$;
do $$begin perform pg_temp.change('a', 'start_time = start_time, status = status'); end$$;
select is((select count(*) from public.sms_messages), 3::bigint, 'a longer session, notes, or the same again: nothing to tell');
select tests.booking('b', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.move('b', '2099-03-04 23:00Z'), pg_temp.move('b', '2099-03-02 23:00Z'); end$$;
select is(pg_temp.texts('b'),
  'booking_confirmation cancelled booking_moved, booking_moved cancelled booking_moved, booking_moved pending',
  'moved away and back before anything was sent: one text');
do $$begin perform pg_temp.move('b', now() - interval '2 hours'); end$$;
select is(pg_temp.bodies('b'), null, 'moved into the past: none');

-- Cancelled, and put back.
select tests.booking('c', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.sent(); end$$;
do $$begin perform pg_temp.change('c', 'status = ''cancelled'''); end$$;
select is(pg_temp.texts('c'), 'booking_confirmation sent, booking_cancelled pending', 'cancelled: the client is told');
select is(pg_temp.bodies('c'), 'Hi Client, your session on Tue 3 Mar at 9:00 am is cancelled. ada', 'of what');
do $$begin perform pg_temp.change('c', 'status = ''cancelled'', cancelled_at = now()'); end$$;
select is(pg_temp.texts('c'), 'booking_confirmation sent, booking_cancelled pending', 'cancelled again: nothing');
do $$begin perform pg_temp.change('c', 'status = ''confirmed'''); end$$;
select is(pg_temp.texts('c'),
  'booking_confirmation sent, booking_cancelled cancelled booking_reinstated, booking_confirmation pending',
  'put back: the cancellation is not told any more, the booking is');
do $$begin perform pg_temp.sent(), pg_temp.change('c', 'status = ''cancelled'''); end$$;
select is(pg_temp.texts('c'), 'booking_confirmation sent, booking_cancelled cancelled booking_reinstated, booking_confirmation sent,'
  || ' booking_cancelled pending', 'cancelled once more: told once more');
do $$begin perform pg_temp.sent(), pg_temp.change('c', 'start_time = ''2099-03-05 00:00Z'', end_time = ''2099-03-05 01:00Z'''); end$$;
select is(pg_temp.bodies('c'), null, 'a cancelled one that is moved concerns nobody');
select tests.booking('d', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.change('d', 'status = ''cancelled'', start_time = ''2099-03-04 23:00Z'', end_time = ''2099-03-05 00:00Z'''); end$$;
select is(pg_temp.bodies('d'), 'Hi Client, your session on Tue 3 Mar at 9:00 am is cancelled. ada',
  'cancelled and moved in one: what they had is cancelled');
select tests.booking('e', 'ada', now() + interval '1 minute');
do $$begin perform pg_temp.sent(); end$$;
update public.bookings set start_time = now() - interval '1 minute' where id = tests.id('booking', 'e');
do $$begin perform pg_temp.change('e', 'status = ''cancelled'''); end$$;
select is(pg_temp.bodies('e'), null, 'one that has begun is cancelled without a word');

-- Asked for, accepted, set back.
insert into public.bookings (id, org_id, client_id, start_time, end_time, status)
values (tests.id('booking', 'f'), tests.id('org', 'ada'), tests.id('client', 'ada'), '2099-04-02 00:00Z', '2099-04-02 01:00Z', 'pending');
do $$begin perform pg_temp.move('f', '2099-04-03 00:00Z'); end$$;
select is(pg_temp.texts('f'), null, 'one that is asked for is not confirmed, moved or not');
do $$begin perform pg_temp.change('f', 'status = ''confirmed'''); end$$;
select is(pg_temp.texts('f'), 'booking_confirmation pending', 'accepted: it is');
do $$begin perform pg_temp.change('f', 'status = ''pending'''); end$$;
do $$begin perform pg_temp.change('f', 'status = ''confirmed'''); end$$;
select is(pg_temp.texts('f'), 'booking_confirmation pending', 'set back and accepted again: the same text');
do $$begin perform pg_temp.sent(), pg_temp.change('f', 'status = ''pending'''); end$$;
do $$begin perform pg_temp.change('f', 'status = ''confirmed'''); end$$;
select is(pg_temp.texts('f'), 'booking_confirmation sent', 'once it is sent, none more');
do $$begin perform pg_temp.change('f', 'status = ''no_show'''), pg_temp.change('f', 'status = ''confirmed'''); end$$;
select is(pg_temp.texts('f'), 'booking_confirmation sent', 'nor after a slip of the hand');
do $$begin perform pg_temp.change('f', 'status = ''pending'''), pg_temp.change('f', 'status = ''cancelled'''); end$$;
select is(pg_temp.texts('f'), 'booking_confirmation sent', 'what was only asked for is declined without a text');
select tests.booking('g', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.change('g', 'status = ''pending'''); end$$;
select is_empty($$select 1 from app.claim_sms('2099-02-02 02:00Z')$$, 'a text that does not hold when its turn comes');
select is(pg_temp.texts('g'), 'booking_confirmation cancelled booking_no_longer_stands', 'is given up');
do $$begin perform pg_temp.change('g', 'status = ''confirmed'''); end$$;
select is(pg_temp.texts('g'), 'booking_confirmation cancelled booking_no_longer_stands, booking_confirmation pending',
  'and decided on anew when it comes to hold again');

-- Given to another client.
select tests.booking('h', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.sent(), pg_temp.change('h', format('client_id = %L', tests.id('client', 'bob'))); end$$;
select is(pg_temp.texts('h'), 'booking_confirmation sent, booking_confirmation bob pending, booking_cancelled pending',
  'given to another client: both are told what concerns them');
select is(pg_temp.bodies('h'), 'Hi Bob, you are booked for Tue 3 Mar at 9:00 am. Reply Y to confirm. ada'
  || ' | Hi Client, your session on Tue 3 Mar at 9:00 am is cancelled. ada', 'by their names');
do $$begin perform pg_temp.move('h', '2099-03-04 23:00Z'); end$$;
select is(pg_temp.texts('h'), 'booking_confirmation sent, booking_confirmation bob cancelled booking_moved,'
  || ' booking_cancelled pending, booking_moved bob pending', 'moved then: the first client is still told that it is off');
select is((select string_agg(c.body, ' | ' order by c.body) from app.claim_sms('2099-02-02 02:00Z') as c),
  'Hi Bob, your session has moved to Thu 5 Mar at 9:00 am. Reply Y to confirm. ada'
  || ' | Hi Client, your session on Tue 3 Mar at 9:00 am is cancelled. ada', 'so it is sent');
select tests.booking('i', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.change('i', format('client_id = %L', tests.id('client', 'bob'))); end$$;
do $$begin perform pg_temp.change('i', format('client_id = %L', tests.id('client', 'ada'))); end$$;
select is(pg_temp.texts('i'), 'booking_confirmation cancelled booking_reassigned, booking_confirmation bob cancelled booking_reassigned,'
  || ' booking_cancelled cancelled booking_reinstated, booking_confirmation pending, booking_cancelled bob pending',
  'there and back: each is told what holds, once');

-- What was confirmed with a Y was the old time.
select tests.booking('j', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.change('j', 'client_confirmed = true, confirmation_sent_at = now()'); end$$;
do $$begin perform pg_temp.change('j', 'notes = ''x'', end_time = end_time + interval ''5 minutes'''); end$$;
create function pg_temp.asked(p_booking text) returns text language sql as $$
  select format('%s %s', client_confirmed, confirmation_sent_at is not null) from public.bookings where id = tests.id('booking', p_booking);
$$;
select is(pg_temp.asked('j'), 't t', 'a Y holds while the time does');
do $$begin perform pg_temp.move('j', '2099-03-03 23:00Z'); end$$;
select is(pg_temp.asked('j'), 'f f', 'not for another time, which nobody has been asked about yet');
do $$begin perform pg_temp.change('j', 'client_confirmed = true'); end$$;
do $$begin perform pg_temp.change('j', 'start_time = ''2099-03-03 22:00Z'', client_confirmed = false, confirmation_sent_at = now() - interval ''1 minute'''); end$$;
select is(pg_temp.asked('j'), 'f t', 'the existing calendar says itself when it asked');
do $$begin perform pg_temp.change('j', 'text_version = 1, text_version_at = ''2000-01-01'''); end$$;
select is((select text_version || ' ' || (text_version_at = now()) from public.bookings where id = tests.id('booking', 'j')),
  '3 true', 'whatever a page writes back, the count stays');
-- The text about the old time is on its way when the booking moves.
select tests.booking('k', 'ada', '2099-03-02 23:00Z');
do 'begin perform * from app.claim_sms(''2099-02-02 02:00Z''); end';
do $$begin perform pg_temp.move('k', '2099-03-03 23:00Z'); end$$;
select is(pg_temp.texts('k'), 'booking_confirmation sending, booking_moved pending', 'what is being sent is not touched');
select is(app.settle_sms(m.id, 'sent', 'SMk'), true, 'it is sent')
  from public.sms_messages as m where m.related_entity_id = tests.id('booking', 'k') and m.status = 'sending';
select is(pg_temp.asked('k'), 'f f', 'a Y to it is no answer to the new time');
do 'begin perform * from app.claim_sms(''2099-02-02 02:00Z''); end';
select is(app.settle_sms(m.id, 'sent', 'SMk2'), true, 'the next one is sent too')
  from public.sms_messages as m where m.related_entity_id = tests.id('booking', 'k') and m.status = 'sending';
select is(pg_temp.asked('k'), 'f t', 'which asks');

-- Completed: the follow-ups.
delete from public.sms_messages;
insert into public.sms_schedules (id, org_id, type, label, mins_offset, body)
values (tests.id('schedule', 'thanks'), tests.id('org', 'ada'), 'post_session', 'Thanks', 60, 'Thanks for {{session_datetime}}');
select tests.booking('l', 'ada', now() - interval '90 minutes');
do $$begin perform pg_temp.change('l', 'status = ''completed'''); end$$;
create function pg_temp.thanks(p_booking text) returns text language sql as $$
  select string_agg(concat_ws(' ', m.status, m.error_code, 'after', m.scheduled_for - b.end_time), ', ' order by m.n)
    from public.sms_messages as m join public.bookings as b on b.id = m.related_entity_id
   where b.id = tests.id('booking', p_booking) and m.template_key = 'follow_up';
$$;
select is(pg_temp.thanks('l'), 'pending after 01:00:00', 'an hour after the end');
do $$begin perform pg_temp.change('l', 'end_time = end_time + interval ''20 minutes'''); end$$;
select is(pg_temp.thanks('l'), 'cancelled booking_moved after 00:40:00, pending after 01:00:00', 'it took longer: an hour after that');
do $$begin perform pg_temp.move('l', now() - interval '2 hours'); end$$;
select matches(pg_temp.thanks('l'), '^cancelled [^,]*, cancelled [^,]*, pending after 01:00:00$', 'it was another hour: by that one');
do $$begin perform pg_temp.sent(), pg_temp.move('l', now() - interval '3 hours'); end$$;
select is((select count(*) from public.sms_messages where template_key = 'follow_up' and status <> 'cancelled'), 1::bigint,
  'once thanked, a correction of the time thanks nobody again');
do $$begin perform pg_temp.change('l', 'status = ''confirmed'''); end$$;
do $$begin perform pg_temp.move('l', now() - interval '70 minutes'); end$$;
do $$begin perform pg_temp.change('l', 'status = ''completed'''); end$$;
select is((select count(*) from public.sms_messages where template_key = 'follow_up' and status <> 'cancelled'), 2::bigint,
  'another session on the same booking does');
do $$begin perform pg_temp.change('l', format('client_id = %L', tests.id('client', 'bob'))); end$$;
select matches(pg_temp.texts('l'), 'follow_up cancelled booking_reassigned, follow_up bob pending$',
  'it was somebody else''s session: they are thanked');
do $$begin perform pg_temp.change('l', 'status = ''no_show'''); end$$;
select is_empty($$select 1 from app.claim_sms(now() + interval '4 hours') where body ~ 'Thanks'$$, 'they did not come: not thanked');
insert into public.bookings (id, org_id, client_id, start_time, end_time, status)
values (tests.id('booking', 'm'), tests.id('org', 'ada'), tests.id('client', 'ada'), now() - interval '2 hours', now() - interval '1 hour', 'completed');
select is(pg_temp.texts('m'), null, 'a session that is entered as completed is a record of the past');

delete from public.sms_schedules;
insert into public.sms_schedules (org_id, type, label, mins_offset, body)
values (tests.id('org', 'ada'), 'post_session', 'Days later', 4 * 1440, 'How do you feel?');
select tests.booking('days later', 'ada', now() - interval '2 hours');
do $$begin perform pg_temp.change('days later', 'status = ''completed'''); end$$;
do $$begin perform app.claim_sms(now() + interval '4 days' - interval '1 hour 1 second'); end$$;
select is(pg_temp.texts('days later'), 'follow_up pending', 'days later: not before');
do $$begin perform app.claim_sms(now() + interval '4 days 10 hours'); end$$;
select is(pg_temp.texts('days later'), 'follow_up sending', 'then, and in time');

delete from public.sms_schedules;
-- Texts that somebody else queues about a booking.
delete from public.sms_messages;
select tests.booking('theirs', 'ada', '2099-03-02 23:00Z');
create function pg_temp.direct() returns text language sql as $$
  select case when public.insert_sms_direct(tests.id('org', 'ada'), tests.id('client', 'ada'), 'See you Tuesday', '2099-03-01 23:00Z', 'booking',
                                            tests.id('booking', 'theirs'), 'sched-1') is null then 'refused' else 'queued' end;
$$;
select is(pg_temp.direct(), 'queued', 'a route queues a text about it');
select is(pg_temp.direct(), 'refused', 'once');
do $$begin perform pg_temp.move('theirs', '2099-03-03 23:00Z'); end$$;
select is((select string_agg(error_code, ', ') from public.sms_messages where body = 'See you Tuesday'), 'booking_moved', 'the booking moves: it is not sent');
select is(pg_temp.direct(), 'queued', 'and may be queued for the new time, under the same key');

-- The coach is told what the client does.
delete from public.sms_messages;
select tests.open_org('eve');
update public.sms_settings set twilio_phone_number = '+15005550002' where org_id = tests.id('org', 'eve');
update public.booking_settings set notify_phone = '0491 570 110' where org_id = tests.id('org', 'eve');
create function pg_temp.of_eve() returns text language sql as $$
  select string_agg(concat_ws(' ', m.template_key, m.to_phone, m.status), ', ' order by m.n)
    from public.sms_messages as m where m.org_id = tests.id('org', 'eve');
$$;
select tests.act_as_anon();
create temp table booked as select public.portal_book(tests.id('portal', 'eve'), tests.soon(3)) as b;
select tests.act_as_admin();
grant select on booked to public;
select is(pg_temp.of_eve(), 'booking_confirmation +61491570156 pending, client_booked +61491570110 pending',
  'booked through the portal: the client and the coach are told');
select is((select body from public.sms_messages where template_key = 'client_booked'),
  format('Client Of eve has booked %s.', app.session_time(tests.soon(3), 'Australia/Brisbane')), 'the coach, who and when');
select tests.act_as_anon();
select isnt(public.portal_book(tests.id('portal', 'eve'), tests.soon(3)), null, 'asked for again');
select isnt(public.portal_cancel(tests.id('portal', 'eve'), (b ->> 'id')::uuid), null, 'and cancelled') from booked;
select tests.act_as_admin();
select is(pg_temp.of_eve(), 'booking_confirmation +61491570156 cancelled, client_booked +61491570110 cancelled,'
  || ' booking_cancelled +61491570156 pending, client_cancelled +61491570110 pending', 'both are told what holds now');
select is((select body from public.sms_messages where template_key = 'client_cancelled'),
  format('Client Of eve has cancelled %s.', app.session_time(tests.soon(3), 'Australia/Brisbane')), 'who and when');
delete from public.sms_messages where org_id = tests.id('org', 'eve');
select tests.act_as_role('service_role');
insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, booking_source)
values (tests.id('booking', 'route'), tests.id('org', 'eve'), tests.id('client', 'eve'), tests.id('pack', 'eve'), tests.soon(4),
        tests.soon(4, 11), 'client');
update public.bookings set status = 'cancelled', cancelled_at = now() where id = tests.id('booking', 'route');
select tests.act_as_admin();
select matches(pg_temp.of_eve(), '^booking_confirmation .* client_booked .* booking_cancelled .*pending, client_cancelled .* pending$',
  'the existing portal''s routes, too');
delete from public.sms_messages where org_id = tests.id('org', 'eve');
select tests.act_as('eve');
insert into public.bookings (id, org_id, client_id, start_time, end_time)
values (tests.id('booking', 'coach'), tests.id('org', 'eve'), tests.id('client', 'eve'), tests.soon(5), tests.soon(5, 11));
update public.bookings set status = 'cancelled' where id = tests.id('booking', 'coach');
select tests.act_as_admin();
select is(pg_temp.of_eve(), 'booking_confirmation +61491570156 cancelled, booking_cancelled +61491570156 pending',
  'the coach is not told what they did themselves');
select tests.act_as('eve client');
select isnt(public.book_my_session(tests.soon(6)), null, 'booked in the app');
select tests.act_as_admin();
select matches(pg_temp.of_eve(), 'client_booked \+61491570110 pending$', 'the coach is told');
delete from public.sms_messages where org_id = tests.id('org', 'eve');
update public.booking_settings set notify_phone = 'ask Jo' where org_id = tests.id('org', 'eve');
select tests.act_as_anon();
select isnt(public.portal_book(tests.id('portal', 'eve'), tests.soon(7)), null, 'a coach without a number');
select tests.act_as_admin();
select is(pg_temp.of_eve(), 'booking_confirmation +61491570156 pending', 'is not told');

-- Switches.
delete from public.sms_messages;
update public.sms_settings set send_booking_confirmations = false where org_id = tests.id('org', 'ada');
select tests.booking('n', 'ada', '2099-03-02 23:00Z');
do $$begin perform pg_temp.move('n', '2099-03-03 23:00Z'), pg_temp.change('n', 'status = ''cancelled'''); end$$;
select is(pg_temp.texts('n'), null, 'without confirmations: not booked, not moved, not cancelled');
update public.sms_settings set send_booking_confirmations = true, send_feedback_requests = false where org_id = tests.id('org', 'ada');
insert into public.sms_schedules (org_id, type, label, body) values (tests.id('org', 'ada'), 'post_session', 'Thanks', 'Thanks');
select tests.booking('o', 'ada', now() - interval '90 minutes');
do $$begin perform pg_temp.change('o', 'status = ''completed'''); end$$;
select is(pg_temp.texts('o'), null, 'without feedback requests: no follow-up');
update public.sms_settings set send_feedback_requests = true where org_id = tests.id('org', 'ada');
update public.clients set sms_reminder_enabled = false, sms_followup_enabled = false where id = tests.id('client', 'ada');
select tests.booking('p', 'ada', '2099-03-02 23:00Z');
select is(pg_temp.texts('p'), 'booking_confirmation pending', 'a client''s switches are about reminders and follow-ups');
update public.clients set sms_reminder_enabled = true, sms_followup_enabled = true where id = tests.id('client', 'ada');

-- The org's own words, the place, the zone, the number.
delete from public.sms_messages;
insert into public.sms_templates (org_id, template_key, name, body, version, is_active) values
  (tests.id('org', 'ada'), 'booking_confirmation', 'Booked', '{{session_datetime}}, {{location}}', 2, true),
  (tests.id('org', 'ada'), 'booking_confirmation', 'Booked', 'Old', 1, true),
  (tests.id('org', 'ada'), 'booking_confirmation', 'Booked', 'Draft', 3, false);
select tests.booking('q', 'ada', '2099-03-02 23:00Z');
select is(pg_temp.bodies('q'), 'Tue 3 Mar at 9:00 am, in person', 'the newest words that are on');
select is((select t.version from public.sms_messages as m join public.sms_templates as t on t.id = m.template_id), 2, 'and which');
do $$begin perform pg_temp.change('q', 'location_details = ''Harbour steps'''); end$$;
select is(pg_temp.bodies('q'), 'Tue 3 Mar at 9:00 am, Harbour steps', 'another place: what waits says so');
select is((select count(*) from public.sms_messages), 1::bigint, 'and is still one text');
update public.orgs set timezone = 'Australia/Perth' where id = tests.id('org', 'ada');
select is(pg_temp.bodies('q'), 'Tue 3 Mar at 7:00 am, Harbour steps', 'another zone: in its time');
update public.booking_settings set timezone = 'Australia/Sydney' where org_id = tests.id('org', 'ada');
select is(pg_temp.bodies('q'), 'Tue 3 Mar at 10:00 am, Harbour steps', 'whichever way it is set');
insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body)
values (tests.id('org', 'ada'), tests.id('client', 'ada'), '+61491570777', '+15005550001', 'elsewhere');
update public.clients set phone = '+61491570999' where id = tests.id('client', 'ada');
select is((select to_phone from public.sms_messages where body = 'elsewhere'), '+61491570777', 'a text to yet another number stays with that');
delete from public.sms_messages where body = 'elsewhere';
select is((select to_phone from public.sms_messages), '+61491570999', 'another number: to that one');
update public.clients set phone = null where id = tests.id('client', 'ada');
select is(pg_temp.texts('q'), 'booking_confirmation cancelled phone_missing', 'no number: to nobody');
update public.clients set phone = '+61491570156' where id = tests.id('client', 'ada');
delete from public.sms_messages;
update public.branding set display_name = ' ' where org_id = tests.id('org', 'ada');
delete from public.sms_templates;
select tests.booking('r', 'ada', '2099-03-02 23:00Z');
select matches(pg_temp.bodies('r'), 'confirm\. ada$', 'a brand without a name signs as the business');

-- What a booking has behind it.
select tests.org('zoe');
update public.sms_settings set twilio_phone_number = '+15005550003' where org_id = tests.id('org', 'zoe');
insert into public.sms_templates (org_id, template_key, name, body) values
  (tests.id('org', 'zoe'), 'booking_confirmation', 'All', '{{sessions_remaining}}/{{sessions_booked}} {{session_summary}} Bye');
select tests.booking('s', 'zoe', '2099-03-02 23:00Z');
select is(pg_temp.bodies('s'), '10/1 Sessions left: 10, booked: 1. Bye', 'the pack''s sessions, and those booked');
do $$begin perform pg_temp.change('s', 'purchase_id = null, location_details = ''here'''); end$$;
select is(pg_temp.bodies('s'), '/1 Bye', 'without a pack nothing is said of one, and no gap is left');

select * from finish();
rollback;
