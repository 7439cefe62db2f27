create or replace function app.clean_text(
  p_field text, p_text text, p_max_length integer, p_keep_lines boolean default false
) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  -- Without what no keyboard types: control characters, and marks that turn the text around them, here and where it is
  -- shown or sent on.
  v_text text := regexp_replace(
    p_text, '[\u0001-\u0008\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]', '', 'g');
begin
  v_text := case
    -- Nothing that can be seen is nothing.
    when v_text !~ '[^\s\u00AD\u034F\u061C\u180E\u200B-\u200F\u2060-\u2064\uFEFF]' then null
    when p_keep_lines then regexp_replace(v_text, '^\s+|\s+$', '', 'g')
    else btrim(regexp_replace(v_text, '\s+', ' ', 'g'))
  end;
  if length(v_text) > p_max_length then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s may have at most %s characters.', p_field, p_max_length);
  end if;
  return v_text;
end;
$$;
comment on function app.clean_text(text, text, integer, boolean) is
  'A visitor''s text as it is stored: without blanks around it, on one line unless p_keep_lines, without control '
  'characters and marks of direction, null when nothing in it can be seen. '
  'Raises PT400 <p_field>_invalid when it is longer than p_max_length characters; p_field is never the visitor''s.';
revoke all on function app.clean_text(text, text, integer, boolean) from public, anon, authenticated, service_role;
