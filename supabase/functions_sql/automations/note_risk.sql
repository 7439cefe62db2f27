create or replace function app.note_risk() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    -- At the start of the day of the score, whenever that was worked out.
    perform app.raise_automation_event(
              'risk_red', n.org_id, n.client_id, n.as_of_date::text, n.as_of_date::timestamp at time zone 'UTC')
       from new_rows as n
      where n.tier = 'red'
        and (select r.tier from public.client_risk as r
              where r.client_id = n.client_id and r.as_of_date < n.as_of_date
              order by r.as_of_date desc limit 1) is distinct from 'red';
  else
    perform app.raise_automation_event(
              'risk_red', n.org_id, n.client_id, n.as_of_date::text, n.as_of_date::timestamp at time zone 'UTC')
       from new_rows as n
       join old_rows as o on o.id = n.id
      where n.tier = 'red' and o.tier <> 'red';
  end if;
  return null;
end;
$$;
comment on function app.note_risk() is
  'A client becomes red: their score is, and the one before was not. Once a UTC day at most.';
revoke all on function app.note_risk() from public, anon, authenticated, service_role;

create or replace trigger client_risk_note_insert after insert on public.client_risk
  referencing new table as new_rows for each statement execute function app.note_risk();
create or replace trigger client_risk_note_update after update on public.client_risk
  referencing old table as old_rows new table as new_rows for each statement execute function app.note_risk();
