create or replace function app.book_invoice(p_org_id uuid, p_invoice jsonb) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_invoice ->> 'status' is distinct from 'paid' or jsonb_typeof(p_invoice -> 'payments' -> 'data') <> 'array' then
    return false;
  end if;
  perform app.apply_invoice(
    p_org_id, p_invoice,
    to_timestamp(coalesce(p_invoice -> 'status_transitions' ->> 'paid_at', p_invoice ->> 'created')::bigint)
  );
  return true;
end;
$$;
comment on function app.book_invoice(uuid, jsonb) is
  'Books the payments of a paid invoice that was fetched with them (expand: payments). Returns whether it was one.';
revoke all on function app.book_invoice(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_invoice(uuid, jsonb) to coach_os_worker;
