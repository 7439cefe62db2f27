create or replace function app.score_due_risk(p_now timestamptz default now(), p_limit integer default 100)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone 'UTC';
  v_orgs uuid[];
begin
  select array_agg(d.org_id) into v_orgs
    from (
      select r.org_id
        from app.risk_days as r
       where r.scored_on < v_today
       order by r.scored_on, r.org_id
       limit p_limit
         for update skip locked
    ) as d;
  if v_orgs is null then
    return 0;
  end if;
  perform app.score_risk(v_orgs, p_now);
  update app.risk_days as r set scored_on = v_today where r.org_id = any (v_orgs);
  return cardinality(v_orgs);
end;
$$;
comment on function app.score_due_risk(timestamptz, integer) is
  'Scores the clients of up to p_limit orgs that have no scores of the UTC date of p_now yet (app.score_risk()); any number '
  'of callers at once. Returns how many orgs; 0: none is left but what others score right now.';
revoke all on function app.score_due_risk(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.score_due_risk(timestamptz, integer) to coach_os_worker;
