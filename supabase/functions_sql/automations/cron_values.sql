create or replace function app.cron_values(
  p_text text, p_low integer, p_high integer, p_what text, p_names text[],
  out matched integer[], out problem text, out problem_at integer
)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_item text;
  v_base text;
  v_bounds text[];
  v_values integer[];
  v_value integer;
  v_step text;
begin
  if p_text = '*' then
    matched := array(select generate_series(p_low, p_high));
    return;
  end if;
  matched := '{}';
  problem_at := 1;
  foreach v_item in array string_to_array(p_text, ',') loop
    v_base := split_part(v_item, '/', 1);
    v_step := substr(v_item, length(v_base) + 2);
    if v_base = '*' then
      v_values := array[p_low, p_high];
    else
      v_bounds := array[split_part(v_base, '-', 1)];
      if strpos(v_base, '-') > 0 then
        v_bounds := v_bounds || substr(v_base, length(v_bounds[1]) + 2);
      end if;
      v_values := '{}';
      for i in 1 .. cardinality(v_bounds) loop
        v_value := p_low - 1 + array_position(p_names, lower(v_bounds[i]));
        if v_value is null and v_bounds[i] ~ '^[0-9]{1,2}$' then
          v_value := v_bounds[i];
        end if;
        if v_value is null or v_value not between p_low and p_high then
          problem := p_what;
          problem_at := problem_at + case when i = 1 then 0 else length(v_bounds[1]) + 1 end;
          return;
        end if;
        v_values := v_values || v_value;
      end loop;
      if v_values[2] < v_values[1] then
        problem := 'a range begins with the smaller value';
        return;
      end if;
      if cardinality(v_values) = 1 then
        v_values := v_values || case when v_base <> v_item then p_high else v_values[1] end;
      end if;
    end if;
    if v_base = v_item then
      v_step := '1';
    elsif v_step !~ '^[0-9]{1,3}$' or v_step ~ '^0+$' then
      problem := 'a step is a number from 1 on';
      problem_at := problem_at + length(v_base) + 1;
      return;
    end if;
    while v_values[1] <= v_values[2] loop
      matched := matched || v_values[1];
      v_values[1] := v_values[1] + v_step::integer;
    end loop;
    problem_at := problem_at + length(v_item) + 1;
  end loop;
  if strpos(p_text, ',') > 0 then
    matched := array(select distinct v from unnest(matched) as v order by v);
  end if;
  problem_at := null;
end;
$$;
comment on function app.cron_values(text, integer, integer, text, text[]) is
  'The values that one cron field names, each once, in order: *, value, first-last, each with an optional /step, '
  'separated by commas; value/step goes on to p_high. p_names: names of the values from p_low on. Or what is wrong '
  '(p_what: which values there are) and at which of its characters (from 1).';
revoke all on function app.cron_values(text, integer, integer, text, text[])
  from public, anon, authenticated, service_role;
