create or replace function app.follow_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.reword_waiting_texts(b, now())
    from public.bookings as b
   where b.id in (
     select m.related_entity_id
       from public.sms_messages as m
      where m.org_id = new.id and m.status in ('pending', 'queued') and m.related_entity_type = 'booking'
   );
  return null;
end;
$$;
comment on function app.follow_timezone() is
  'When an org''s time zone changes, the texts that wait tell its times in the new one.';
revoke all on function app.follow_timezone() from public, anon, authenticated, service_role;

create or replace trigger orgs_follow_timezone
  after update of timezone on public.orgs
  for each row when (new.timezone <> old.timezone) execute function app.follow_timezone();
