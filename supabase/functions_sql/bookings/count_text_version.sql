create or replace function app.count_text_version() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    new.text_version := 1;
    new.text_version_at := now();
    return new;
  end if;
  new.text_version := old.text_version;
  new.text_version_at := old.text_version_at;
  if new.start_time <> old.start_time or new.client_id <> old.client_id
     or (new.status = 'cancelled') <> (old.status = 'cancelled') then
    new.text_version := old.text_version + 1;
    new.text_version_at := now();
    -- A Y was for what was asked then. The existing calendar says so itself when it moves a booking; others do not.
    if new.status <> 'cancelled' then
      if new.client_confirmed is not distinct from old.client_confirmed then
        new.client_confirmed := false;
      end if;
      if new.confirmation_sent_at is not distinct from old.confirmation_sent_at then
        new.confirmation_sent_at := null;
      end if;
    end if;
  end if;
  return new;
end;
$$;
comment on function app.count_text_version() is
  'Counts what makes earlier texts about a booking untrue (bookings.text_version): another start, another client, '
  'cancelled, put back. What the client confirmed before is then not confirmed any more.';
revoke all on function app.count_text_version() from public, anon, authenticated, service_role;

create or replace trigger bookings_text_version_insert
  before insert on public.bookings
  for each row execute function app.count_text_version();
create or replace trigger bookings_text_version_update
  before update of start_time, client_id, status, text_version, text_version_at on public.bookings
  for each row when (
    new.start_time <> old.start_time or new.client_id <> old.client_id
    or (new.status = 'cancelled') <> (old.status = 'cancelled')
    or new.text_version <> old.text_version or new.text_version_at <> old.text_version_at
  )
  execute function app.count_text_version();
