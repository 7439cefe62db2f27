create or replace function app.open_automation_slots(p_automation_ids uuid[], p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_opened integer;
begin
  insert into app.automation_slots (automation_id, due_at, run_at)
  select a.id, a.next_due_at, p_now from public.automations as a where a.id = any (p_automation_ids)
   order by a.next_due_at, a.id;
  get diagnostics v_opened = row_count;
  update public.automations as a
     set next_due_at = app.next_due(app.schedule_of(a.trigger), o.timezone, p_now, o.automation_hour)
    from public.orgs as o
   where a.id = any (p_automation_ids) and o.id = a.org_id;
  return v_opened;
end;
$$;
comment on function app.open_automation_slots(uuid[], timestamptz) is
  'Makes a slot of each of these automations, due at p_now and locked by the caller, and works out when they are due after '
  'p_now: of several missed times one slot is made. Returns how many.';
revoke all on function app.open_automation_slots(uuid[], timestamptz) from public, anon, authenticated, service_role;
