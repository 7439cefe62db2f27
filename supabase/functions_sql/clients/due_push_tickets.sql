create or replace function app.due_push_tickets(p_now timestamptz, p_limit integer) returns text[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tickets text[];
begin
  -- Expo keeps what became of a push for a day.
  delete from app.push_tickets as k
   where k.ticket_id in (
           select d.ticket_id
             from app.push_tickets as d
            where d.check_at <= p_now and d.sent_at < p_now - interval '24 hours'
              for update skip locked
         );
  with due as (
    select k.ticket_id
      from app.push_tickets as k
     where k.check_at <= p_now
     order by k.check_at
     limit p_limit
       for no key update skip locked
  ),
  handed as (
    update app.push_tickets as k
       set check_at = p_now + interval '15 minutes'
      from due as d
     where k.ticket_id = d.ticket_id
    returning k.ticket_id
  )
  select array_agg(h.ticket_id) into v_tickets from handed as h;
  return coalesce(v_tickets, '{}');
end;
$$;
comment on function app.due_push_tickets(timestamptz, integer) is
  'Pushes that Expo is to be asked about now, each to one caller; those without an answer yet come again in a quarter of '
  'an hour, for a day.';
revoke all on function app.due_push_tickets(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.due_push_tickets(timestamptz, integer) to coach_os_worker;
