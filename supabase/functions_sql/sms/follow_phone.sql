create or replace function app.follow_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.sms_messages as m
     set to_phone = case when new.phone ~ '\S' then new.phone else m.to_phone end,
         status = case when new.phone ~ '\S' then m.status else 'cancelled' end,
         error_code = case when new.phone ~ '\S' then m.error_code else 'phone_missing' end
   where m.client_id = new.id and m.to_phone = old.phone and m.status in ('pending', 'queued');
  return null;
end;
$$;
comment on function app.follow_phone() is
  'When a client''s number changes, the texts that wait go to the new one; without one they are cancelled.';
revoke all on function app.follow_phone() from public, anon, authenticated, service_role;

create or replace trigger clients_follow_phone
  after update of phone on public.clients
  for each row when (new.phone is distinct from old.phone) execute function app.follow_phone();
