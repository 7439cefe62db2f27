-- A client's number stands as it was typed, and beside it as it is dialled: whoever writes it, by whatever way.
begin;
select plan(30);

select tests.org('ada');
select tests.org('eve');
update public.orgs set country_code = 'NZ' where id = tests.id('org', 'eve');
create function pg_temp.phones(p_org text default 'ada') returns text language sql as $$
  select concat_ws(' | ', c.phone, c.phone_e164) from public.clients as c where c.id = tests.id('client', p_org);
$$;
create function pg_temp.typed(p_as text, p_phone text, p_org text default 'ada') returns text language plpgsql as $$
begin
  if p_as = 'coach' then
    perform tests.act_as(p_org);
  else
    perform tests.act_as_role(p_as);
  end if;
  update public.clients set phone = p_phone where id = tests.id('client', p_org);
  perform tests.act_as_admin();
  return pg_temp.phones(p_org);
exception when others then
  perform tests.act_as_admin();
  return sqlerrm;
end;
$$;

select is(pg_temp.phones(), '+61491570156 | +61491570156', 'in E.164 it is the same');
select is(pg_temp.typed('coach', ' (0491) 570-157 '), ' (0491) 570-157  | +61491570157', 'what was typed stays as it is');
select is(pg_temp.typed('coach', '0491 570 158', 'eve'), 'phone_invalid', 'in another country that is no number');
select is(pg_temp.typed('coach', '021 123 4567', 'eve'), '021 123 4567 | +64211234567', 'but this is');
select is(pg_temp.typed('coach', 'ask at the desk'), 'phone_invalid', 'a coach is told that it is no number');
select is(pg_temp.phones(), ' (0491) 570-157  | +61491570157', 'and nothing is changed');
select is(pg_temp.typed('coach', null), '', 'a client may have none');
select is(pg_temp.typed('coach', '  '), '  ', 'or a blank one');
select is(pg_temp.typed('service_role', 'ask at the desk'), 'ask at the desk',
  'what is brought over from elsewhere stays, without a number to dial');
select tests.act_as('ada');
select lives_ok($$update public.clients set notes = 'Prefers mornings' where id = tests.id('client', 'ada')$$,
  'such a client can still be edited');
select lives_ok($$update public.clients set phone = 'ask at the desk', notes = '' where id = tests.id('client', 'ada')$$,
  'by a form that sends all of it');
update public.clients set phone_e164 = '+61491570199' where id = tests.id('client', 'ada');
select tests.act_as_admin();
select is(pg_temp.phones(), 'ask at the desk', 'nobody writes the other form');
select tests.act_as('ada');
select throws_ok($$insert into public.clients (org_id, full_name, phone) values (tests.id('org', 'ada'), 'Jo', '12')$$,
  'PT400', 'phone_invalid', 'a new client''s is read, too');
select lives_ok($$insert into public.clients (org_id, full_name, phone, phone_e164)
                  values (tests.id('org', 'ada'), 'Jo', '0491 570 111', '+61491570199')$$, 'in whatever form');
select tests.act_as_admin();
select is((select phone_e164 from public.clients where full_name = 'Jo'), '+61491570111', 'as the number that it is');

-- An org in another country.
select pg_temp.typed('coach', '0491 570 156');
select tests.act_as('ada');
select lives_ok($$update public.orgs set country_code = 'NZ' where id = tests.id('org', 'ada')$$, 'its owner says so');
select throws_ok($$update public.orgs set country_code = 'XX' where id = tests.id('org', 'ada')$$, '23503', null,
  'a country that is none');
select throws_ok($$update public.orgs set country_code = '800' where id = tests.id('org', 'ada')$$, '23514', null,
  'a calling code');
select tests.act_as_admin();
select is(pg_temp.phones(), '0491 570 156', 'what was typed stays, and is no number there');
update public.orgs set country_code = 'AU' where id = tests.id('org', 'ada');
select is(pg_temp.phones(), '0491 570 156 | +61491570156', 'and is one again here');

-- Texts go to the number as it is dialled.
create function pg_temp.queued(p_to text) returns text language plpgsql as $$
declare
  v_message public.sms_messages;
begin
  insert into public.sms_messages as m (org_id, to_phone, from_phone, body)
  values (tests.id('org', 'ada'), p_to, '+15005550001', 'x')
  returning * into v_message;
  return concat_ws(' ', v_message.to_phone, v_message.status, v_message.error_code);
end;
$$;
select is(pg_temp.queued('0491 570 156'), '+61491570156 pending', 'a text is addressed in E.164');
select is(pg_temp.queued('+61491570156'), '+61491570156 pending', 'also one that is already');
select is(pg_temp.queued('ask at the desk'), 'ask at the desk failed phone_invalid', 'one to no number says why it is not sent');

-- So do numbers that must not be texted.
insert into public.sms_suppression (org_id, phone, reason) values (tests.id('org', 'ada'), '0491 570 156', 'manual');
select is((select phone from public.sms_suppression), '+61491570156', 'a number is suppressed as it is dialled');
select is(app.is_phone_suppressed(tests.id('org', 'ada'), p), true, format('%s is suppressed', p))
  from unnest(array['+61491570156', '0491 570 156', '+61 491 570 156']) as p;
select is(app.is_phone_suppressed(tests.id('org', 'ada'), '0491 570 157'), false, 'another one is not');
select is(app.is_phone_suppressed(tests.id('org', 'eve'), '0491 570 156'), false, 'nor is it at another org');
select throws_ok($$insert into public.sms_suppression (org_id, phone, reason)
                   values (tests.id('org', 'ada'), '(0491) 570 156', 'manual')$$, '23505', null, 'each once');

select * from finish();
rollback;
