create or replace function app.run_due_slots(p_now timestamptz default now(), p_limit integer default 200)
  returns integer
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_due bigint[];
  v_automations uuid[];
  v_orgs uuid[];
begin
  -- This waits for nobody: what somebody else does or changes at this moment is left for the next call. An automation is
  -- held, so that its runs are counted one after the other; an org is shared, so that it keeps its clock meanwhile.
  select array_agg(d.id) into v_due
    from (
      select s.id
        from app.automation_slots as s
       where s.run_at <= p_now
       order by s.run_at, s.id
       limit p_limit
         for update skip locked
    ) as d;
  if v_due is null then
    return 0;
  end if;
  select array_agg(l.id), array_agg(l.org_id) into v_automations, v_orgs
    from (
      select a.id, a.org_id
        from public.automations as a
       where a.id in (select s.automation_id from app.automation_slots as s where s.id = any (v_due))
         for no key update skip locked
    ) as l;
  select array_agg(l.id) into v_orgs
    from (select o.id from public.orgs as o where o.id = any (v_orgs) for key share skip locked) as l;
  select array_agg(s.id order by s.run_at, s.id) into v_due
    from app.automation_slots as s
    join public.automations as a on a.id = s.automation_id
   where s.id = any (v_due) and a.id = any (v_automations) and a.org_id = any (v_orgs);
  return app.run_slots(coalesce(v_due, '{}'), p_now, p_limit);
end;
$$;
comment on function app.run_due_slots(timestamptz, integer) is
  'Does what became due by p_now, for p_limit clients at most, oldest first; any number of callers at once. Returns how '
  'many slots it took up; 0: nothing is due but what others hold right now.';
revoke all on function app.run_due_slots(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.run_due_slots(timestamptz, integer) to coach_os_worker;
