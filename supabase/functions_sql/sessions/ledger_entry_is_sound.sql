create or replace function app.ledger_entry_is_sound(p_entry public.session_ledger) returns boolean
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return p_entry.entry_type in ('booking', 'manual', 'release', 'adjustment', 'opening')
     and p_entry.sessions_used_after >= 0
     and (p_entry.total_delta = 0 or p_entry.entry_type = 'adjustment')
     and (p_entry.delta <> 0 or p_entry.total_delta <> 0
          or (p_entry.entry_type = 'release' and p_entry.booking_id is not null))
     -- A booking's entries are numbered 1, 2, 3 … and alternate: taken, given back, taken again. So whatever writes them,
     -- a booking has taken either one session or none. What a correction by hand gave back before moves nothing.
     and ((p_entry.booking_id is null and p_entry.booking_seq is null)
          or (p_entry.booking_seq >= 1
              and case when p_entry.booking_seq % 2 = 1 then p_entry.delta = 1 else p_entry.delta in (-1, 0) end));
end;
$$;
comment on function app.ledger_entry_is_sound(public.session_ledger) is
  'The check of session_ledger: each entry moves something, in the way its type may, and a booking''s entries alternate between '
  'taken (odd booking_seq, +1) and given back (even, -1 or 0). A function, since Postgres reads the text of an ordinary check anew '
  'in each statement: five of them took a fifth of using a session.';
revoke all on function app.ledger_entry_is_sound(public.session_ledger) from public, anon, authenticated, service_role;
