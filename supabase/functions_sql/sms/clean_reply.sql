create or replace function app.clean_reply(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return lower(regexp_replace(
    regexp_replace(
      regexp_replace(
        regexp_replace(normalize(coalesce(p_body, ''), nfkc),
          -- What a phone adds unseen: control characters, zero-width and bidi marks, fillers, variation selectors, tags.
          '[\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F'
          '\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E01EF]', '', 'g'),
        -- Any dash as the one on a keyboard.
        '[\u2010-\u2015\u2212]', '-', 'g'),
      -- What a hand adds around it: space, quotes, punctuation. Question marks are no such thing, but ASCII's is, and
      -- app.classify_reply() looks for that one first.
      '^[\s!-/:-@\[-`{-~\u0085\u00A1\u00AB\u00B4\u00B7\u00BB\u2016-\u2027\u2030-\u203A\u3001-\u3003\u3008-\u3011]+'
      '|[\s!-/:-@\[-`{-~\u0085\u00A1\u00AB\u00B4\u00B7\u00BB\u2016-\u2027\u2030-\u203A\u3001-\u3003\u3008-\u3011]+$',
      '', 'g'),
    '\s+', ' ', 'g'));
end;
$$;
comment on function app.clean_reply(text) is
  'A client''s whole text as keywords are looked for in it: NFKC, without invisible characters and without space, quotes '
  'and punctuation around it, in lower case.';
revoke all on function app.clean_reply(text) from public, anon, authenticated, service_role;
