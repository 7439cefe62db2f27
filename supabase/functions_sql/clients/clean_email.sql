create or replace function app.clean_email(p_field text, p_email text) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  v_email text := app.clean_text(p_field, p_email, 254);  -- RFC 5321, 4.5.3.1.3, without the angle brackets
begin
  if v_email !~ '^[^\s@<>"(),;:]+@[^\s@<>"(),;:]+\.[^\s@<>"(),;:.]+$' then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must look like name@example.com.', p_field);
  end if;
  return v_email;
end;
$$;
comment on function app.clean_email(text, text) is
  'An e-mail address as it is stored: as given, without blanks around it, null when empty. Raises PT400 '
  '<p_field>_invalid when it does not look like one.';
revoke all on function app.clean_email(text, text) from public, anon, authenticated, service_role;
