begin;
select plan(6);

select tests.org('ada');
select tests.booking('past', 'ada', '2026-01-05 09:00+10');
update public.bookings set status = 'completed' where id = tests.id('booking', 'past');
select tests.act_as('ada');
select is(public.use_session(tests.id('pack', 'ada')), true, 'by hand, with ada as actor');
select tests.act_as_admin();

-- History stays while the org does …
select throws_ok($$delete from public.client_purchases where id = tests.id('pack', 'ada')$$,
  'PT403', 'ledger_is_append_only', 'a pack with entries cannot be deleted');
select throws_ok($$delete from public.clients where id = tests.id('client', 'ada')$$,
  'PT403', 'ledger_is_append_only', 'nor its client');

-- … whoever leaves …
select lives_ok($$delete from auth.users where id = tests.person('ada')$$, 'a user who used a session can leave');
select is((select count(*) from public.session_ledger where actor_id = tests.id('person', 'ada')), 1::bigint,
  'and stays the actor of what they did');

-- … and goes with it.
select lives_ok($$delete from public.orgs where id = tests.id('org', 'ada'); set constraints all immediate$$,
  'an org can be deleted with its whole history');

select * from finish();
rollback;
