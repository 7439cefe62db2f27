create or replace function app.discard_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_my_webhook_event(p_id);
  return app.discard_webhook_event(p_id, p_now);
end;
$$;
comment on function app.discard_my_webhook_event(uuid, timestamptz) is 'What public.discard_webhook_event() promises.';
revoke all on function app.discard_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.discard_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.discard_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.discard_my_webhook_event(p_id, now());
end;
comment on function public.discard_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): lets it lie: it is kept, and tried no more. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.discard_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.discard_webhook_event(uuid) to authenticated;
