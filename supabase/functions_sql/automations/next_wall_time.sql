create or replace function app.next_wall_time(
  p_minutes integer[], p_hours integer[], p_days integer[], p_months integer[], p_weekdays integer[],
  p_is_either boolean, p_from timestamp
) returns timestamp
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_date date := p_from::date;
  v_hour integer := extract(hour from p_from);
  v_minute integer := extract(minute from p_from);
  v_in_month boolean;
  v_in_week boolean;
  h integer;
  m integer;
begin
  loop
    if extract(month from v_date)::integer <> all (p_months) then
      v_date := date_trunc('month', v_date::timestamp) + interval '1 month';
    else
      v_in_month := extract(day from v_date)::integer = any (p_days);
      v_in_week := extract(dow from v_date)::integer = any (p_weekdays)
        or extract(isodow from v_date)::integer = any (p_weekdays);  -- Sunday is 0 and 7
      if (v_in_month and v_in_week) or (p_is_either and (v_in_month or v_in_week)) then
        foreach h in array p_hours loop
          continue when h < v_hour;
          foreach m in array p_minutes loop
            if h > v_hour or m >= v_minute then
              return v_date + make_time(h, m, 0);
            end if;
          end loop;
        end loop;
      end if;
      v_date := v_date + 1;
    end if;
    v_hour := 0;
    v_minute := 0;
  end loop;
end;
$$;
comment on function app.next_wall_time(integer[], integer[], integer[], integer[], integer[], boolean, timestamp) is
  'The first time at or after p_from (a whole minute) that app.parse_schedule()''s fields match, on a clock that nobody '
  'changes. They must match some time, as that function makes sure.';
revoke all on function app.next_wall_time(integer[], integer[], integer[], integer[], integer[], boolean, timestamp)
  from public, anon, authenticated, service_role;
