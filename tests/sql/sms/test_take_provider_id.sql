-- The sender of the existing functions notes Twilio's id with its attempt, then marks the text as sent.
begin;
select plan(5);

select tests.org('ada');
insert into public.sms_messages (id, org_id, client_id, to_phone, from_phone, body)
select md5(n)::uuid, tests.id('org', 'ada'), tests.id('client', 'ada'), '+61491570156', '+15005550006', n
  from unnest(array['sent', 'not tried', 'failed']) as n;
insert into public.sms_attempts (message_id, attempt_number, status, provider_message_id) values
  (md5('sent')::uuid, 1, 'transient_error', 'SM1'), (md5('sent')::uuid, 2, 'success', 'SM2'),
  (md5('sent')::uuid, 3, 'permanent_error', 'SM3'), (md5('failed')::uuid, 1, 'permanent_error', 'SM4');

select tests.act_as_role('service_role');
select lives_ok($$update public.sms_messages set status = 'sent', sent_at = now() where id = md5('sent')::uuid$$,
  'a text is marked as sent');
select is((select provider_message_id from public.sms_messages where id = md5('sent')::uuid), 'SM2',
  'and has the id of the attempt that succeeded');
update public.sms_messages set status = 'delivered' where id = md5('sent')::uuid;
select is((select provider_message_id from public.sms_messages where id = md5('sent')::uuid), 'SM2', 'which it keeps');
select throws_ok($$update public.sms_messages set status = 'sent' where id = md5('not tried')::uuid$$,
  '23514', null, 'one that was never tried is not sent');
select throws_ok($$update public.sms_messages set status = 'delivered' where id = md5('failed')::uuid$$,
  '23514', null, 'nor is one whose attempts failed delivered');

select * from finish();
rollback;
