create or replace function app.keep_signed_waiver() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if new.status in (old.status, 'expired') and to_jsonb(new) - 'status' = to_jsonb(old) - 'status' then
      return new;
    end if;
  elsif not exists (select from public.orgs as o where o.id = old.org_id)
     or not exists (select from public.clients as c where c.id = old.client_id) then
    return old;  -- goes with its client, or the whole org
  end if;
  raise exception using errcode = 'PT403', message = 'waiver_is_signed',
    hint = 'A signed waiver stays as it was signed; it can only be revoked (status expired).';
end;
$$;
comment on function app.keep_signed_waiver() is
  'What was signed never changes, whoever asks, and stays as long as its client; the one thing left to do is to revoke '
  'it (status expired), for good. Raises PT403 waiver_is_signed.';
revoke all on function app.keep_signed_waiver() from public, anon, authenticated, service_role;

create or replace trigger client_waivers_keep_signed before update or delete on public.client_waivers
  for each row when (old.signed_at is not null) execute function app.keep_signed_waiver();
