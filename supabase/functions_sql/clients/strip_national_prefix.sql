create or replace function app.strip_national_prefix(p_number text, p_region app.phone_regions) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_groups text[] := regexp_match(p_number, '^(' || p_region.national_prefix || ')');
  v_stripped text;
begin
  if v_groups is null then
    return p_number;
  end if;
  v_stripped := case
    when p_region.national_prefix_becomes is not null and v_groups[cardinality(v_groups)] is not null
         and cardinality(v_groups) > 1
      then regexp_replace(p_number, '^(?:' || p_region.national_prefix || ')', p_region.national_prefix_becomes)
    else substr(p_number, length(v_groups[1]) + 1)
  end;
  -- What looks like a prefix may be the beginning of a number that is one as it stands.
  return case
    when p_number ~ ('^(?:' || p_region.pattern || ')$') and v_stripped !~ ('^(?:' || p_region.pattern || ')$')
      then p_number
    else v_stripped
  end;
end;
$$;
comment on function app.strip_national_prefix(text, app.phone_regions) is
  'Digits as dialled within a country, without what is dialled before a number there, as libphonenumber strips it.';
revoke all on function app.strip_national_prefix(text, app.phone_regions)
  from public, anon, authenticated, service_role;
