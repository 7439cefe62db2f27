create or replace function app.client_facts(
  p_org_id uuid, p_client_id uuid, p_after uuid, p_timezone text, p_now timestamptz, p_limit integer
) returns table (client_id uuid, full_name text, active_at timestamptz, facts jsonb)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_today date := p_now at time zone 'UTC';
begin
  return query
    select c.id, c.full_name, a.active_at,
           jsonb_build_object(
             'status', c.status,
             'tags', c.tags,
             'risk_tier', r.tier,
             'risk_score', r.score,
             'subscription_status', coalesce(s.status, 'none'),
             'days_since_activity',
               greatest((p_now at time zone p_timezone)::date - (a.active_at at time zone p_timezone)::date, 0)
           )
      from public.clients as c
      -- Who never did anything has been inactive since they became a client.
     cross join lateral (
             select coalesce(max(e.created_at), c.created_at) as active_at
               from public.activity_events as e
              where e.client_id = c.id and e.created_at <= p_now
           ) as a
      left join public.subscriptions as s on s.org_id = c.org_id and s.client_id = c.id
      -- Today's, or yesterday's until today's is there.
      left join lateral (
             select k.tier, k.score
               from public.client_risk as k
              where k.client_id = c.id and k.as_of_date between v_today - 1 and v_today
              order by k.as_of_date desc
              limit 1
           ) as r on true
     where c.org_id = p_org_id and c.status = 'active'
       and (p_client_id is null or c.id = p_client_id) and (p_after is null or c.id > p_after)
     order by c.id
     limit p_limit;
end;
$$;
comment on function app.client_facts(uuid, uuid, uuid, text, timestamptz, integer) is
  'What the conditions of automations are about, of an org''s active clients at p_now, by id: of one (p_client_id), or of '
  'the first p_limit after p_after (null: from the start). active_at: what they last recorded in the app, or when they '
  'became a client; days_since_activity are dates in p_timezone. Risk is today''s, which is UTC''s.';
revoke all on function app.client_facts(uuid, uuid, uuid, text, timestamptz, integer)
  from public, anon, authenticated, service_role;
