create or replace function app.limit_admin_writes() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Row security lets staff and the platform's admins in; a column grant cannot tell one from the other.
  if current_setting('role') = 'authenticated' and not app.acts_for_org(old.id) then
    raise exception using errcode = 'PT403', message = 'org_is_the_coachs',
      hint = 'An admin of the platform changes what it earns; the rest is the owner''s and the staff''s to change.';
  end if;
  return new;
end;
$$;
comment on function app.limit_admin_writes() is
  'An admin of the platform changes an org''s commission_rate and nothing else: not its name, time zone or waiver. Raises '
  'PT403 org_is_the_coachs.';
revoke all on function app.limit_admin_writes() from public, anon, authenticated, service_role;

create or replace trigger orgs_limit_admin_writes before update on public.orgs
  for each row when (to_jsonb(old) - 'commission_rate' is distinct from to_jsonb(new) - 'commission_rate')
  execute function app.limit_admin_writes();
