create or replace function app.count_visitor(p_org_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The row stays locked to the end of the transaction: visitors who write to one org do so one after the other. A
  -- transaction that began in an earlier minute and comes late counts in the newest one.
  insert into app.visitor_counts as v (org_id, minute, calls)
  values (p_org_id, date_trunc('minute', p_now, 'UTC'), 1)
  on conflict (org_id) do update
     set minute = greatest(v.minute, excluded.minute),
         calls = case when excluded.minute > v.minute then 1 else v.calls + 1 end
   where excluded.minute > v.minute or v.calls < 30;
  if not found then
    raise exception using errcode = 'PT429', message = 'too_many_requests',
      hint = 'Too many forms are being sent to this business; try again in a minute.';
  end if;
end;
$$;
comment on function app.count_visitor(uuid, timestamptz) is
  'Counts a form that somebody without a login sends to an org, and refuses the 31st of a minute (PT429 '
  'too_many_requests). What was already known counts like what is new. From here to the end of the transaction no '
  'other visitor writes to this org.';
revoke all on function app.count_visitor(uuid, timestamptz) from public, anon, authenticated, service_role;
