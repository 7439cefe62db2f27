create or replace function app.format_local(p_at timestamptz, p_timezone text, p_pattern text) returns text
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select to_char(p_at at time zone p_timezone, p_pattern);
$$;
comment on function app.format_local(timestamptz, text, text) is
  'An instant as text in an IANA zone, with a to_char pattern; whatever the session''s own time zone.';
revoke all on function app.format_local(timestamptz, text, text) from public, anon, authenticated, service_role;
