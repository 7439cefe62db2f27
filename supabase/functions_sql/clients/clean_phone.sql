create or replace function app.clean_phone(p_phone text) returns text
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  select case
      when p.digits ~ '^04[0-9]{8}$' then '+61' || substr(p.digits, 2)
      when p.digits ~ '^(\+|0011)?610?4[0-9]{8}$' then '+61' || right(p.digits, 9)
      when p.digits ~ '^\+[1-9][0-9]{6,14}$' then p.digits
      else p_phone
    end
    from (select regexp_replace(p_phone, '[\s().\u2010-\u2015-]', '', 'g') as digits) as p;
$$;
comment on function app.clean_phone(text) is
  'A phone number in E.164, for example +61412345678. An Australian mobile number may be in any form it is written in; '
  'another one must begin with + and its country, or comes back as it was given: 0 and nine digits are also numbers in '
  'New Zealand. Source: Telecommunications Numbering Plan 2015, https://www.legislation.gov.au/Details/F2023C00152';
revoke all on function app.clean_phone(text) from public, anon, authenticated, service_role;
