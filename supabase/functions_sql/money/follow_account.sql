create or replace function app.follow_account() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.stripe_account_id = old.stripe_account_id then
    return null;
  end if;
  if tg_op <> 'INSERT' then
    delete from app.reconciliations as r where r.account_id = old.stripe_account_id;
  end if;
  if tg_op <> 'DELETE' then
    insert into app.reconciliations (account_id, since, due_at) values (new.stripe_account_id, now(), now())
    on conflict (account_id) do nothing;
  end if;
  return null;
end;
$$;
comment on function app.follow_account() is
  'Has a connected account''s money compared with Stripe from the day it was connected (app.reconciliations).';
revoke all on function app.follow_account() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_reconciled
  after insert or delete or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.follow_account();
