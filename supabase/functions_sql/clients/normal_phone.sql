create or replace function app.normal_phone(p_phone text, p_country text) returns text
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  -- As hands and other programs write it: full-width or Arabic digits, blanks, dashes, dots, slashes, brackets, marks
  -- that nobody sees.
  v_dialled text := regexp_replace(
    translate(normalize(left(p_phone, 250), nfkc),
              U&'\0660\0661\0662\0663\0664\0665\0666\0667\0668\0669\06F0\06F1\06F2\06F3\06F4\06F5\06F6\06F7\06F8\06F9',
              '01234567890123456789'),
    '[-\s().\[\]/~\u00AD\u200B-\u200F\u2010-\u2015\u202A-\u202E\u2053\u2060-\u2069\u2212\u223C\u30FC\uFEFF]', '', 'g');
  v_has_plus boolean := starts_with(v_dialled, '+');
  v_home app.phone_regions;
  v_region app.phone_regions;
  v_number text;
  v_shorter text;
begin
  v_dialled := ltrim(v_dialled, '+');
  if v_dialled is null or length(p_phone) > 250 or v_dialled !~ '^[0-9]{3,20}$' then
    return null;
  end if;
  if v_has_plus then
    v_region := app.phone_region_of(v_dialled);
    v_number := substr(v_dialled, length(v_region.calling_code::text) + 1);
  end if;
  if v_region.region is null then  -- also with a + before what is no country's code
    select r.* into v_home from app.phone_regions as r where r.region = p_country;
    v_number := regexp_replace(v_dialled, '^(?:' || v_home.international_prefix || ')', '');
    if v_number <> v_dialled and not starts_with(v_number, '0') then
      v_region := app.phone_region_of(v_number);
      v_number := substr(v_number, length(v_region.calling_code::text) + 1);
    else
      -- The country's own code without +, if that makes a number of what was none, or was too long for one.
      v_number := app.strip_national_prefix(
        substr(v_dialled, length(v_home.calling_code::text) + 1), v_home);
      if starts_with(v_dialled, v_home.calling_code::text)
         and ((v_dialled !~ ('^(?:' || v_home.pattern || ')$') and v_number ~ ('^(?:' || v_home.pattern || ')$'))
              or (length(v_dialled) > v_home.lengths[cardinality(v_home.lengths)]
                  and length(v_dialled) <> all (v_home.local_lengths))) then
        v_region := app.phone_region_of(v_dialled);
      elsif not v_has_plus then
        v_region := v_home;
        v_number := v_dialled;
      end if;
    end if;
  end if;
  if v_region.region is null then
    return null;
  end if;
  v_shorter := app.strip_national_prefix(v_number, v_region);
  -- A prefix is only that if what is left can be a number.
  if length(v_shorter) = any (v_region.lengths)
     or length(v_shorter) > v_region.lengths[cardinality(v_region.lengths)] then
    v_number := v_shorter;
  end if;
  -- Countries that share a calling code share its numbers: somebody in Guernsey may write one of Great Britain's.
  select r.* into v_region from app.phone_regions as r where r.is_main and r.calling_code = v_region.calling_code;
  return case
    when length(v_number) = any (v_region.lengths) and v_number ~ ('^(?:' || v_region.pattern || ')$')
         and length(v_region.calling_code::text || v_number) between 7 and 15
      then '+' || v_region.calling_code || v_number
  end;
end;
$$;
comment on function app.normal_phone(text, text) is
  'A phone number in E.164 (+61412345678), read as libphonenumber reads it where somebody in p_country (ISO 3166-1, as '
  'orgs.country_code) wrote it; null when it is none: words, an extension, a length or beginning that the country''s '
  'numbers do not have. The one place that reads numbers; tests/py/clients/test_phones.py compares it with the library.';
revoke all on function app.normal_phone(text, text) from public, anon, authenticated, service_role;
