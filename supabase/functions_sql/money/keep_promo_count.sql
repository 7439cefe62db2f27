create or replace function app.keep_promo_count() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- Inside a definer function the current user is its owner; a request of the API's own is one of these.
  if current_user in ('anon', 'authenticated', 'service_role') then
    new.times_used := old.times_used;
  end if;
  return new;
end;
$$;
comment on function app.keep_promo_count() is
  'promo_codes.times_used is counted by the database: what the API writes there is ignored. The existing page writes '
  '"what I loaded, plus one" after each sale, which would lose a use sold meanwhile and double its own.';
revoke all on function app.keep_promo_count() from public, anon, authenticated, service_role;

create or replace trigger promo_codes_keep_count before update of times_used on public.promo_codes
  for each row execute function app.keep_promo_count();
