create or replace function app.keep_commission_rate() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if current_setting('role') in ('anon', 'authenticated') and not app.is_platform_admin() then
    raise exception using errcode = 'PT403', message = 'commission_rate_is_the_platforms',
      hint = 'Only an admin of the platform changes what it earns.';
  end if;
  return new;
end;
$$;
comment on function app.keep_commission_rate() is
  'orgs.commission_rate is changed by the platform, not by a coach. Raises PT403 commission_rate_is_the_platforms.';
revoke all on function app.keep_commission_rate() from public, anon, authenticated, service_role;

create or replace trigger orgs_keep_commission_rate_at_birth before insert on public.orgs
  for each row when (new.commission_rate <> 0.05) -- the column's default
  execute function app.keep_commission_rate();
create or replace trigger orgs_keep_commission_rate before update of commission_rate on public.orgs
  for each row when (old.commission_rate is distinct from new.commission_rate)
  execute function app.keep_commission_rate();
