create or replace function app.cut_sms(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_cut text := p_body;
  v_room integer := 1600;
  v_over integer;
begin
  if octet_length(p_body) <= v_room then
    return p_body;
  end if;
  loop
    v_over := length(v_cut) + regexp_count(v_cut, '[\U00010000-\U0010FFFF]') - v_room;
    exit when v_over <= 0 or v_over is null;
    -- Room for the dots, and a character is two units at most.
    v_over := v_over + v_room - 1597;
    v_room := 1597;
    v_cut := left(v_cut, -((v_over + 1) / 2));
  end loop;
  return case when v_cut = p_body then v_cut else regexp_replace(v_cut, '\s+\S{0,40}$', '') || '...' end;
end;
$$;
comment on function app.cut_sms(text) is
  'A text no longer than Twilio takes: what has more than 1600 UTF-16 units is cut, after a whole word where there is one '
  'within the last 40 characters, and ends in "...". '
  'Source: https://www.twilio.com/docs/messaging/api/message-resource (body)';
revoke all on function app.cut_sms(text) from public, anon, authenticated, service_role;
