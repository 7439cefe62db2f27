create or replace function app.request_ip() returns text
  language plpgsql stable security invoker set search_path = ''
as $$
begin
  -- The first address of the header is what the outermost proxy was told. Source:
  -- https://docs.postgrest.org/en/stable/references/transactions.html#request-headers-cookies-and-jwt-claims
  return host(btrim(split_part(
    nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-forwarded-for', ',', 1))::inet);
exception when invalid_text_representation then
  return null;
end;
$$;
comment on function app.request_ip() is
  'Address of the visitor whom the API is serving, as its proxies tell it: a hint, no proof. Null when they do not.';
revoke all on function app.request_ip() from public, anon, authenticated, service_role;
