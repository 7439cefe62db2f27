create or replace function app.lock_my_orgs() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Before the statement, for a row trigger comes when its row is locked already.
  perform from public.orgs as o
    where o.id = any (array(select app.my_staff_org_ids()))
    order by o.id
      for no key update;
  return null;
end;
$$;
comment on function app.lock_my_orgs() is
  'Whoever writes a time zone, through the org or through a mirror of it, locks the org first and then the mirrors: so '
  'two who do it at once wait for each other in turn, and neither is refused.';
revoke all on function app.lock_my_orgs() from public, anon, authenticated, service_role;

create or replace trigger booking_settings_lock_org before insert or update of timezone on public.booking_settings
  for each statement execute function app.lock_my_orgs();
create or replace trigger sms_settings_lock_org before insert or update of timezone on public.sms_settings
  for each statement execute function app.lock_my_orgs();
