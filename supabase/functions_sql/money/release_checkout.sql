create or replace function app.release_checkout() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if old.status = 'open' then
    perform app.give_back_promo_use(old.promo_code_id);
  end if;
  return null;
end;
$$;
comment on function app.release_checkout() is
  'Gives back the promo code''s use that an open checkout held when it goes with its offer or its client: nobody expires it '
  'any more.';
revoke all on function app.release_checkout() from public, anon, authenticated, service_role;

create or replace trigger checkouts_release after delete on app.checkouts
  for each row execute function app.release_checkout();
