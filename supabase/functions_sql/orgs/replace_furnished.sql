create or replace function app.replace_furnished() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The existing sign-up and the platform's admin page insert these right after the org, which has them from birth.
  -- A row is as it was born while it is as old as its org; then it makes way, and the insert goes on under the
  -- inserter's own rights: when those do not suffice, the statement fails and nothing is gone.
  execute format(
    'delete from public.%I as t using public.orgs as o'
    ' where t.org_id = $1 and o.id = t.org_id and t.updated_at = o.created_at', tg_table_name
  ) using new.org_id;
  return new;
end;
$$;
comment on function app.replace_furnished() is
  'A settings row that nobody has touched since app.furnish_org() made it gives way to one that is inserted; one that '
  'somebody has touched does not (23505).';
revoke all on function app.replace_furnished() from public, anon, authenticated, service_role;

create or replace trigger branding_replace_furnished before insert on public.branding
  for each row execute function app.replace_furnished();
create or replace trigger booking_settings_replace_furnished before insert on public.booking_settings
  for each row execute function app.replace_furnished();
