create or replace function app.retry_delay(p_attempts integer) returns interval
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if p_attempts >= 30 then
    return null;
  end if;
  return least(interval '1 minute' * 2 ^ least(greatest(p_attempts, 1) - 1, 20), interval '6 hours');
end;
$$;
comment on function app.retry_delay(integer) is
  'How long to wait after so many attempts that failed: a minute, doubling, six hours at most; null after the thirtieth, '
  'some five days later: not again by itself.';
revoke all on function app.retry_delay(integer) from public, anon, authenticated, service_role;
