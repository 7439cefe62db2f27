create or replace function app.clean_date(p_field text, p_text text, p_latest date) returns date
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_text text := nullif(btrim(p_text), '');
  v_date date;
begin
  if v_text is null then
    return null;
  end if;
  if v_text ~ '^\d{4}-\d{2}-\d{2}$' then
    begin
      v_date := v_text::date;
    exception when datetime_field_overflow then
      v_date := null;  -- 30 February
    end;
  end if;
  if v_date is null or v_date not between '1900-01-01' and p_latest then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must be a date like 1990-12-31, from 1900 to today.', p_field);
  end if;
  return v_date;
end;
$$;
comment on function app.clean_date(text, text, date) is
  'A visitor''s date, YYYY-MM-DD; null when empty. Raises PT400 <p_field>_invalid when it is none, before 1900, or '
  'after p_latest.';
revoke all on function app.clean_date(text, text, date) from public, anon, authenticated, service_role;
