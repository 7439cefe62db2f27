create or replace function app.audit_entry(
  p_table name, p_old jsonb, p_new jsonb,
  out org_id uuid, out row_id uuid, out action text, out actor_role text, out changes jsonb
)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_row jsonb := coalesce(p_new, p_old);
  v_exceptions record := app.audit_exceptions(p_table);
begin
  action := case when p_old is null then 'insert' when p_new is null then 'delete' else 'update' end;
  select jsonb_object_agg(c.key, case
           when c.key = any (v_exceptions.secret) then '{"changed": true}'
           when action = 'update' then jsonb_build_object('from', p_old -> c.key, 'to', c.value)
           else c.value
         end)
    into changes
    from jsonb_each(v_row - v_exceptions.left_out) as c
   where c.value <> case action when 'update' then p_old -> c.key else 'null' end;
  if changes is null then
    return;
  end if;
  row_id := coalesce(v_row ->> 'id', v_row ->> 'org_id');
  org_id := coalesce(v_row ->> 'org_id', v_row ->> 'id');
  actor_role := app.actor_role(org_id);
  if actor_role is not null and p_table = 'org_members' and (p_old ->> 'user_id')::uuid = auth.uid() then
    actor_role := p_old ->> 'role';  -- who leaves, or becomes something else, did so as what they were
  end if;
end;
$$;
comment on function app.audit_entry(name, jsonb, jsonb) is
  'What public.audit_events says about one row written (p_old null: inserted, p_new null: deleted). actor_role is null '
  'when there is nothing to say: nothing changed that counts, or the whole org is gone.';
revoke all on function app.audit_entry(name, jsonb, jsonb) from public, anon, authenticated, service_role;
