create or replace function app.raise_automation_event(
  p_event text, p_org_id uuid, p_client_id uuid, p_key text, p_at timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.automation_slots (automation_id, client_id, event, due_at, run_at)
  select a.id, p_client_id, p_event || ':' || p_key, p_at, p_at
    from public.automations as a
   where a.org_id = p_org_id and a.enabled and a.trigger ->> 'type' = 'event' and a.trigger ->> 'event' = p_event
  on conflict do nothing;
end;
$$;
comment on function app.raise_automation_event(text, uuid, uuid, text, timestamptz) is
  'Something happened to a client at p_at: the org''s automations for it have something to do, in this transaction. p_key '
  'tells one such event of the client from another.';
revoke all on function app.raise_automation_event(text, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
