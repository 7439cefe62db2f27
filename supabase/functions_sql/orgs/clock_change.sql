create or replace function app.clock_change(p_after timestamptz, p_until timestamptz, p_timezone text)
  returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_offset interval := p_after at time zone p_timezone - p_after at time zone 'UTC';
  v_before bigint := floor(extract(epoch from p_after));
  v_after bigint := ceil(extract(epoch from p_until));
  v_middle bigint;
begin
  if p_until at time zone p_timezone - p_until at time zone 'UTC' = v_offset then
    return null;
  end if;
  -- Halved until one second is left: clocks change on a whole second.
  while v_after - v_before > 1 loop
    v_middle := (v_before + v_after) / 2;
    if to_timestamp(v_middle) at time zone p_timezone - to_timestamp(v_middle) at time zone 'UTC' = v_offset then
      v_before := v_middle;
    else
      v_after := v_middle;
    end if;
  end loop;
  return to_timestamp(v_after);
end;
$$;
comment on function app.clock_change(timestamptz, timestamptz, text) is
  'When the UTC offset of a zone changes, after p_after and not after p_until; null when it is the same at both. They '
  'are to be at most a day or two apart: nowhere has an offset changed twice within six days.';
revoke all on function app.clock_change(timestamptz, timestamptz, text)
  from public, anon, authenticated, service_role;
