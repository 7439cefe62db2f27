create or replace function app.read_suppressed_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.phone := coalesce(
    app.normal_phone(new.phone, (select o.country_code from public.orgs as o where o.id = new.org_id)), new.phone);
  return new;
end;
$$;
comment on function app.read_suppressed_phone() is
  'A number that must not be texted is kept as texts are addressed, in E.164, however it was written down.';
revoke all on function app.read_suppressed_phone() from public, anon, authenticated, service_role;

create or replace trigger sms_suppression_read_phone before insert or update of phone on public.sms_suppression
  for each row when (new.phone !~ '^\+[1-9][0-9]{6,14}$') execute function app.read_suppressed_phone();
