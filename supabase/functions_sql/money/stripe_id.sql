create or replace function app.stripe_id(p_reference jsonb) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case jsonb_typeof(p_reference)
    when 'string' then nullif(p_reference #>> '{}', '')
    when 'object' then p_reference ->> 'id'
  end;
end;
$$;
comment on function app.stripe_id(jsonb) is
  'The id in a field of a Stripe object that refers to another one, expanded or not; null: it refers to none. '
  'Source: https://docs.stripe.com/api/expanding_objects';
revoke all on function app.stripe_id(jsonb) from public, anon, authenticated, service_role;
