create or replace function app.clean_phone(p_field text, p_phone text, p_country text) returns text
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_typed text := app.clean_text(p_field, p_phone, 40);
  v_phone text := app.normal_phone(v_typed, p_country);
begin
  if v_typed is not null and v_phone is null then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = 'Give a whole phone number; one of another country begins with + and the country''s code.';
  end if;
  return v_phone;
end;
$$;
comment on function app.clean_phone(text, text, text) is
  'A phone number that a visitor types, in E.164 (app.normal_phone); null when empty. Raises PT400 <field>_invalid.';
revoke all on function app.clean_phone(text, text, text) from public, anon, authenticated, service_role;
