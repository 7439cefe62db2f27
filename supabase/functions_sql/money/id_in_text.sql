create or replace function app.id_in_text(p_text text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end;
end;
$$;
comment on function app.id_in_text(text) is
  'The id that a text from outside is; null: none, or what is no id. Whose row it names is for the caller to check.';
revoke all on function app.id_in_text(text) from public, anon, authenticated, service_role;
