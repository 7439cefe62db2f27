create or replace function app.parse_schedule(
  p_schedule text, p_hour integer,
  out minutes integer[], out hours integer[], out days integer[], out months integer[], out weekdays integer[],
  out is_either boolean, out is_fixed boolean, out problem text, out problem_at integer
)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_schedule text := case p_schedule
    when 'daily' then format('0 %s * * *', p_hour)
    when 'weekly' then format('0 %s * * 1', p_hour)
    else p_schedule
  end;
  v_texts text[];
  v_found integer[];
  v_number integer;
begin
  if length(v_schedule) > 255 then
    problem := 'a schedule has at most 255 characters';
    problem_at := 256;
    return;
  end if;
  v_texts := regexp_split_to_array(btrim(v_schedule, E' \t'), '[ \t]+');
  if cardinality(v_texts) <> 5 then
    problem := 'a schedule is daily, weekly, or five fields: minute, hour, day of month, month, day of week';
    problem_at := coalesce(nullif(regexp_instr(v_schedule, '[^ \t]+', 1, 6), 0), length(v_schedule) + 1);
    return;
  end if;
  foreach v_number in array '{1,2,3,4,5}'::integer[] loop
    select v.matched, v.problem, v.problem_at into v_found, problem, problem_at
      from app.cron_values(
        v_texts[v_number], ('{0,0,1,1,0}'::integer[])[v_number], ('{59,23,31,12,7}'::integer[])[v_number],
        (array['a minute is 0 to 59', 'an hour is 0 to 23', 'a day of the month is 1 to 31',
               'a month is 1 to 12 or jan to dec', 'a day of the week is 0 to 7 or sun to sat'])[v_number],
        case v_number when 4 then '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}'::text[]
                      when 5 then '{sun,mon,tue,wed,thu,fri,sat}'::text[] end
      ) as v;
    if problem is not null then
      problem_at := regexp_instr(v_schedule, '[^ \t]+', 1, v_number) + problem_at - 1;
      return;
    end if;
    case v_number
      when 1 then minutes := v_found;
      when 2 then hours := v_found;
      when 3 then days := v_found;
      when 4 then months := v_found;
      else weekdays := v_found;
    end case;
  end loop;
  is_either := v_texts[3] !~ '^\*' and v_texts[5] !~ '^\*';
  is_fixed := v_texts[1] !~ '^\*' and v_texts[2] !~ '^\*';
  -- Every day of the week is a 29 February at some time, so only the day of the month can keep a date from coming.
  if not is_either
     and days[1] > (select max(('{31,29,31,30,31,30,31,31,30,31,30,31}'::integer[])[m]) from unnest(months) as m) then
    problem := 'that day is in none of these months';
    problem_at := regexp_instr(v_schedule, '[^ \t]+', 1, 3);
  end if;
end;
$$;
comment on function app.parse_schedule(text, integer) is
  'What a schedule says: daily, weekly (Mondays), both at p_hour, or five cron fields; Sunday is 0 and 7. is_either: day of month and day of '
  'week are both restricted, that is, neither begins with *, and one of them is enough; else both must match. is_fixed: '
  'neither minute nor hour begins with *. Or what is wrong with it, as half a sentence, and at which character (from 1). '
  'Source: https://man7.org/linux/man-pages/man5/crontab.5.html';
revoke all on function app.parse_schedule(text, integer) from public, anon, authenticated, service_role;
