create or replace function app.record_direct_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_delta integer := new.sessions_used - case when tg_op = 'INSERT' then 0 else old.sessions_used end;
  v_total_delta integer := case when tg_op = 'INSERT' then 0
                                else coalesce(new.sessions_total, 0) - coalesce(old.sessions_total, 0) end;
begin
  if (v_delta = 0 and v_total_delta = 0) or coalesce(current_setting('coach_os.ledger_entry', true), '') <> '' then
    return null;  -- unchanged, or changed by the ledger entry being inserted
  end if;
  -- What was never paid or used is still being written down: a coach may correct it, and delete it.
  if v_delta = 0 and tg_op = 'UPDATE' and new.payment_status in ('pending', 'failed')
     and old.payment_status in ('pending', 'failed')
     and not exists (select from public.session_ledger as l where l.purchase_id = new.id) then
    return null;
  end if;
  insert into public.session_ledger (org_id, purchase_id, entry_type, delta, total_delta, sessions_used_after)
  values (new.org_id, new.id, case when tg_op = 'INSERT' then 'opening' else 'adjustment' end,
          v_delta, v_total_delta, new.sessions_used);
  return null;
end;
$$;
comment on function app.record_direct_change() is
  'A direct write to sessions_used or sessions_total of a pack becomes a ledger entry with its actor; but for the total of '
  'one that was never paid and has no entry.';
revoke all on function app.record_direct_change() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_record_direct_change
  after insert or update of sessions_used, sessions_total on public.client_purchases
  for each row execute function app.record_direct_change();
