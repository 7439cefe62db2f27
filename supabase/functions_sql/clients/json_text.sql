create or replace function app.json_text(p_field text, p_value jsonb) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if jsonb_typeof(p_value) not in ('string', 'null') then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must be a text.', p_field);
  end if;
  return p_value #>> '{}';
end;
$$;
comment on function app.json_text(text, jsonb) is
  'A JSON value that must be a text or null. Raises PT400 <p_field>_invalid for another one.';
revoke all on function app.json_text(text, jsonb) from public, anon, authenticated, service_role;
