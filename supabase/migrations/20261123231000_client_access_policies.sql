-- What an end client reaches: of tables what they write themselves or what is said to them; the rest through functions
-- (my_client, my_bookings, my_packages, my_offers, update_my_client), because row security cannot hide columns and a
-- column grant cannot tell a client from a coach. And the bucket of their progress photos.
set lock_timeout = '5s';

-- Closed to clients ---------------------------------------------------------------------------------------------------
drop policy orgs_select_member on public.orgs;
create policy orgs_select_member on public.orgs for select to authenticated
  using (id = any (array(select app.my_org_ids()))
    or created_by = (select auth.uid())
    or (select app.is_platform_admin()));
drop policy branding_select_member on public.branding;
create policy branding_select_member on public.branding for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
drop policy clients_select_staff on public.clients;
create policy clients_select_staff on public.clients for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
drop policy clients_update_staff on public.clients;
create policy clients_update_staff on public.clients for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
drop policy client_invites_select_staff on public.client_invites;
create policy client_invites_select_staff on public.client_invites for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
drop policy offers_select_member on public.offers;
create policy offers_select_member on public.offers for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
drop policy client_purchases_select_member on public.client_purchases;
create policy client_purchases_select_member on public.client_purchases for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
drop policy subscriptions_select_member on public.subscriptions;
create policy subscriptions_select_member on public.subscriptions for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
drop policy bookings_select_staff on public.bookings;
create policy bookings_select_staff on public.bookings for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
drop policy session_types_select_staff on public.session_types;
create policy session_types_select_staff on public.session_types for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
drop policy availability_select_staff on public.availability;
create policy availability_select_staff on public.availability for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));

-- Narrower ------------------------------------------------------------------------------------------------------------
-- The habits they follow, not all that the coach has thought of.
drop policy habits_select_staff on public.habits;
create policy habits_select_staff on public.habits for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or id = any (array(select app.my_habit_ids())));
-- When the coach last read is the coach's to say: a client could hide their messages from the unread count.
drop policy message_threads_insert_staff on public.message_threads;
create policy message_threads_insert_staff on public.message_threads for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids()))
    or (client_id = any (array(select app.my_client_ids())) and trainer_last_read_at is null));

-- Nobody but staff updates a client now, and nobody sees a whole org for being coached by it.
drop trigger clients_limit_client_writes on public.clients;
-- Internal, and what called them is replaced above.
-- squawk-ignore ban-drop-function
drop function app.limit_client_writes();
-- dropped functions_sql/clients/limit_client_writes.sql
-- squawk-ignore ban-drop-function
drop function app.my_coaching_org_ids();
-- dropped functions_sql/clients/my_coaching_org_ids.sql

-- Progress photos -----------------------------------------------------------------------------------------------------
-- Files are `<client id>/…`: a client writes and reads their own folder, staff read those of their clients. Only where
-- Supabase Storage is; the local API has none.
do $$
declare
  v_own_folder constant text :=
    $sql$bucket_id = 'progress-photos'
      and (storage.foldername(name))[1] = any (array(select c.id::text from app.my_client_ids() as c (id)))$sql$;
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    return;
  end if;
  -- Public in the system this one replaces: anybody with a path saw the photo.
  insert into storage.buckets (id, name, public) values ('progress-photos', 'progress-photos', false)
  on conflict (id) do update set public = false;
  drop policy if exists progress_photos_select_staff on storage.objects;
  drop policy if exists progress_photos_insert_client on storage.objects;
  drop policy if exists progress_photos_update_client on storage.objects;
  execute format(
    $sql$create policy progress_photos_select_staff on storage.objects for select to authenticated
      using ((%s)
        or (bucket_id = 'progress-photos'
            and (storage.foldername(name))[1] = any (array(
              select c.id::text from public.clients as c
               where c.org_id = any (array(select app.my_staff_org_ids()))))))$sql$, v_own_folder);
  execute format(
    $sql$create policy progress_photos_insert_client on storage.objects for insert to authenticated
      with check (%s)$sql$, v_own_folder);
  -- The app uploads with upsert, which asks for the right to replace.
  execute format(
    $sql$create policy progress_photos_update_client on storage.objects for update to authenticated
      using (%1$s) with check (%1$s)$sql$, v_own_folder);
end;
$$;
