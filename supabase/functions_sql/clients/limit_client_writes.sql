create or replace function app.limit_client_writes() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_own_columns text[] := tg_argv[0]::text[];
begin
  if app.acts_for_org(new.org_id) then
    return new;
  end if;
  if to_jsonb(new) - v_own_columns <> to_jsonb(old) - v_own_columns then
    raise exception using errcode = 'PT403', message = 'column_not_yours',
      hint = format('A client may change only %s here.', array_to_string(v_own_columns, ', '));
  end if;
  return new;
end;
$$;
comment on function app.limit_client_writes() is
  'An end client changes only the columns named as argument of their own row. Raises PT403 column_not_yours.';
revoke all on function app.limit_client_writes() from public, anon, authenticated, service_role;

-- Generated columns and updated_at are worked out after this one: triggers fire by name.
-- Like row security it is for those who write the table themselves: a function with its owner's rights checks its
-- caller on its own (a visitor's form is sent by nobody who acts for the org).
create or replace trigger clients_limit_client_writes before update on public.clients
  for each row when (current_user in ('anon', 'authenticated')) execute function app.limit_client_writes('{email,weight_kg}');
