-- How a client becomes a user of the app: by a code, once, and in no other way.
begin;
select plan(59);

select tests.full_org('ada');
select tests.full_org('eve');
do $$
begin
  perform tests.person('jo');
  perform tests.person('kim');
end;
$$;
insert into public.clients (id, org_id, full_name, email) values
  (tests.id('jo', 'ada'), tests.id('org', 'ada'), 'Jo Lee', null),
  (tests.id('kim', 'ada'), tests.id('org', 'ada'), 'Kim Po', 'kim@work.example'),
  (tests.id('jo', 'eve'), tests.id('org', 'eve'), 'Jo L.', null);

-- The coach invites.
select tests.act_as('ada staff');
select lives_ok(
  $$insert into public.client_invites (org_id, client_id, invite_code, expires_at) values
      (tests.id('org', 'ada'), tests.id('jo', 'ada'), 'JO-OF-ADA-1', '2100-01-01Z'),
      (tests.id('org', 'ada'), tests.id('jo', 'ada'), 'JO-OF-ADA-2', '2100-01-01Z'),
      (tests.id('org', 'ada'), tests.id('kim', 'ada'), 'KIM-OF-ADA', '2100-01-01Z'),
      (tests.id('org', 'ada'), tests.id('kim', 'ada'), 'KIM-TOO-LATE', '2026-01-01Z')$$, 'staff make invites');
select throws_ok(
  $$insert into public.client_invites (org_id, client_id, invite_code, expires_at, redeemed_at, redeemed_by)
    values (tests.id('org', 'ada'), tests.id('jo', 'ada'), 'JO-BY-HAND', '2100-01-01Z', now(), md5('person jo')::uuid)$$,
  '42501', 'permission denied for table client_invites', 'not one that is redeemed already');
select throws_ok(
  $$update public.client_invites set redeemed_at = now(), redeemed_by = md5('person ada')::uuid$$,
  '42501', 'permission denied for table client_invites', 'nor do they redeem one');
select throws_ok($$update public.client_invites set redeemed_at = null$$,
  '42501', 'permission denied for table client_invites', 'nor open one again');
select is(tests.attempt($$update public.client_invites set expires_at = '2100-02-01Z' where invite_code = 'KIM-OF-ADA'$$),
  '1', 'they may extend one');
select tests.act_as_admin();
-- Where grants do not hold (the local API grants everything).
grant insert, update on public.client_invites to authenticated;
select tests.act_as('ada');
select throws_ok(
  $$insert into public.client_invites (org_id, client_id, invite_code, expires_at, redeemed_at, redeemed_by)
    values (tests.id('org', 'ada'), tests.id('jo', 'ada'), 'JO-BY-HAND', '2100-01-01Z', now(), md5('person jo')::uuid)$$,
  'PT403', 'auth_user_is_by_invite', 'without the grant''s help: no redeemed invite');
select throws_ok(
  $$insert into public.client_invites (org_id, client_id, invite_code, expires_at, redeemed_at)
    values (tests.id('org', 'ada'), tests.id('jo', 'ada'), 'JO-BY-HAND', '2100-01-01Z', now())$$,
  'PT403', 'auth_user_is_by_invite', 'not even half of one');
select throws_ok(
  $$update public.client_invites set redeemed_at = now(), redeemed_by = md5('person ada')::uuid$$,
  'PT403', 'auth_user_is_by_invite', 'no redeeming by hand');
select throws_ok($$update public.client_invites set redeemed_at = null, redeemed_by = null$$,
  'PT403', 'auth_user_is_by_invite', 'no opening again');
select is(tests.attempt($$update public.client_invites set redeemed_at = redeemed_at, expires_at = '2100-03-01Z'
                           where invite_code = 'KIM-OF-ADA'$$), '1', 'a whole row written back is no change');
select tests.act_as_admin();
revoke insert, update on public.client_invites from authenticated;
grant insert (id, org_id, client_id, invite_code, expires_at), update (expires_at) on public.client_invites to authenticated;

-- Who a client's user is, nobody writes by hand.
create function pg_temp.by_hand() returns setof text language plpgsql as $$
begin
  return next throws_ok(
    $t$insert into public.clients (org_id, full_name, auth_user_id)
       values (tests.id('org', 'ada'), 'Mine', (select auth.uid()))$t$, 'PT403', 'auth_user_is_by_invite',
    'no client is born with a user');
  return next throws_ok(
    $t$update public.clients set auth_user_id = (select auth.uid()) where id = tests.id('jo', 'ada')$t$,
    'PT403', 'auth_user_is_by_invite', 'none is given one');
  return next throws_ok(
    $t$update public.clients set auth_user_id = (select auth.uid()) where id = tests.id('client', 'ada')$t$,
    'PT403', 'auth_user_is_by_invite', 'none is given another');
  return next lives_ok(
    $t$update public.clients set full_name = full_name, auth_user_id = auth_user_id where id = tests.id('client', 'ada')$t$,
    'a whole row written back is no change');
end;
$$;
select tests.act_as('ada');
select pg_temp.by_hand();
select tests.act_as('ada staff');
select pg_temp.by_hand();
select tests.act_as_role('service_role');
select is(tests.attempt($$update public.clients set auth_user_id = md5('person jo')::uuid where id = tests.id('jo', 'ada')$$),
  '1', 'the system may');

-- The page of a visitor.
select tests.act_as_anon();
select is(public.invite_page('JO-OF-ADA-1'),
  jsonb_build_object('full_name', 'Jo Lee', 'org_name', 'ada', 'expires_at', '2100-01-01Z'::timestamptz),
  'a visitor with a code sees for whom it is, no more');
select throws_ok(format('select public.invite_page(%L)', code), 'PT404', 'invite_not_found',
  format('no page for: %s', coalesce(code, 'null')))
  from unnest(array['JO-OF-ADA-', 'jo-of-ada-1', '', '%', null, 'KIM-TOO-LATE', 'invite client of ada']) as code;
select throws_ok($$select public.redeem_invite('JO-OF-ADA-1')$$, '42501', 'permission denied for function redeem_invite',
  'a visitor redeems nothing');
select throws_ok($$select * from public.client_invites$$, '42501', 'permission denied for table client_invites',
  'and reads no table');
select tests.act_as_role('authenticated');
select throws_ok($$select public.redeem_invite('JO-OF-ADA-1')$$, 'PT401', 'sign_in_required',
  'a token without a user is nobody''s');
select tests.act_as_admin();
select throws_ok($$select app.invite_page('JO-OF-ADA-1', '2100-01-01Z')$$, 'PT404', 'invite_not_found',
  'at the instant it expires a code is expired');
select lives_ok($$select app.invite_page('JO-OF-ADA-1', '2099-12-31 23:59:59Z')$$, 'not a second before');

-- Redeeming.
select tests.act_as('jo');
select throws_ok($$select public.redeem_invite('KIM-TOO-LATE')$$, 'PT404', 'invite_not_found', 'an expired code');
select throws_ok($$select public.redeem_invite('NO-SUCH-CODE')$$, 'PT404', 'invite_not_found', 'an unknown one');
select throws_ok($$select public.redeem_invite(null)$$, 'PT404', 'invite_not_found', 'none');
select throws_ok($$select public.redeem_invite('invite client of ada')$$, 'PT404', 'invite_not_found',
  'one that another redeemed');
select is_empty('select * from public.my_client()', 'and they are nobody''s client');
select results_eq($$select * from public.redeem_invite('JO-OF-ADA-1')$$,
  $$values (tests.id('jo', 'ada'), tests.id('org', 'ada'))$$, 'who redeems a code learns whom they are a client of');
select results_eq('select id, email from public.my_client()',
  $$values (tests.id('jo', 'ada'), 'jo@example.com')$$, 'is that client, with the e-mail address they signed up with');
select tests.act_as_admin();
select results_eq(
  $$select redeemed_at, redeemed_by from public.client_invites where invite_code = 'JO-OF-ADA-1'$$,
  $$values (now(), md5('person jo')::uuid)$$, 'and the invite says so');
update public.client_invites set redeemed_at = '2026-01-01Z' where invite_code = 'JO-OF-ADA-1';
select tests.act_as('jo');
select results_eq($$select * from public.redeem_invite('JO-OF-ADA-1')$$,
  $$values (tests.id('jo', 'ada'), tests.id('org', 'ada'))$$, 'asked again, the same answer');
select tests.act_as('kim');
select throws_ok($$select public.redeem_invite('JO-OF-ADA-1')$$, 'PT404', 'invite_not_found', 'nobody else redeems it');
select throws_ok($$select public.redeem_invite('JO-OF-ADA-2')$$, 'PT409', 'client_has_user',
  'nor another code of a client who has a user');
select throws_ok($$select public.invite_page('JO-OF-ADA-2')$$, 'PT404', 'invite_not_found',
  'of which a visitor is not told, so as not to sign up for nothing');
select tests.act_as('jo');
select throws_ok($$select public.redeem_invite('KIM-OF-ADA')$$, 'PT409', 'user_is_client', 'one user is one client');
select results_eq($$select * from public.redeem_invite('JO-OF-ADA-2')$$,
  $$values (tests.id('jo', 'ada'), tests.id('org', 'ada'))$$, 'a second code of their own answers the same');
select tests.act_as('kim');
select results_eq($$select * from public.redeem_invite('KIM-OF-ADA')$$,
  $$values (tests.id('kim', 'ada'), tests.id('org', 'ada'))$$, 'what was refused to one is still there for another');
select is((select email from public.my_client()), 'kim@work.example', 'an address that the coach has stays');
select tests.act_as_admin();
select results_eq(
  $$select invite_code, redeemed_at, redeemed_by from public.client_invites
     where client_id in (tests.id('jo', 'ada'), tests.id('kim', 'ada')) order by 1$$,
  $$values ('JO-OF-ADA-1', '2026-01-01Z'::timestamptz, md5('person jo')::uuid), ('JO-OF-ADA-2', now(), null),
           ('KIM-OF-ADA', now(), md5('person kim')::uuid), ('KIM-TOO-LATE', null, null)$$,
  'each code was redeemed once, the second of one client is used up, the late one is not');

-- The coach takes it back.
insert into public.push_tokens (org_id, client_id, expo_token)
values (tests.id('org', 'ada'), tests.id('jo', 'ada'), 'the phone of jo');
select tests.act_as('eve');
select is(tests.attempt($$update public.clients set auth_user_id = null where id = tests.id('jo', 'ada')$$), '0',
  'another coach does not end a client''s access');
select tests.act_as('ada books');
select is(tests.attempt($$update public.clients set auth_user_id = null where id = tests.id('jo', 'ada')$$), '0',
  'nor the accountant');
select tests.act_as('ada staff');
select lives_ok($$update public.clients set auth_user_id = null where id = tests.id('jo', 'ada')$$, 'staff do');
select results_eq($$select invite_code, redeemed_at is null, redeemed_by from public.client_invites
                     where client_id = tests.id('jo', 'ada') order by 1$$,
  $$values ('JO-OF-ADA-1', false, null::uuid), ('JO-OF-ADA-2', false, null)$$, 'the codes stay used up, without an owner');
select tests.act_as_admin();
select is_empty($$select 1 from public.push_tokens where client_id = tests.id('jo', 'ada')$$,
  'their phone gets no more messages');
select is((select count(*) from public.push_tokens), 4::bigint, 'the others'' do');
select tests.act_as('jo');
select is_empty('select * from public.my_client()', 'they are no client any more');
select throws_ok($$select public.redeem_invite('JO-OF-ADA-1')$$, 'PT404', 'invite_not_found',
  'and do not become one again with the old code');
select tests.act_as('eve');
insert into public.client_invites (org_id, client_id, invite_code, expires_at)
values (tests.id('org', 'eve'), tests.id('jo', 'eve'), 'JO-OF-EVE-1', '2100-01-01Z');
select tests.act_as('jo');
select results_eq($$select * from public.redeem_invite('JO-OF-EVE-1')$$,
  $$values (tests.id('jo', 'eve'), tests.id('org', 'eve'))$$, 'but may become another coach''s');
select tests.act_as_admin();
delete from auth.users where id = md5('person kim')::uuid;
select results_eq(
  $$select c.auth_user_id, i.redeemed_at is null, i.redeemed_by
      from public.clients as c join public.client_invites as i on i.client_id = c.id where i.invite_code = 'KIM-OF-ADA'$$,
  $$values (null::uuid, false, null::uuid)$$, 'a user who is deleted leaves the client, and the code used up');

select * from finish();
rollback;
