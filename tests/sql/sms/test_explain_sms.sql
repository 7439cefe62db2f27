-- app.explain_sms(): whatever has become of a text, the coach is told in a sentence.
begin;
select plan(51);

select tests.full_org('ada');
select tests.full_org('eve');
update public.sms_settings set max_sms_per_client_per_day = 4, max_sms_per_hour = 50 where org_id = tests.id('org', 'ada');
delete from public.sms_messages;
insert into public.sms_messages (id, org_id, to_phone, from_phone, body, status)
values (tests.id('text', 'x'), tests.id('org', 'ada'), '+61491570156', '+15005550001', 'The words', 'pending');
create function pg_temp.told(p_status text, p_code text default null, p_kind text default null, p_at timestamptz default '2099-03-02 23:00Z') returns text
language plpgsql as $$
begin
  update public.sms_messages
     set status = p_status, error_code = p_code, template_key = p_kind, scheduled_for = p_at, sent_at = '2099-03-02 23:01Z',
         delivered_at = '2099-03-02 23:02Z', provider_message_id = case when p_status in ('sent', 'delivered') or p_code like '300%' then 'SM1' end
   where id = tests.id('text', 'x');
  return app.explain_sms(tests.id('text', 'x'), '2099-03-02 22:00Z');
end;
$$;

-- Who is told.
select tests.act_as('ada');
select is(public.explain_sms(tests.id('text', 'x')), 'It is due and is sent as soon as its turn comes.', 'the owner');
select tests.act_as('ada staff');
select is(public.explain_sms(tests.id('text', 'x')), 'It is due and is sent as soon as its turn comes.', 'and staff');
create temp table others (person text);
insert into others values ('ada books'), ('ada client'), ('eve'), ('nobody');
create function pg_temp.as_person(p_person text) returns text language plpgsql as $$
begin
  perform tests.person(p_person), tests.act_as(p_person);
  perform public.explain_sms(tests.id('text', 'x'));
  return 'told';
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
select tests.act_as_admin();
select is(pg_temp.as_person(person), 'PT404 message_not_found', person || ' is not') from others;
select tests.act_as_admin();
select throws_ok($$select app.explain_sms(gen_random_uuid(), now())$$, 'PT404', 'message_not_found', 'no such text');
select tests.act_as_anon();
select throws_ok($$select public.explain_sms(tests.id('text', 'x'))$$, '42501', 'permission denied for function explain_sms', 'nor a visitor');
select tests.act_as_admin();

-- What waits.
set local timezone = 'America/New_York';
select is(pg_temp.told('pending'), 'It is due on Tue 3 Mar at 9:00 am.', 'in the org''s zone');
select is(pg_temp.told('queued', 'quiet_hours'), 'It waits for the end of your quiet hours and is sent on Tue 3 Mar at 9:00 am.', 'quiet hours');
select is(pg_temp.told('queued', 'client_daily_limit'), 'It waits until Tue 3 Mar at 9:00 am: your settings allow a client 4 texts a day.', 'a client''s day');
select is(pg_temp.told('queued', 'org_hourly_limit'), 'It waits until Tue 3 Mar at 9:00 am: your settings allow 50 texts an hour.', 'the org''s hour');
select is(pg_temp.told('queued', 'provider_unreachable'),
  'It could not be handed over yet (provider_unreachable) and is tried again on Tue 3 Mar at 9:00 am.', 'Twilio is not there');
select is(pg_temp.told('queued', 'quiet_hours', null, '2099-03-02 21:00Z'), 'It is due and is sent as soon as its turn comes.', 'what has waited');

-- What went out, or perhaps.
select is(pg_temp.told('sending'), 'It is being sent.', 'sending');
select is(pg_temp.told('sent'), 'It was sent on Tue 3 Mar at 9:01 am; whether it has arrived is not known yet.', 'sent');
select is(pg_temp.told('delivered'), 'It was delivered on Tue 3 Mar at 9:02 am.', 'delivered');
select is(pg_temp.told('unknown', 'no_answer'), 'Nobody can tell whether it was sent, so it is not sent again by itself. Ask the client.', 'unknown');
select is(pg_temp.told('failed', '30006'), 'Not delivered: a landline, or a carrier that cannot be reached.', 'not delivered');
select is(pg_temp.told('failed', '30042'), 'Not delivered (30042).', 'a code that nobody has put into words');
select is(pg_temp.told('failed', '21999'), 'Not sent (21999).', 'another');
select is(pg_temp.told('cancelled'), 'Not sent (no reason was given).', 'cancelled by hand');
select is(pg_temp.told('cancelled', 'booking_no_longer_stands', 'follow_up'), 'Not sent: the session did not take place, or is gone.', 'no session to thank for');
select is(pg_temp.told('cancelled', 'booking_no_longer_stands', 'reminder'), 'Not sent: the session is not confirmed any more, or is gone.', 'none to remind of');

-- Every reason that our functions give has its sentence. They are read from the functions, so that a new one fails here.
create temp view reasons as
select distinct code from (
  select (regexp_matches(p.prosrc, '''([a-z_]+)''', 'g'))[1] as code
    from pg_proc as p
   where p.pronamespace = 'app'::regnamespace and p.proname in ('switch_problem', 'booking_text_problem')
  union all
  select unnest(array['sms_disabled', 'sms_sender_missing', 'number_suppressed', 'schedule_off', 'schedule_changed', 'too_late', 'phone_missing',
                      'quiet_hours_too_late', 'client_daily_limit', 'client_daily_limit_too_late', 'org_hourly_limit',
                      'org_hourly_limit_too_late', 'superseded'])
) as r
 where code ~ '_off$|_too_late$|^booking_(moved|cancelled|reassigned|reinstated|no_longer_stands)$|^already|^sms_(disabled|sender_missing)$|^number|^phone|^too_late|_limit$|^schedule|^superseded';
select cmp_ok((select count(*) from reasons), '>=', 23::bigint, 'there are many reasons');
select matches(pg_temp.told('cancelled', code), '^Not sent: [^()]+\.$', code) from reasons order by code;
select is_empty($$select (regexp_matches(prosrc, '(?:then|=) ''([a-z]+_[a-z_]+)''', 'g'))[1] from pg_proc
                     where pronamespace = 'app'::regnamespace and proname = 'claim_sms'
                    except select code from reasons
                    except select unnest(array['quiet_hours', 'org_hourly_limit', 'client_daily_limit', 'follow_up'])$$,
  'and none of app.claim_sms() is missing above');
select is(count(*), 0::bigint, 'no sentence quotes the words or the number')
  from reasons as r, pg_temp.told('cancelled', r.code) as t where t ~ 'The words|61491';

select * from finish();
rollback;
