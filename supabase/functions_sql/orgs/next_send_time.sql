create or replace function app.next_send_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_at timestamptz := p_at;
begin
  -- Looked for, not computed: quiet hours can end within a gap and come back in a fold (Antarctica/Troll moves by
  -- two hours). First by the quarter of an hour, then to the minute: nowhere do clocks change between minutes.
  while app.is_quiet_time(v_at, p_timezone, p_start, p_end) loop
    v_at := date_bin('15 minutes', v_at, timestamptz 'epoch') + interval '15 minutes';
  end loop;
  v_at := greatest(p_at, v_at - interval '15 minutes');
  while app.is_quiet_time(v_at, p_timezone, p_start, p_end) loop
    v_at := date_bin('1 minute', v_at, timestamptz 'epoch') + interval '1 minute';
  end loop;
  return v_at;
end;
$$;
comment on function app.next_send_time(timestamptz, text, integer, integer) is
  'The first instant, not before p_at, outside quiet hours (see app.is_quiet_time).';
revoke all on function app.next_send_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
