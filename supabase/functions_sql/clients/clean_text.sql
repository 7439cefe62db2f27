create or replace function app.clean_text(
  p_field text, p_text text, p_max_length integer, p_keep_lines boolean default false
) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  v_text text := nullif(
    case when p_keep_lines then regexp_replace(p_text, '^\s+|\s+$', '', 'g')
         else btrim(regexp_replace(p_text, '\s+', ' ', 'g')) end, '');
begin
  if length(v_text) > p_max_length then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s may have at most %s characters.', p_field, p_max_length);
  end if;
  return v_text;
end;
$$;
comment on function app.clean_text(text, text, integer, boolean) is
  'A visitor''s text as it is stored: without blanks around it, on one line unless p_keep_lines, null when empty. '
  'Raises PT400 <p_field>_invalid when it is longer than p_max_length characters; p_field is never the visitor''s.';
revoke all on function app.clean_text(text, text, integer, boolean) from public, anon, authenticated, service_role;
