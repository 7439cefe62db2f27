create or replace function app.sms_backoff(p_attempts integer, p_message_id uuid, p_retry_after_s integer)
  returns interval
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return make_interval(secs => greatest(
    least(60 * 2 ^ least(greatest(p_attempts, 1) - 1, 6), 3600)
      -- Not all at once again: up to a quarter more, the same for the same text.
      * (1 + (hashtextextended(p_message_id::text, p_attempts) & 1023) / 4096.0),
    case when p_retry_after_s is not null then least(p_retry_after_s, 3600) end
  ));
end;
$$;
comment on function app.sms_backoff(integer, uuid, integer) is
  'How long to wait after so many attempts: a minute, doubling, at most an hour, and up to a quarter more; and at least '
  'what the provider asked for (Retry-After), within that hour.';
revoke all on function app.sms_backoff(integer, uuid, integer) from public, anon, authenticated, service_role;
