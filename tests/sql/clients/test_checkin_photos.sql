-- A progress photo belongs to a check-in of its own client.
begin;
select plan(5);

select tests.full_org('ada');
create function pg_temp.event(p_kind text) returns uuid language sql security definer as $$
  select e.id from public.activity_events as e where e.client_id = tests.id(p_kind, 'ada') limit 1;
$$;
create function pg_temp.attach(p_client text, p_event uuid) returns text language sql as $$
  select format('insert into public.checkin_photos (org_id, client_id, activity_event_id, storage_path)
                 values (%L, %L, %L, ''photo.jpg'')', tests.id('org', 'ada'), tests.id(p_client, 'ada'), p_event);
$$;

select tests.act_as('ada client');
select lives_ok(pg_temp.attach('client', pg_temp.event('client')), 'a client adds a photo to their check-in');
select lives_ok(pg_temp.attach('client', null), 'or one of its own');
select throws_ok(pg_temp.attach('client', pg_temp.event('other client')), '42501',
  'new row violates row-level security policy for table "checkin_photos"',
  'another client''s check-in is not theirs to add to');
select throws_ok(pg_temp.attach('client', gen_random_uuid()), '42501',
  'new row violates row-level security policy for table "checkin_photos"',
  'and looks like one that does not exist');
select throws_ok(pg_temp.attach('other client', pg_temp.event('client')), '42501', null,
  'nor is a photo another client''s');

select * from finish();
rollback;
