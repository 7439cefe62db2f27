-- send_portal_link(): the coach texts a client their link.
begin;
select plan(38);

select tests.full_org('ada');
select tests.full_org('eve');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
update public.branding set display_name = 'Northside' where org_id = tests.id('org', 'ada');
delete from public.sms_messages;
delete from public.client_communications;
create function pg_temp.as_person(p_person text, p_client text default 'ada', p_url text default 'https://app.example.com/portal', p_renew boolean default false)
returns text language plpgsql as $$
declare
  v_id uuid;
begin
  case p_person when 'anon' then perform tests.act_as_anon(); when 'service_role' then perform tests.act_as_role('service_role');
                else perform tests.person(p_person), tests.act_as(p_person); end case;
  v_id := public.send_portal_link(tests.id('client', p_client), p_url, p_renew);
  perform tests.act_as_admin();
  return case when v_id is not null then 'sent' end;
exception when others then
  return sqlstate || ' ' || sqlerrm;
end;
$$;
create function pg_temp.link(p_client text default 'ada') returns text language sql as $$
  select 'https://app.example.com/portal/' || portal_token from public.clients where id = tests.id('client', p_client);
$$;

select is(pg_temp.as_person(p), 'PT404 client_not_found', p || ' does not send it') from unnest(array['ada books', 'ada client', 'eve', 'nobody']) as p;
select is(pg_temp.as_person(p), '42501 permission denied for function send_portal_link', p || ' does not either') from unnest(array['anon', 'service_role']) as p;
select is((select count(*) from public.sms_messages), 0::bigint, 'nothing was sent');
select is(pg_temp.as_person('ada'), 'sent', 'the owner does');
select results_eq(
  $$select to_phone, client_id, template_key, status, related_entity_type, related_entity_id, body from public.sms_messages$$,
  $$select '+61491570156', tests.id('client', 'ada'), 'portal_link', 'pending', 'client', tests.id('client', 'ada'),
           format('Hi Client, book and manage your sessions here: %s Northside', pg_temp.link())$$, 'with a link that the portal knows');
select lives_ok($$select public.portal_page((select portal_token from public.clients where id = tests.id('client', 'ada')))$$, 'and opens');
select results_eq('select client_id, user_id, type, direction, subject from public.client_communications',
  $$values (tests.id('client', 'ada'), tests.person('ada'), 'sms', 'outbound', 'Portal Link Sent')$$, 'it is on record');
select is_empty($$select 1 from public.client_communications where content ~ (select portal_token::text from public.clients where id = tests.id('client', 'ada'))$$,
  'without the link');
select is(pg_temp.as_person('ada staff'), 'sent', 'clicked twice');
select is((select count(*) from public.sms_messages), 1::bigint, 'it is one text');
create temp table first_link as select pg_temp.link() as link;
update public.sms_messages set created_at = now() - interval '61 seconds';
select is(pg_temp.as_person('ada staff'), 'sent', 'a minute later');
select is((select count(*) from public.sms_messages where body ~ (select link from first_link)), 2::bigint, 'it is sent again, the same');
select is(pg_temp.as_person('ada', p_renew => true), 'sent', 'renewed');
select isnt(pg_temp.link(), (select link from first_link), 'it is another one');
select is((select count(*) from public.sms_messages where body ~ pg_temp.link()), 1::bigint, 'which is sent');
update public.sms_messages set created_at = now() - interval '61 seconds';
select is(pg_temp.as_person('ada', p_url => 'http://127.0.0.1:3000/portal/'), 'sent', 'also of a local stack');
select is((select count(*) from public.sms_messages where body ~ ('here: http://127.0.0.1:3000/portal/' || right(pg_temp.link(), 36) || ' ')), 1::bigint, 'with one slash');
select is(pg_temp.as_person('ada', p_url => u), 'PT400 portal_url_invalid', format('no address of a portal: %s', left(u, 50)))
  from unnest(array['app.example.com', 'javascript:alert(1)', 'https://', 'https://a b/', 'https://a?x=', 'https://a/#', 'ftp://a/b',
                    'https://a.example/' || repeat('x', 190), '', null]) as u;
insert into public.sms_templates (org_id, template_key, name, body) values (tests.id('org', 'ada'), 'portal_link', 'Link', '{{portal_link}}!');
update public.sms_messages set created_at = now() - interval '61 seconds';
select is(pg_temp.as_person('ada'), 'sent', 'in the org''s own words');
select is((select count(*) from public.sms_messages where body = pg_temp.link() || '!'), 1::bigint, 'they are used');

-- Why it cannot be sent.
savepoint sendable;
update public.sms_messages set created_at = now() - interval '61 seconds';
update public.clients set phone = null where id = tests.id('client', 'ada');
select is(pg_temp.as_person('ada'), 'PT409 phone_missing', 'no phone');
rollback to sendable;
update public.sms_messages set created_at = now() - interval '61 seconds';
insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '+61491570156', 'opt_out');
select is(pg_temp.as_person('ada'), 'PT409 number_suppressed', 'a client who said STOP');
rollback to sendable;
select is(pg_temp.as_person('eve', 'eve'), 'PT409 sms_sender_missing', 'an org without a number');
select tests.act_as_admin();
update public.sms_settings set enabled = false where org_id = tests.id('org', 'eve');
select is(pg_temp.as_person('eve', 'eve'), 'PT409 sms_disabled', 'one that does not text');
select tests.act_as_admin();
select is((select portal_token from public.clients where id = tests.id('client', 'eve')), null, 'then no link is made either');

select * from finish();
rollback;
