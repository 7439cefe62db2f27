create or replace function app.retry_due_runs(p_now timestamptz default now(), p_limit integer default 100)
  returns integer
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_ids uuid[];
begin
  select array_agg(d.id) into v_ids
    from (
      select r.id
        from public.automation_runs as r
       where r.next_attempt_at <= p_now and r.status = 'failed'
       order by r.next_attempt_at, r.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_ids is null then
    return 0;
  end if;
  return app.retry_runs(v_ids, p_now);
end;
$$;
comment on function app.retry_due_runs(timestamptz, integer) is
  'Tries again up to p_limit failed runs whose time has come (app.fail_run()); those that somebody else holds are left. '
  'Returns how many.';
revoke all on function app.retry_due_runs(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.retry_due_runs(timestamptz, integer) to coach_os_worker;
