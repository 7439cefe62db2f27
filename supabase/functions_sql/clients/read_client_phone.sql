create or replace function app.read_client_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.phone_e164 := app.normal_phone(
    new.phone, (select o.country_code from public.orgs as o where o.id = new.org_id));
  -- Whoever types it is told; what is brought over from elsewhere stays as it is, and is shown as not reachable.
  if new.phone_e164 is null and new.phone ~ '\S' and current_setting('role') = 'authenticated'
     and (tg_op = 'INSERT' or new.phone is distinct from old.phone) then
    raise exception using errcode = 'PT400', message = 'phone_invalid',
      hint = 'Give a whole phone number; one of another country begins with + and the country''s code.';
  end if;
  return new;
end;
$$;
comment on function app.read_client_phone() is
  'Keeps clients.phone_e164 what app.normal_phone() makes of clients.phone, whatever the caller sends. A number that '
  'cannot be read is refused (PT400 phone_invalid) from a signed-in user; from others it is stored without E.164.';
revoke all on function app.read_client_phone() from public, anon, authenticated, service_role;

create or replace trigger clients_read_phone before insert or update of phone, phone_e164 on public.clients
  for each row execute function app.read_client_phone();
