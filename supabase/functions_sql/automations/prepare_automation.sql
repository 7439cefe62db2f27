create or replace function app.prepare_automation() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due timestamptz;
begin
  if tg_op = 'INSERT' or new.conditions <> old.conditions then
    perform app.check_conditions(new.conditions);
  end if;
  if tg_op = 'INSERT' or new.actions <> old.actions then
    perform app.check_actions(new.actions);
  end if;
  if tg_op = 'INSERT' or new.guardrails <> old.guardrails then
    perform app.check_guardrails(new.guardrails);
  end if;
  if tg_op = 'UPDATE' and new.trigger = old.trigger and new.enabled = old.enabled and new.next_due_at is not null then
    return new;
  end if;
  if tg_op = 'INSERT' then
    -- Who changes the zone or the hour at this moment, changes it for all automations they see, and this is not one yet.
    -- A row that is there already they find by its lock.
    perform from public.orgs as o where o.id = new.org_id for share;
  end if;
  -- No org: the foreign key says so.
  select app.next_due(app.schedule_of(new.trigger), coalesce(o.timezone, 'Australia/Brisbane'), now(),
                      coalesce(o.automation_hour, 9))
    into v_due
    from (values (new.org_id)) as i (org_id)
    left join public.orgs as o on o.id = i.org_id
   where app.schedule_of(new.trigger) is not null;
  new.next_due_at := case when new.enabled then v_due end;
  return new;
end;
$$;
comment on function app.prepare_automation() is
  'What is saved can be done, or is refused, through whatever door (PT400 trigger_invalid, schedule_invalid, '
  'conditions_invalid, actions_invalid, action_unavailable, guardrails_invalid); and next_due_at follows from it: the '
  'first time after now for which a new, changed or newly enabled automation is due, so that saving makes nothing due. '
  'Setting next_due_at to null works it out again.';
revoke all on function app.prepare_automation() from public, anon, authenticated, service_role;

create or replace trigger automations_prepare
  before insert or update of trigger, conditions, actions, guardrails, enabled, next_due_at on public.automations
  for each row execute function app.prepare_automation();
