create or replace function app.forget_audit() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from public.audit_events as a using deleted_orgs as o where a.org_id = o.id;
  return null;
end;
$$;
comment on function app.forget_audit() is
  'The audit of an org goes with it. By now the keys'' cascades have taken the org''s other rows, and so have waited for '
  'everybody who was still changing one: whatever such a change recorded is there to be deleted.';
revoke all on function app.forget_audit() from public, anon, authenticated, service_role;

create or replace trigger orgs_forget_audit
  after delete on public.orgs
  referencing old table as deleted_orgs
  for each statement execute function app.forget_audit();
