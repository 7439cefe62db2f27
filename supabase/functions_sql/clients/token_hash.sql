create or replace function app.token_hash(p_token uuid) returns bytea
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  select sha256(uuid_send(p_token));
$$;
comment on function app.token_hash(uuid) is
  'By what a used token is recognised without being kept. Unsalted: a token is 122 random bits, nobody guesses one.';
revoke all on function app.token_hash(uuid) from public, anon, authenticated, service_role;
