create or replace function app.explain_counter(
  p_entry_type text default null, p_booking_id uuid default null, p_booking_seq integer default null,
  p_reason text default null
) returns text
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  return set_config('coach_os.counter_cause', concat(p_entry_type, '|', p_booking_id, '|', p_booking_seq, '|', p_reason), true);
end;
$$;
comment on function app.explain_counter(text, uuid, integer, text) is
  'Says what the next change of a pack''s counter in this transaction is for: the entry type, the booking and the number of '
  'its entry, and the reason. That change uses it up (app.write_ledger_entry); call it with nothing when there was none.';
revoke all on function app.explain_counter(text, uuid, integer, text) from public, anon, authenticated, service_role;
