create or replace function app.org_currency(p_org_id uuid) returns text
  language sql stable security invoker set search_path = ''
as $$
  select e.currency
    from public.money_events as e
   where e.org_id = p_org_id
   group by e.currency
   order by count(*) desc, e.currency
   limit 1;
$$;
comment on function app.org_currency(uuid) is
  'The currency of an org''s totals: the one most of its money events are in, the alphabetically first of two equals. '
  'Null: none that the caller may read.';
revoke all on function app.org_currency(uuid) from public, anon, authenticated, service_role;
grant execute on function app.org_currency(uuid) to authenticated, service_role;
