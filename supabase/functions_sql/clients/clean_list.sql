create or replace function app.clean_list(p_field text, p_items text[], p_max_items integer, p_max_length integer)
  returns text[]
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if cardinality(p_items) > p_max_items then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s may have at most %s entries.', p_field, p_max_items);
  end if;
  return (
    select array_agg(c.item order by i.n)
      from unnest(p_items) with ordinality as i (item, n), app.clean_text(p_field, i.item, p_max_length) as c (item)
     where c.item is not null
  );
end;
$$;
comment on function app.clean_list(text, text[], integer, integer) is
  'A visitor''s list as it is stored: its texts clean, empty ones left out, null when none is left. Raises PT400 '
  '<p_field>_invalid when it has more than p_max_items entries, or one of more than p_max_length characters.';
revoke all on function app.clean_list(text, text[], integer, integer) from public, anon, authenticated, service_role;
