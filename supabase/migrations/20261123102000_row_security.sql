-- Who may see and change which rows. Row security is on for every table in `public`; what no policy opens is closed.
-- One policy per table and command, always for `authenticated`; `anon` has no grant and no policy on any table.
-- Members read (owner, staff, accountant_readonly); owner and staff write. Names: <table>_<command>_<who>.
set lock_timeout = '5s';

-- orgs
create policy orgs_select_member on public.orgs for select to authenticated
  using (id = any (array(select app.my_org_ids())));
create policy orgs_update_staff on public.orgs for update to authenticated
  using (id = any (array(select app.my_writable_org_ids())))
  with check (id = any (array(select app.my_writable_org_ids())));
create policy org_members_select_member on public.org_members for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy branding_select_member on public.branding for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy branding_update_staff on public.branding for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));

-- clients
create policy clients_select_member on public.clients for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy clients_insert_staff on public.clients for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy clients_update_staff on public.clients for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));

-- sessions
create policy offers_select_member on public.offers for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy offers_insert_staff on public.offers for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy offers_update_staff on public.offers for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy offers_delete_staff on public.offers for delete to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())));
create policy client_purchases_select_member on public.client_purchases for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy client_purchases_insert_staff on public.client_purchases for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy client_purchases_update_staff on public.client_purchases for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy client_purchases_delete_staff on public.client_purchases for delete to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())));
create policy session_ledger_select_member on public.session_ledger for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));

-- bookings
create policy session_types_select_member on public.session_types for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy session_types_insert_staff on public.session_types for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy session_types_update_staff on public.session_types for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy session_types_delete_staff on public.session_types for delete to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())));
create policy booking_settings_select_member on public.booking_settings for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy booking_settings_insert_staff on public.booking_settings for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy booking_settings_update_staff on public.booking_settings for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy bookings_select_member on public.bookings for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy bookings_insert_staff on public.bookings for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy bookings_update_staff on public.bookings for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));

-- money
create policy stripe_accounts_select_member on public.stripe_accounts for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy money_events_select_member on public.money_events for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));

-- sms
create policy sms_settings_select_member on public.sms_settings for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy sms_settings_insert_staff on public.sms_settings for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy sms_settings_update_staff on public.sms_settings for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy sms_schedules_select_member on public.sms_schedules for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy sms_schedules_insert_staff on public.sms_schedules for insert to authenticated
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy sms_schedules_update_staff on public.sms_schedules for update to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())))
  with check (org_id = any (array(select app.my_writable_org_ids())));
create policy sms_schedules_delete_staff on public.sms_schedules for delete to authenticated
  using (org_id = any (array(select app.my_writable_org_ids())));
create policy sms_messages_select_member on public.sms_messages for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy sms_events_select_member on public.sms_events for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy sms_suppression_select_member on public.sms_suppression for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
