create or replace function app.admin_orgs()
  returns table (
    id uuid, name text, slug text, created_at timestamptz, commission_rate numeric, owner_email text,
    clients_count bigint, subscriptions_count bigint
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  perform app.require_platform_admin();
  return query
  select o.id, o.name, o.slug, o.created_at, o.commission_rate, w.email, coalesce(c.n, 0), coalesce(s.n, 0)
    from public.orgs as o
    left join lateral (
      select u.email::text as email
        from public.org_members as m
        join auth.users as u on u.id = m.user_id
       where m.org_id = o.id and m.role = 'owner'
       order by m.created_at, m.id
       limit 1
    ) as w on true
    left join (select r.org_id, count(*) as n from public.clients as r group by r.org_id) as c on c.org_id = o.id
    left join (select r.org_id, count(*) as n from public.subscriptions as r group by r.org_id) as s on s.org_id = o.id
   order by o.created_at desc, o.id;
end;
$$;
comment on function app.admin_orgs() is 'What public.admin_orgs() promises.';
revoke all on function app.admin_orgs() from public, anon, authenticated, service_role;
grant execute on function app.admin_orgs() to authenticated;

create or replace function public.admin_orgs()
  returns table (
    id uuid, name text, slug text, created_at timestamptz, commission_rate numeric, owner_email text,
    clients_count bigint, subscriptions_count bigint
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.admin_orgs();
end;
comment on function public.admin_orgs() is
  'Every org, newest first, with its first owner''s e-mail (null: it has none) and how many clients and '
  'subscriptions it has, for an admin of the platform: who may count another business''s clients, not read them. '
  'Raises PT403 platform_admin_required.';
revoke all on function public.admin_orgs() from public, anon, authenticated, service_role;
grant execute on function public.admin_orgs() to authenticated;
