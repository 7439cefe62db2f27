create or replace function app.score_risk(p_org_ids uuid[], p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone 'UTC';
  v_scored integer;
begin
  insert into public.client_risk as r (org_id, client_id, as_of_date, score, tier, reasons)
  select c.org_id, c.id, v_today, t.score,
         case when t.score < 25 then 'green' when t.score < 50 then 'amber' else 'red' end,
         t.reasons
    from public.clients as c
    left join public.subscriptions as s on s.org_id = c.org_id and s.client_id = c.id
   cross join lateral (
           select max(e.created_at) as active_at, max(e.created_at) filter (where e.type = 'checkin') as checked_in_at,
                  count(*) filter (where e.created_at > p_now - interval '7 days') as this_week,
                  count(*) filter (where e.created_at between p_now - interval '14 days'
                                                         and p_now - interval '7 days') as last_week
             from public.activity_events as e
            where e.client_id = c.id and e.created_at <= p_now
         ) as a
   -- Who never did, is counted from when they became a client.
   cross join lateral (
           select extract(day from p_now - coalesce(a.active_at, c.created_at))::integer as idle,
                  extract(day from p_now - coalesce(a.checked_in_at, c.created_at))::integer as unseen
         ) as d
   cross join lateral (
           select least(sum(v.points), 100)::integer as score,
                  coalesce(array_agg(v.reason order by v.n) filter (where v.points > 0), '{}') as reasons
             from (values
               (1, case s.status when 'canceled' then 40 when 'past_due' then 30 else 0 end,
                case s.status when 'canceled' then 'Subscription canceled' else 'Payment past due' end),
               (2, case when d.idle >= 30 then 40 when d.idle >= 14 then 25 when d.idle >= 7 then 10 else 0 end,
                format('No activity for %s days', d.idle)),
               (3, case when d.unseen >= 30 then 20 when d.unseen >= 14 then 10 else 0 end,
                format('No check-in for %s days', d.unseen)),
               (4, case when a.this_week > 0 and a.this_week * 2 <= a.last_week then 10 else 0 end,
                'Less active than the week before')
             ) as v (n, points, reason)
         ) as t
   where c.org_id = any (p_org_ids) and c.status = 'active'
  on conflict (org_id, client_id, as_of_date) do update
     set score = excluded.score, tier = excluded.tier, reasons = excluded.reasons
   where (r.score, r.tier, r.reasons) is distinct from (excluded.score, excluded.tier, excluded.reasons);
  get diagnostics v_scored = row_count;
  return v_scored;
end;
$$;
comment on function app.score_risk(uuid[], timestamptz) is
  'Scores every active client of these orgs for the UTC date of p_now, 0 to 100, in one statement, and says why: '
  'subscription canceled 40, past due 30; nothing recorded in the app for 30 days 40, 14 days 25, 7 days 10; no check-in '
  'for 30 days 20, 14 days 10; at most half as much recorded as in the week before 10. Below 25 green, below 50 amber, '
  'else red. Returns how many rows it wrote; one that says the same already is left.';
revoke all on function app.score_risk(uuid[], timestamptz) from public, anon, authenticated, service_role;
