create or replace function app.classify_reply(p_body text) returns text
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  -- The whole message counts: a wrong confirm is worse than a missed one, so anything unforeseen is "other".
  -- Without what a phone adds unseen (zero-width and bidi marks) or a hand adds around (space, quotes, dots).
  with cleaned (text) as (
    select lower(regexp_replace(
             regexp_replace(
               regexp_replace(normalize(coalesce(p_body, ''), nfkc),
                              '[\u00AD\u034F\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFE00-\uFE0F\uFEFF]',
                              '', 'g'),
               '^[\s!-/:-@\[-`{-~‘’“”„«»‹›。]+|[\s!-/:-@\[-`{-~‘’“”„«»‹›。]+$', '', 'g'),
             '\s+', ' ', 'g'))
  ),
  bare (text) as (
    select regexp_replace(regexp_replace(c.text, '^(please|thanks|thank you)[ ,.!]+', ''),
                          '[ ,.!]+(please|thanks|thank you)$', '')
      from cleaned as c
  )
  select case
    -- https://help.twilio.com/articles/223134027 (opt-out keywords)
    when c.text in ('stop', 'stopall', 'stop all', 'unsubscribe', 'cancel', 'end', 'quit', 'revoke',
                    'optout', 'opt out', 'opt-out') then 'stop'
    when c.text in ('start', 'unstop') then 'start'
    when c.text in ('help', 'info') then 'help'
    -- nfkc turns every question mark that would be trimmed into "?", but the Greek one (U+037E) into ";".
    when normalize(p_body, nfkc) ~ '\?' or p_body ~ '\u037E' then 'other'
    when b.text in ('y', 'yes', 'yep', 'yup', 'yeah', 'confirm', 'confirmed', 'i confirm', 'yes confirmed')
      then 'confirm'
    when b.text in ('n', 'no', 'nope') then 'decline'
    else 'other'
  end
  from cleaned as c, bare as b;
$$;
comment on function app.classify_reply(text) is
  'What a client''s text means: confirm, decline, stop, start, help or other.';
revoke all on function app.classify_reply(text) from public, anon, authenticated, service_role;
