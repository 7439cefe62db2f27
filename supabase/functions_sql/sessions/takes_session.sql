create or replace function app.takes_session(p_status text, p_forfeited boolean) returns boolean
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  select p_status = 'completed' or (p_status in ('no_show', 'cancelled') and p_forfeited);
$$;
comment on function app.takes_session(text, boolean) is
  'Whether a booking in this state is charged a session: it took place, or it was forfeited.';
revoke all on function app.takes_session(text, boolean) from public, anon, authenticated, service_role;
