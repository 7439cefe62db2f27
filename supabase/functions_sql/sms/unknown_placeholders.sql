create or replace function app.unknown_placeholders(p_words text, p_known text[]) returns text[]
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  -- Whatever stands behind an opening and is not filled would reach the client as it is written.
  select array_agg(distinct p.name order by p.name)
    from (
      select coalesce((regexp_match(piece, '^\s*([A-Za-z0-9_]+)\s*\}\}'))[1], left(piece, 20)) as name,
             piece ~ '^\s*[A-Za-z0-9_]+\s*\}\}' as closed
        from string_to_table(p_words, '{{') with ordinality as s (piece, n)
       where n > 1
    ) as p
   where not p.closed or p.name <> all (p_known);
$$;
comment on function app.unknown_placeholders(text, text[]) is
  'What app.render_sms_template() could not fill: names not in p_known, and the text behind a {{ that nothing closes. '
  'Null: nothing.';
revoke all on function app.unknown_placeholders(text, text[]) from public, anon, authenticated, service_role;
