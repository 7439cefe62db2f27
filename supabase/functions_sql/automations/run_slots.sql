create or replace function app.run_slots(p_slot_ids bigint[], p_now timestamptz, p_limit integer) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id bigint;
  v_left integer := p_limit;
  v_done integer := 0;
begin
  foreach v_id in array p_slot_ids loop
    exit when v_left <= 0;
    begin
      v_left := v_left - app.run_slot(v_id, p_now, v_left);
    exception when others then
      -- One that cannot be done at all must not keep the others from being done.
      raise warning 'an automation could not be run (%)', sqlstate;
      update app.automation_slots as s
         set attempts = s.attempts + 1,
             run_at = p_now + coalesce(app.retry_delay(s.attempts + 1), interval '6 hours')
       where s.id = v_id;
      v_left := v_left - 1;
    end;
    v_done := v_done + 1;
  end loop;
  return v_done;
end;
$$;
comment on function app.run_slots(bigint[], timestamptz, integer) is
  'app.run_slot() for these in turn, each in a subtransaction of its own, until p_limit clients were looked at: one that '
  'fails as a whole is put off. Returns how many slots it took up.';
revoke all on function app.run_slots(bigint[], timestamptz, integer) from public, anon, authenticated, service_role;
