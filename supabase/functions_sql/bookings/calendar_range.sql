create or replace function app.calendar_range(
  p_view text, p_anchor date, p_timezone text, p_week_start integer default 1
) returns table (range_start timestamptz, range_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_first date;
  v_after date;
begin
  if p_week_start is null or p_week_start not between 0 and 6 then
    raise exception using errcode = 'PT400', message = 'week_start_invalid',
      hint = 'p_week_start is 0 (Sunday) to 6 (Saturday).';
  end if;
  -- The dates that four digits can say; and never a range without an end.
  if p_anchor is null or p_anchor not between date '0001-01-01' and date '9999-12-31' then
    raise exception using errcode = 'PT400', message = 'anchor_invalid',
      hint = 'p_anchor is a date of the range, from the year 1 to 9999.';
  end if;
  case p_view
    when 'day' then
      v_first := p_anchor;
      v_after := p_anchor + 1;
    when 'week' then
      v_first := p_anchor - ((extract(dow from p_anchor)::integer - p_week_start + 7) % 7);
      v_after := v_first + 7;
    when 'month' then
      v_first := date_trunc('month', p_anchor::timestamp)::date;
      v_after := (v_first + interval '1 month')::date;
    else
      raise exception using errcode = 'PT400', message = 'view_invalid', hint = 'p_view is day, week or month.';
  end case;
  range_start := app.day_start(v_first, p_timezone);
  range_end := app.day_start(v_after, p_timezone);
  return next;
end;
$$;
comment on function app.calendar_range(text, date, text, integer) is
  'The instants [range_start, range_end) of the local day, week or month that holds p_anchor, in an IANA zone; a '
  'day starts at its date''s first instant (app.day_start). Errors: PT400 view_invalid, PT400 week_start_invalid, '
  'PT400 anchor_invalid, PT400 timezone_unknown.';
revoke all on function app.calendar_range(text, date, text, integer) from public, anon, authenticated, service_role;
grant execute on function app.calendar_range(text, date, text, integer) to authenticated, service_role;

create or replace function public.calendar_range(
  p_view text, p_anchor date, p_timezone text, p_week_start integer default 1
) returns table (range_start timestamptz, range_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select r.range_start, r.range_end from app.calendar_range(p_view, p_anchor, p_timezone, p_week_start) as r;
end;
comment on function public.calendar_range(text, date, text, integer) is
  'The exact range a calendar page shows and polls: see app.calendar_range.';
revoke all on function public.calendar_range(text, date, text, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.calendar_range(text, date, text, integer) to authenticated, service_role;
