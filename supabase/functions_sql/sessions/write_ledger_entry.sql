create or replace function app.write_ledger_entry() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_delta integer := new.sessions_used - case when tg_op = 'INSERT' then 0 else old.sessions_used end;
  v_total_delta integer := case when tg_op = 'INSERT' then 0
                                else coalesce(new.sessions_total, 0) - coalesce(old.sessions_total, 0) end;
  -- Entry type, booking, number of the booking's entry, reason: set by app.explain_counter(), empty after a direct write.
  v_cause text[] := string_to_array(current_setting('coach_os.counter_cause', true), '|', '');
  v_used_up text;
begin
  if v_cause[1] is null then
    if v_delta = 0 and v_total_delta = 0 then
      return null;
    end if;
    -- What was never paid or used is still being written down: a coach may correct it, and delete it.
    if v_delta = 0 and tg_op = 'UPDATE' and new.payment_status in ('pending', 'failed')
       and old.payment_status in ('pending', 'failed')
       and not exists (select from public.session_ledger as l where l.purchase_id = new.id) then
      return null;
    end if;
    v_cause[1] := case when tg_op = 'INSERT' then 'opening' else 'adjustment' end;
  end if;
  v_used_up := set_config('coach_os.counter_cause', '', true);
  insert into public.session_ledger (
    org_id, purchase_id, booking_id, entry_type, delta, total_delta, sessions_used_after, booking_seq, actor_id, reason
  ) values (
    new.org_id, new.id, v_cause[2]::uuid, v_cause[1], v_delta, v_total_delta, new.sessions_used, v_cause[3]::integer,
    auth.uid(), v_cause[4]
  );
  return null;
end;
$$;
comment on function app.write_ledger_entry() is
  'Every change of a pack''s sessions_used or sessions_total, through any door, becomes one ledger entry with its actor; '
  'nothing else writes entries, so the counter is always their sum. A change that no function of ours explains '
  '(app.explain_counter) is an adjustment. No entry: the total of a pack that was never paid and has none.';
revoke all on function app.write_ledger_entry() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_write_ledger_entry
  after insert or update of sessions_used, sessions_total on public.client_purchases
  for each row execute function app.write_ledger_entry();
