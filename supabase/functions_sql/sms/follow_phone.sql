create or replace function app.follow_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.sms_messages as m
     set to_phone = coalesce(new.phone_e164, m.to_phone),
         status = case when new.phone_e164 is not null then m.status else 'cancelled' end,
         error_code = case when new.phone_e164 is not null then m.error_code
                           when new.phone ~ '\S' then 'phone_invalid'
                           else 'phone_missing' end
   where m.client_id = new.id and m.to_phone = old.phone_e164 and m.status in ('pending', 'queued');
  return null;
end;
$$;
comment on function app.follow_phone() is
  'When a client''s number changes, the texts that wait go to the new one; without one that can be dialled they are cancelled.';
revoke all on function app.follow_phone() from public, anon, authenticated, service_role;

create or replace trigger clients_follow_phone
  after update of phone on public.clients
  for each row when (new.phone_e164 is distinct from old.phone_e164) execute function app.follow_phone();
