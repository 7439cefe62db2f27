create or replace function app.claim_due_automations(p_now timestamptz default now(), p_limit integer default 500)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  select array_agg(d.id) into v_ids
    from (
      select a.id
        from public.automations as a
       where a.next_due_at <= p_now
         -- One that is not done with its last time is claimed when it is.
         and not exists (
           select from app.automation_slots as s where s.automation_id = a.id and s.client_id is null
         )
       order by a.next_due_at, a.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_ids is null then
    return 0;
  end if;
  return app.open_automation_slots(v_ids, p_now);
end;
$$;
comment on function app.claim_due_automations(timestamptz, integer) is
  'Claims up to p_limit automations that are due by the clock at p_now, oldest first, each for one caller: a slot for '
  'app.run_due_slots() to do, and the next due time. Returns how many; 0: none is due but what others hold right now.';
revoke all on function app.claim_due_automations(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.claim_due_automations(timestamptz, integer) to coach_os_worker;
