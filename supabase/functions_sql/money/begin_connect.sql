create or replace function app.begin_connect(p_user_id uuid, p_org_id uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_account public.stripe_accounts;
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  select a.* into v_account from public.stripe_accounts as a where a.org_id = p_org_id;
  return jsonb_build_object(
    'account_id', case when v_account.disconnected_at is null then v_account.stripe_account_id end,
    'idempotency_key', concat_ws('-', 'connect', p_org_id, v_account.stripe_account_id)
  );
end;
$$;
comment on function app.begin_connect(uuid, uuid) is
  'Of an org whose owner p_user_id (verified by the caller) is, account_id: its connected account; null: it has none, or '
  'its owner disconnected it and another one is to be made, under idempotency_key: the same for every click until then. '
  'Raises PT404 org_not_found.';
revoke all on function app.begin_connect(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.begin_connect(uuid, uuid) to coach_os_sidecar;
