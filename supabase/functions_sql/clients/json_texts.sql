create or replace function app.json_texts(p_field text, p_value jsonb) returns text[]
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if jsonb_typeof(p_value) = 'null' then
    return null;
  end if;
  if jsonb_typeof(p_value) <> 'array'
     or exists (select from jsonb_path_query(p_value, 'strict $[*]') as i (item) where jsonb_typeof(i.item) <> 'string')
  then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must be a list of texts.', p_field);
  end if;
  return array(select i.item from jsonb_array_elements_text(p_value) with ordinality as i (item, n) order by i.n);
end;
$$;
comment on function app.json_texts(text, jsonb) is
  'A JSON value that must be a list of texts or null. Raises PT400 <p_field>_invalid for another one.';
revoke all on function app.json_texts(text, jsonb) from public, anon, authenticated, service_role;
