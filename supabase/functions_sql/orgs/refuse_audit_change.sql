create or replace function app.refuse_audit_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    if not exists (select from old_rows as r join public.orgs as o on o.id = r.org_id) then
      return null;  -- the whole org goes
    end if;
  end if;
  raise exception using errcode = 'PT403', message = 'audit_is_append_only',
    hint = 'What happened, happened: nobody changes or deletes a record of it.';
end;
$$;
comment on function app.refuse_audit_change() is
  'The audit is append-only, for everyone; it goes only with its org. Raises PT403 audit_is_append_only.';
revoke all on function app.refuse_audit_change() from public, anon, authenticated, service_role;

create or replace trigger audit_events_append_only
  before update or truncate on public.audit_events
  for each statement execute function app.refuse_audit_change();
create or replace trigger audit_events_no_delete
  after delete on public.audit_events
  referencing old table as old_rows
  for each statement execute function app.refuse_audit_change();
