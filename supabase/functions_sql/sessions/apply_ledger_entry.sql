create or replace function app.apply_ledger_entry() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.actor_id := coalesce(new.actor_id, auth.uid());
  if new.entry_type in ('opening', 'adjustment') then
    return new;  -- written by app.record_direct_change(), which saw the counter change
  end if;
  perform set_config('coach_os.ledger_entry', new.id::text, true);
  -- Check and change are one statement; the row lock makes two spenders of the last session take turns.
  update public.client_purchases as p
     set sessions_used = p.sessions_used + new.delta
   where p.id = new.purchase_id
     and p.sessions_used + new.delta between 0 and coalesce(p.sessions_total, 0)
  returning p.sessions_used, p.org_id into new.sessions_used_after, new.org_id;
  if not found then
    raise exception using errcode = 'PT409', message = 'no_session_left',
      hint = 'The pack has no session left to use, or none to give back.';
  end if;
  perform set_config('coach_os.ledger_entry', '', true);
  -- Whoever pays for it, the booking is covered from here on. Looked for first: an update has triggers of its own, also
  -- when it finds nothing.
  if new.delta > 0 and exists (
       select from public.bookings as b where b.id = new.booking_id and b.uncovered_reason is not null
     ) then
    update public.bookings as b set uncovered_reason = null where b.id = new.booking_id;
  end if;
  return new;
end;
$$;
comment on function app.apply_ledger_entry() is
  'An entry and the counter it explains change together, never outside 0..sessions_total (PT409 no_session_left).';
revoke all on function app.apply_ledger_entry() from public, anon, authenticated, service_role;

create or replace trigger session_ledger_apply
  before insert on public.session_ledger
  for each row execute function app.apply_ledger_entry();
