create or replace function app.check_own_event() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (
       select from public.activity_events as e where e.id = new.activity_event_id and e.client_id = new.client_id
     ) then
    -- As app.check_same_org() says it of an event that does not exist: nobody learns that it does.
    if current_setting('role') = 'authenticated' then
      raise exception using errcode = '42501',
        message = 'new row violates row-level security policy for table "checkin_photos"';
    end if;
    raise exception using errcode = 'PT404', message = 'activity_event_id_not_found',
      hint = 'activity_event_id names no row of the same business.';
  end if;
  return new;
end;
$$;
comment on function app.check_own_event() is
  'A photo belongs to a check-in of the same client. Raises PT404 activity_event_id_not_found; 42501, as row security '
  'does, to a signed-in user.';
revoke all on function app.check_own_event() from public, anon, authenticated, service_role;

create or replace trigger checkin_photos_own_event after insert or update of activity_event_id, client_id
  on public.checkin_photos
  for each row when (new.activity_event_id is not null) execute function app.check_own_event();
