create or replace function app.reschedule_automations() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- All of them, also those without a due time: one that is being enabled at this moment is waited for.
  update public.automations as a set next_due_at = null where a.org_id = new.id;
  return null;
end;
$$;
comment on function app.reschedule_automations() is
  'When the clock or the hour of an org changes, so does when its automations are due (app.prepare_automation()).';
revoke all on function app.reschedule_automations() from public, anon, authenticated, service_role;

create or replace trigger orgs_reschedule_automations
  after update of timezone, automation_hour on public.orgs
  for each row
  when (old.timezone <> new.timezone or old.automation_hour <> new.automation_hour)
  execute function app.reschedule_automations();
