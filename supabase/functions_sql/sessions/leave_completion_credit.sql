create or replace function app.leave_completion_credit() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Only who comes through the API makes the call that follows; the worker and the operator do not.
  if current_setting('role') in ('authenticated', 'service_role') then
    delete from app.completion_credits as c
     where c.id in (
       select k.id
         from app.completion_credits as k
        where k.purchase_id = new.purchase_id and k.created_at <= now() - interval '1 minute'
          for update skip locked
     );
    insert into app.completion_credits (purchase_id, user_id, created_at) values (new.purchase_id, auth.uid(), now());
  end if;
  return null;
end;
$$;
comment on function app.leave_completion_credit() is
  'Every update that sets a booking on a pack to completed, whether or not it changes anything, leaves one credit for '
  'the use_session() call with which the existing calendar follows it (app.completion_credits).';
revoke all on function app.leave_completion_credit() from public, anon, authenticated, service_role;

create or replace trigger bookings_leave_credit
  after update of status on public.bookings
  for each row when (new.status = 'completed' and new.purchase_id is not null)
  execute function app.leave_completion_credit();
