create or replace function app.id_in_metadata(p_object jsonb, p_key text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return app.id_in_text(p_object -> 'metadata' ->> p_key);
end;
$$;
comment on function app.id_in_metadata(jsonb, text) is
  'The id that a Stripe object''s metadata has under a key; null: none, or what is no id. Whose row it names is for the '
  'caller to check: anybody with the account may write metadata.';
revoke all on function app.id_in_metadata(jsonb, text) from public, anon, authenticated, service_role;
