-- An org's own Twilio account: nobody reads its token through the API, its owner ends it.
begin;
select plan(16);

select tests.org('ada');
select tests.org('eve');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
insert into public.org_members (org_id, user_id, role) values (tests.id('org', 'ada'), tests.person('sam'), 'staff');
select is(app.store_twilio_account(tests.person('ada'), tests.id('org', 'ada'), 'AC' || repeat('a', 32), 'sealed', '+15005550003'),
  true, 'an owner brings one');
select throws_ok(format('select app.store_twilio_account(%L, %L, %L, %L, %L)', tests.person(who), tests.id('org', 'ada'),
    'AC' || repeat('b', 32), 'other', '+15005550004'), 'PT404', 'org_not_found', who || ' does not')
  from unnest(array['sam', 'eve', 'nobody']) as who;
select throws_ok(format('select app.store_twilio_account(%L, %L, %L, %L, %L)', tests.person('eve'), tests.id('org', 'eve'),
    'AC' || repeat('b', 32), 'other', '+15005550003'), 'PT409', 'number_taken', 'a number is one org''s');
select is_empty($$select 1 from app.twilio_accounts where org_id = tests.id('org', 'eve')$$, 'and nothing is kept then');

-- Who reads it.
create function pg_temp.reads(p_role text) returns text language plpgsql as $$
declare
  v_found text;
begin
  if p_role = 'ada' then
    perform tests.act_as('ada');
  else
    perform tests.act_as_role(p_role);
  end if;
  execute 'select secret from app.twilio_accounts' into v_found;
  perform tests.act_as_admin();
  return v_found;
exception when insufficient_privilege then
  perform tests.act_as_admin();
  return sqlstate;
end;
$$;
select is(pg_temp.reads(r), '42501', r || ' reads no token')
  from unnest(array['ada', 'anon', 'service_role', 'coach_os_sidecar', 'coach_os_worker']) as r;
select tests.act_as('ada');
select is_empty($$select 1 from public.sms_settings as s where s::text ~ 'sealed'$$, 'nor is it in what a coach reads');
select throws_ok($$update public.sms_settings set twilio_account_sid = null where org_id = tests.id('org', 'ada')$$, '42501', null,
  'the account is not changed by hand');

-- Its end.
select tests.act_as('sam');
select throws_ok($$select public.forget_twilio_account(tests.id('org', 'ada'))$$, 'PT404', 'org_not_found', 'staff do not end it');
select tests.act_as('ada');
select results_eq($$select public.forget_twilio_account(tests.id('org', 'ada')) union all
                    select public.forget_twilio_account(tests.id('org', 'ada'))$$, 'values (true), (false)', 'the owner does, once');
select tests.act_as_admin();
select results_eq($$select twilio_account_sid, twilio_phone_number, (select count(*) from app.twilio_accounts)
                      from public.sms_settings where org_id = tests.id('org', 'ada')$$,
  $$values (null::text, null::text, 0::bigint)$$, 'its number went with it: it was the account''s');

select * from finish();
rollback;
