create or replace function app.classify_reply(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_text text := app.clean_reply(p_body);
  -- At most one please or thanks on either side.
  v_bare text := regexp_replace(
    regexp_replace(v_text, '^(please|thanks|thank you)[ ,.!]+', ''), '[ ,.!]+(please|thanks|thank you)$', '');
begin
  return case
    -- https://help.twilio.com/articles/223134027 (opt-out keywords)
    when v_text in ('stop', 'stopall', 'stop all', 'unsubscribe', 'cancel', 'end', 'quit', 'revoke', 'optout',
                    'opt out', 'opt-out') then 'stop'
    when v_text in ('start', 'unstop') then 'start'
    when v_text in ('help', 'info') then 'help'
    -- nfkc makes "?" of most question marks that would be trimmed, but ";" of the Greek one.
    when normalize(p_body, nfkc) ~ '\?' or p_body ~ '\u037E' then 'other'
    when v_bare in ('y', 'yes', 'yep', 'yup', 'yeah', 'confirm', 'confirmed', 'i confirm', 'yes confirmed')
      then 'confirm'
    when v_bare in ('n', 'no', 'nope') then 'decline'
    else 'other'
  end;
end;
$$;
comment on function app.classify_reply(text) is
  'What a client''s text means, by the whole of it: stop, start, help, confirm, decline, or other. A wrong confirm is '
  'worse than a missed one, so whatever is not foreseen, questions and conditions too, is other.';
revoke all on function app.classify_reply(text) from public, anon, authenticated, service_role;
