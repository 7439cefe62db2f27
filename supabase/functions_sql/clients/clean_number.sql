create or replace function app.clean_number(p_field text, p_value jsonb, p_most numeric) returns numeric
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  v_text text := nullif(btrim(p_value #>> '{}'), '');
  v_number numeric;
begin
  -- A form field gives digits as text; the pattern also keeps a number of a thousand digits out.
  if jsonb_typeof(p_value) in ('number', 'string', 'null') and (v_text is null or v_text ~ '^\d{1,6}(\.\d{1,9})?$') then
    v_number := round(v_text::numeric, 2);
    if v_number is null or (v_number > 0 and v_number <= p_most) then
      return v_number;
    end if;
  end if;
  raise exception using errcode = 'PT400', message = p_field || '_invalid',
    hint = format('%s must be a number above 0, up to %s.', p_field, p_most);
end;
$$;
comment on function app.clean_number(text, jsonb, numeric) is
  'A visitor''s number, also as a text of digits, to two decimals; null when empty. Raises PT400 <p_field>_invalid when '
  'it is none, not above 0, or above p_most.';
revoke all on function app.clean_number(text, jsonb, numeric) from public, anon, authenticated, service_role;
