-- `bench.automations` automations, spread over all orgs, each of which has one active client; the first of each org comes
-- first. Due from tomorrow on, a second after one another.
set session_replication_role = replica;

update public.clients as c set status = 'paused'
 where c.id <> (select min(o.id::text)::uuid from public.clients as o where o.org_id = c.org_id);
insert into public.automations (id, org_id, name, trigger, actions, guardrails, next_due_at)
select md5('automation ' || n)::uuid, o.id, 'Nudge', '{"type": "schedule", "schedule": "daily"}',
       '[{"type": "send_message", "params": {"body": "Hi {{first_name}}, how are you?"}}]',
       '{"max_per_client_per_day": 1, "quiet_hours_start": 0, "quiet_hours_end": 0, "dedupe_hours": 20}',
       date_trunc('second', now()) + interval '1 day' + make_interval(secs => n)
  from generate_series(1, current_setting('bench.automations')::integer) as n
  join bench.orgs as o on o.org_no = (n - 1) % (select count(*) from bench.orgs) + 1;

reset session_replication_role;
