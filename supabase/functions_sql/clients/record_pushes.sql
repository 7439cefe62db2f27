create or replace function app.record_pushes(p_taken jsonb, p_dead uuid[], p_sent_at timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.push_tickets (ticket_id, push_token_id, sent_at, check_at)
  select k.ticket_id, t.id, p_sent_at, p_sent_at + interval '15 minutes'
    from jsonb_to_recordset(p_taken) as k (ticket_id text, push_token_id uuid)
    join public.push_tokens as t on t.id = k.push_token_id
  on conflict (ticket_id) do nothing;
  delete from public.push_tokens as t where t.id = any (p_dead) and t.updated_at <= p_sent_at;
end;
$$;
comment on function app.record_pushes(jsonb, uuid[], timestamptz) is
  'After pushes sent at p_sent_at: p_taken, [{ticket_id, push_token_id}], are asked about a quarter of an hour later, as '
  'Expo advises; the devices p_dead are forgotten, unless the app has registered them anew since. '
  'Source: https://docs.expo.dev/push-notifications/sending-notifications/';
revoke all on function app.record_pushes(jsonb, uuid[], timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.record_pushes(jsonb, uuid[], timestamptz) to coach_os_sidecar, coach_os_worker;
