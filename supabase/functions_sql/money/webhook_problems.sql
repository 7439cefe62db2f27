create or replace function app.webhook_problems(p_org_id uuid)
  returns table (
    id uuid, type text, status text, reason text, received_at timestamptz, attempts integer,
    next_attempt_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select e.id, e.event_type, e.status, e.reason, e.received_at, e.attempts, e.next_attempt_at
      from public.stripe_accounts as a
      join app.webhook_events as e on e.account_id = a.stripe_account_id and e.status in ('failed', 'unmatched')
     where a.org_id = p_org_id and p_org_id = any (array(select app.my_owned_org_ids()))
     order by e.received_at, e.id;
end;
$$;
comment on function app.webhook_problems(uuid) is 'What public.webhook_problems() promises.';
revoke all on function app.webhook_problems(uuid) from public, anon, authenticated, service_role;
grant execute on function app.webhook_problems(uuid) to authenticated;

create or replace function public.webhook_problems(p_org_id uuid)
  returns table (
    id uuid, type text, status text, reason text, received_at timestamptz, attempts integer,
    next_attempt_at timestamptz
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select p.id, p.type, p.status, p.reason, p.received_at, p.attempts, p.next_attempt_at
    from app.webhook_problems(p_org_id) as p;
end;
comment on function public.webhook_problems(uuid) is
  'What Stripe told of the org''s account and could not be booked, oldest first: what kind of event, why not '
  '(docs/errors.md), how often it was tried and when it is tried next (null: not by itself). For the owner; nothing for '
  'anybody else.';
revoke all on function public.webhook_problems(uuid) from public, anon, authenticated, service_role;
grant execute on function public.webhook_problems(uuid) to authenticated;
