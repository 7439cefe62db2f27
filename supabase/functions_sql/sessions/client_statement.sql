create or replace function app.client_statement(p_client_id uuid, p_from date, p_to date, p_now timestamptz)
  returns table (
    entry_at timestamptz, kind text, sessions integer, balance integer, purchase_id uuid, pack_name text,
    booking_id uuid, session_start timestamptz, reason text
  )
  language sql stable security definer set search_path = ''
as $$
  with client as (
    select c.id,
           case when isfinite(p_from) then app.day_start(p_from, o.timezone) end as since,
           case when isfinite(p_to) then app.day_start(p_to + 1, o.timezone)
                else 'infinity' end as until
      from public.clients as c
      join public.orgs as o on o.id = c.org_id
     where c.id = p_client_id
       and (app.acts_for_org(c.org_id) or c.org_id = any (array(select app.my_org_ids()))
            or c.auth_user_id = auth.uid())
  ),
  packs as (
    select p.*, o.name
      from public.client_purchases as p
      join client as c on c.id = p.client_id
      join public.offers as o on o.id = p.offer_id
     where p.payment_status in ('succeeded', 'refunded') and p.sessions_total is not null
  ),
  entries as (
    select p.purchased_at as entry_at, 1 as rank, 'bought' as kind,
           p.sessions_total - coalesce(
             (select sum(l.total_delta) from public.session_ledger as l where l.purchase_id = p.id), 0
           )::integer as sessions,
           p.id as purchase_id, p.name, null::uuid as booking_id, null as reason, null::integer as seq,
           null::uuid as entry_id
      from packs as p
    union all
    select l.created_at, 2,
           case
             when l.entry_type = 'release' then 'given_back'
             when l.entry_type in ('adjustment', 'opening') then 'adjusted'
             when t.reason in ('no_show', 'late_cancellation') then 'forfeited'
             else 'used'
           end,
           l.total_delta - l.delta, p.id, p.name, l.booking_id, t.reason, l.booking_seq, l.id
      from packs as p
      join public.session_ledger as l on l.purchase_id = p.id
      left join public.bookings as b on b.id = l.booking_id
     cross join lateral (
             -- What the worker completed may turn out to be a no-show: the session is the same, what for is not.
             select case
               when l.entry_type = 'booking' and app.takes_session(b.status, b.forfeited)
                    and not exists (select from public.session_ledger as n
                                     where n.booking_id = l.booking_id and n.booking_seq > l.booking_seq)
               then app.charge_reason(b.status)
               else l.reason
             end as reason
           ) as t
    union all
    -- What lapsed is what is left by now: a session held before the pack expired may be taken after.
    select p.expires_at, 3, 'expired', -p.sessions_remaining, p.id, p.name, null, null, null, null
      from packs as p
     where p.payment_status = 'succeeded' and p.expires_at <= p_now
    union all
    select p.refunded_at, 3, 'refunded', -p.sessions_remaining, p.id, p.name, null, null, null, null
      from packs as p
     where p.payment_status = 'refunded'
  ),
  numbered as (
    select e.*, row_number() over (
             order by e.entry_at, e.rank, e.purchase_id, e.booking_id, e.seq, e.entry_id
           ) as n
      from entries as e
     where e.sessions <> 0
  ),
  running as (
    select e.*, sum(e.sessions) over (order by e.n)::integer as balance from numbered as e
  )
  select t.entry_at, t.kind, t.sessions, t.balance, t.purchase_id, t.name, t.booking_id, b.start_time, t.reason
    from (
      select c.since as entry_at, 'balance_forward' as kind, coalesce(sum(r.sessions), 0)::integer as sessions,
             coalesce(sum(r.sessions), 0)::integer as balance, null::uuid as purchase_id, null as name,
             null::uuid as booking_id, null as reason, 0 as n
        from client as c
        left join running as r on r.entry_at < c.since
       where c.since is not null
       group by c.since
      union all
      select r.entry_at, r.kind, r.sessions, r.balance, r.purchase_id, r.name, r.booking_id, r.reason, r.n
        from client as c
        join running as r on (c.since is null or r.entry_at >= c.since) and r.entry_at < c.until
    ) as t
    left join public.bookings as b on b.id = t.booking_id
   order by t.n;
$$;
comment on function app.client_statement(uuid, date, date, timestamptz) is
  'What public.client_statement() promises, at the instant p_now.';
revoke all on function app.client_statement(uuid, date, date, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.client_statement(uuid, date, date, timestamptz) to authenticated, service_role;

create or replace function public.client_statement(p_client_id uuid, p_from date default null, p_to date default null)
  returns table (
    entry_at timestamptz, kind text, sessions integer, balance integer, purchase_id uuid, pack_name text,
    booking_id uuid, session_start timestamptz, reason text
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select s.entry_at, s.kind, s.sessions, s.balance, s.purchase_id, s.pack_name, s.booking_id, s.session_start, s.reason
    from app.client_statement(p_client_id, p_from, p_to, now()) as s;
end;
comment on function public.client_statement(uuid, date, date) is
  'Every change of a client''s balance of sessions on the org''s dates p_from to p_to (both inclusive; null: open), in '
  'order: balance_forward, bought, used, forfeited (no-show or late cancellation), given_back, adjusted (by hand), '
  'expired, refunded. The sum of sessions is the last balance: what is left to use. For members of the org and the '
  'client; nothing for anybody else.';
revoke all on function public.client_statement(uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function public.client_statement(uuid, date, date) to authenticated, service_role;
