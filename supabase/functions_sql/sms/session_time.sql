create or replace function app.session_time(p_at timestamptz, p_timezone text) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  return app.format_local(p_at, p_timezone, 'FMDy FMDD FMMon "at" FMHH12:MI am');
end;
$$;
comment on function app.session_time(timestamptz, text) is
  'When a session is, as every text says it: "Mon 5 Jan at 9:00 am", in an IANA zone.';
revoke all on function app.session_time(timestamptz, text) from public, anon, authenticated, service_role;
