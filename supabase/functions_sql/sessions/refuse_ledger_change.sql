create or replace function app.refuse_ledger_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and not exists (select from public.orgs as o where o.id = old.org_id) then
    return old;  -- the whole org goes
  end if;
  raise exception using errcode = 'PT403', message = 'ledger_is_append_only',
    hint = 'Correct a count with a new entry: use_session(), release_session() or an edit of the pack.';
end;
$$;
comment on function app.refuse_ledger_change() is
  'The session ledger is append-only, for everyone; it goes only with its org. And only a change of a pack''s counter adds to it.';
revoke all on function app.refuse_ledger_change() from public, anon, authenticated, service_role;

create or replace trigger session_ledger_append_only
  before update or delete on public.session_ledger
  for each row execute function app.refuse_ledger_change();
create or replace trigger session_ledger_no_truncate
  before truncate on public.session_ledger
  for each statement execute function app.refuse_ledger_change();
-- An entry written by hand would explain a change that never was. Depth 0: not from within app.write_ledger_entry().
create or replace trigger session_ledger_by_counter_only
  before insert on public.session_ledger
  for each row when (pg_trigger_depth() = 0) execute function app.refuse_ledger_change();
