create or replace function app.reread_phones() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.clients as c
     set phone = c.phone
   where c.org_id = new.id and c.phone is not null
     and c.phone_e164 is distinct from app.normal_phone(c.phone, new.country_code);
  return null;
end;
$$;
comment on function app.reread_phones() is
  'An org in another country: its clients'' numbers are read anew; those typed with their country stay the same.';
revoke all on function app.reread_phones() from public, anon, authenticated, service_role;

create or replace trigger orgs_reread_phones after update of country_code on public.orgs
  for each row when (old.country_code <> new.country_code) execute function app.reread_phones();
