create or replace function app.text_version(p_text text) returns text
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
$$;
comment on function app.text_version(text) is
  'SHA-256 of a text in UTF-8, as hexadecimal digits: says which version of it was meant.';
revoke all on function app.text_version(text) from public, anon, authenticated, service_role;
