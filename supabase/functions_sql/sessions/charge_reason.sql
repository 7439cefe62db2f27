-- plpgsql, as for everything that each completed booking calls: a SQL function is planned anew by every statement.
create or replace function app.charge_reason(p_status text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case p_status when 'no_show' then 'no_show' when 'cancelled' then 'late_cancellation'
                       when 'completed' then 'completed' end;
end;
$$;
comment on function app.charge_reason(text) is
  'What a booking in this state is charged for: completed, no_show, late_cancellation; null: in advance.';
revoke all on function app.charge_reason(text) from public, anon, authenticated, service_role;
