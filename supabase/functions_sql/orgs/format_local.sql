create or replace function app.format_local(p_at timestamptz, p_timezone text, p_pattern text) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  return to_char(p_at at time zone app.require_timezone(p_timezone), p_pattern);
end;
$$;
comment on function app.format_local(timestamptz, text, text) is
  'An instant as text in an IANA zone, with a to_char pattern; whatever the session''s own time zone. Null of null '
  'and of infinity. Error: PT400 timezone_unknown.';
revoke all on function app.format_local(timestamptz, text, text) from public, anon, authenticated, service_role;
