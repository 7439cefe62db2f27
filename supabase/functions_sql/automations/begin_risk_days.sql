create or replace function app.begin_risk_days() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.risk_days (org_id) values (new.id);
  return null;
end;
$$;
comment on function app.begin_risk_days() is 'The clients of a new org are scored from its first day on (app.score_due_risk).';
revoke all on function app.begin_risk_days() from public, anon, authenticated, service_role;

create or replace trigger orgs_begin_risk_days after insert on public.orgs
  for each row execute function app.begin_risk_days();
