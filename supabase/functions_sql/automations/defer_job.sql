create or replace function app.defer_job(p_task_name text) returns void
  language plpgsql volatile security definer set search_path = procrastinate, pg_temp
as $$
begin
  -- Migrations alone build the database; until a worker has installed the job tables there is nobody to call.
  if to_regclass('procrastinate.procrastinate_jobs') is null then
    return;
  end if;
  -- One waiting job is enough. A queueing lock would say so too, but makes every other transaction that enqueues
  -- wait for this one's end; a second job in a race merely finds nothing to do.
  if exists (select from procrastinate_jobs as j where j.task_name = p_task_name and j.status = 'todo') then
    return;
  end if;
  perform procrastinate_defer_jobs_v1(
    array[row('default', p_task_name, 0, null, null, '{}', null)::procrastinate_job_to_defer_v1]
  );
end;
$$;
comment on function app.defer_job(text) is
  'Has the worker run a task soon after this transaction commits. Does nothing while the job tables are not '
  'installed: every task also runs on the minute.';
revoke all on function app.defer_job(text) from public, anon, authenticated, service_role;
-- It calls what the worker's role owns, so it must not run with more rights than that role has: owned by the
-- migrating role, it would let whoever holds the worker's password become that one.
grant create on schema app to coach_os_enqueuer;
alter function app.defer_job(text) owner to coach_os_enqueuer;
revoke create on schema app from coach_os_enqueuer;
