create or replace function app.next_turn(p_org_id uuid, p_now timestamptz, p_over integer) returns timestamptz
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return interval '1 hour' + coalesce(
    (
      select m.claimed_at
        from public.sms_messages as m
       where m.org_id = p_org_id and m.claimed_at > p_now - interval '1 hour'
         and (m.status in ('sending', 'sent', 'delivered', 'unknown') or m.provider_message_id is not null)
       order by m.claimed_at
      offset p_over - 1
       limit 1
    ),
    p_now
  );
end;
$$;
comment on function app.next_turn(uuid, timestamptz, integer) is
  'When an org that has sent all that its hour allows may send again, for the p_over-th of those that wait (1: the first): '
  'as each text of the last hour is an hour old, one more may go.';
revoke all on function app.next_turn(uuid, timestamptz, integer) from public, anon, authenticated, service_role;
