create or replace function app.run_variables(p_client_name text, p_facts jsonb) returns jsonb
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return jsonb_build_object(
    'name', btrim(p_client_name), 'first_name', split_part(btrim(p_client_name), ' ', 1),
    'days_inactive', p_facts -> 'days_since_activity'
  );
end;
$$;
comment on function app.run_variables(text, jsonb) is
  'What the placeholders of an automation''s texts stand for, for a client with this name and these app.client_facts().';
revoke all on function app.run_variables(text, jsonb) from public, anon, authenticated, service_role;
