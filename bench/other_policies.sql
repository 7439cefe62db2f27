-- The same promise as the policies of bookings and clients, in other forms, each for a role of its own: policies that
-- name another role do not apply to it, so that all forms stand side by side on the same rows.
create role bench_sql_helper nologin;
create role bench_in_select nologin;
create role bench_exists nologin;
create role bench_per_row nologin;
grant bench_sql_helper, bench_in_select, bench_exists, bench_per_row to authenticator;
grant usage on schema public to bench_sql_helper, bench_in_select, bench_exists, bench_per_row;
grant select on public.bookings, public.clients, public.org_members
  to bench_sql_helper, bench_in_select, bench_exists, bench_per_row;

-- `= any (array(select …))` too, but with helpers in SQL, which are planned in every query.
create function bench.my_staff_org_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select m.org_id from public.org_members as m where m.user_id = (select auth.uid()) and m.role in ('owner', 'staff');
$$;
create function bench.my_client_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select c.id from public.clients as c where c.auth_user_id = (select auth.uid());
$$;
create policy bookings_select_bench_sql_helper on public.bookings for select to bench_sql_helper
  using (org_id = any (array(select bench.my_staff_org_ids()))
    or client_id = any (array(select bench.my_client_ids())));
create policy clients_select_bench_sql_helper on public.clients for select to bench_sql_helper
  using (org_id = any (array(select bench.my_staff_org_ids()))
    or auth_user_id = (select auth.uid()));

-- `in (select …)`
grant execute on function app.my_staff_org_ids(), app.my_client_ids() to bench_in_select;
create policy bookings_select_bench_in_select on public.bookings for select to bench_in_select
  using (org_id in (select app.my_staff_org_ids()) or client_id in (select app.my_client_ids()));
create policy clients_select_bench_in_select on public.clients for select to bench_in_select
  using (org_id in (select app.my_staff_org_ids()) or auth_user_id = (select auth.uid()));

-- `exists (select …)`, naming the row
create policy org_members_select_bench_exists on public.org_members for select to bench_exists
  using (user_id = (select auth.uid()));
create policy bookings_select_bench_exists on public.bookings for select to bench_exists
  using (exists (select from public.org_members as m
                  where m.org_id = bookings.org_id and m.user_id = (select auth.uid()) and m.role in ('owner', 'staff'))
    or exists (select from public.clients as c where c.id = bookings.client_id and c.auth_user_id = (select auth.uid())));
create policy clients_select_bench_exists on public.clients for select to bench_exists
  using (exists (select from public.org_members as m
                  where m.org_id = clients.org_id and m.user_id = (select auth.uid()) and m.role in ('owner', 'staff'))
    or auth_user_id = (select auth.uid()));

-- A function asked for every row
create function bench.is_staff_of(p_org_id uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (select from public.org_members as m
                  where m.org_id = p_org_id and m.user_id = auth.uid() and m.role in ('owner', 'staff'));
$$;
create function bench.is_client(p_client_id uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (select from public.clients as c where c.id = p_client_id and c.auth_user_id = auth.uid());
$$;
create policy bookings_select_bench_per_row on public.bookings for select to bench_per_row
  using (bench.is_staff_of(org_id) or bench.is_client(client_id));
create policy clients_select_bench_per_row on public.clients for select to bench_per_row
  using (bench.is_staff_of(org_id) or auth_user_id = auth.uid());

grant execute on all functions in schema bench to bench_sql_helper, bench_per_row;
