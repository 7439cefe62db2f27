create or replace function app.cut_sms(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_limit constant integer := 1600;
  v_over integer := length(p_body) + length(regexp_replace(p_body, '[^\U00010000-\U0010FFFF]', '', 'g')) - v_limit;
begin
  if v_over <= 0 then
    return p_body;
  end if;
  -- As many characters as there are units too many, and three for the dots.
  return regexp_replace(left(p_body, -(v_over + 3)), '\s+\S*$', '') || '...';
end;
$$;
comment on function app.cut_sms(text) is
  'A text no longer than Twilio takes: what has more than 1600 UTF-16 units is cut after a whole word, and ends in "...". '
  'Source: https://www.twilio.com/docs/messaging/api/message-resource (body)';
revoke all on function app.cut_sms(text) from public, anon, authenticated, service_role;
