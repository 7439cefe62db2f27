-- Who may see and change which rows and columns. Row security is on for every table in `public`; what no policy opens
-- is closed. One policy per table and command, always for `authenticated`; `anon` has no grant and no policy on any
-- table: visitors come through functions that check their token. `service_role` passes every policy by its role.
--
--   member    owner, staff, accountant_readonly: reads what is about money
--   staff     owner, staff: reads and writes the rest
--   client    the end client, in the mobile app: own rows only; which columns, app.limit_client_writes() says
--   admin     of the platform
--
-- A policy is named after whom it is mainly for: <table>_<command>_<who>.
set lock_timeout = '5s';


-- orgs ----------------------------------------------------------------------------------------------------------------
create policy orgs_select_member on public.orgs for select to authenticated
  using (id = any (array(select app.my_org_ids()))
    or id = any (array(select app.my_coaching_org_ids()))
    or created_by = (select auth.uid())
    or (select app.is_platform_admin()));
create policy orgs_insert_self on public.orgs for insert to authenticated
  with check (created_by = (select auth.uid()));
create policy orgs_update_staff on public.orgs for update to authenticated
  using (id = any (array(select app.my_staff_org_ids()))
    or (select app.is_platform_admin()))
  with check (id = any (array(select app.my_staff_org_ids()))
    or (select app.is_platform_admin()));
grant select on public.orgs to authenticated;
-- commission_rate only for an admin of the platform: app.keep_commission_rate().
grant insert (id, name, slug, timezone, waiver_template, proforma_disclaimer, commission_rate)
  on public.orgs to authenticated;
grant update (name, slug, timezone, waiver_template, proforma_disclaimer, onboarding_completed, commission_rate)
  on public.orgs to authenticated;
create policy org_members_select_member on public.org_members for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
-- The sign-up's own row, which is there already; nobody is made a member without being asked.
create policy org_members_insert_owner on public.org_members for insert to authenticated
  with check (org_id = any (array(select app.my_owned_org_ids())) and user_id = (select auth.uid()));
grant select, insert on public.org_members to authenticated;
create policy branding_select_member on public.branding for select to authenticated
  using (org_id = any (array(select app.my_org_ids()))
    or org_id = any (array(select app.my_coaching_org_ids())));
create policy branding_insert_staff on public.branding for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy branding_update_staff on public.branding for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.branding to authenticated;
create policy platform_admins_select_self on public.platform_admins for select to authenticated
  using (user_id = (select auth.uid()));
grant select on public.platform_admins to authenticated;
create policy org_payout_settings_select_owner on public.org_payout_settings for select to authenticated
  using (org_id = any (array(select app.my_owned_org_ids()))
    or (select app.is_platform_admin()));
create policy org_payout_settings_insert_owner on public.org_payout_settings for insert to authenticated
  with check (org_id = any (array(select app.my_owned_org_ids())));
create policy org_payout_settings_update_owner on public.org_payout_settings for update to authenticated
  using (org_id = any (array(select app.my_owned_org_ids())))
  with check (org_id = any (array(select app.my_owned_org_ids())));
grant select, insert, update on public.org_payout_settings to authenticated;

-- clients -------------------------------------------------------------------------------------------------------------
create policy clients_select_staff on public.clients for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or auth_user_id = (select auth.uid()));
create policy clients_insert_staff on public.clients for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy clients_update_staff on public.clients for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or auth_user_id = (select auth.uid()))
  with check (org_id = any (array(select app.my_staff_org_ids()))
    or auth_user_id = (select auth.uid()));
grant select, insert, update on public.clients to authenticated;
create policy client_invites_select_staff on public.client_invites for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or redeemed_by = (select auth.uid()));
create policy client_invites_insert_staff on public.client_invites for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_invites_update_staff on public.client_invites for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_invites_delete_staff on public.client_invites for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.client_invites to authenticated;
create policy client_communications_select_staff on public.client_communications for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy client_communications_insert_staff on public.client_communications for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert on public.client_communications to authenticated;
create policy measurement_types_select_everyone on public.measurement_types for select to authenticated
  using (true);
grant select on public.measurement_types to authenticated;
create policy client_measurements_select_staff on public.client_measurements for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy client_measurements_insert_staff on public.client_measurements for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert on public.client_measurements to authenticated;
create policy client_waivers_select_staff on public.client_waivers for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy client_waivers_insert_staff on public.client_waivers for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_waivers_update_staff on public.client_waivers for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.client_waivers to authenticated;
create policy inquiries_select_staff on public.inquiries for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy inquiries_insert_staff on public.inquiries for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy inquiries_update_staff on public.inquiries for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy inquiries_delete_staff on public.inquiries for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.inquiries to authenticated;
create policy referral_links_select_staff on public.referral_links for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy referral_links_insert_staff on public.referral_links for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy referral_links_update_staff on public.referral_links for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.referral_links to authenticated;
create policy referrals_select_staff on public.referrals for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select on public.referrals to authenticated;
create policy activity_events_select_staff on public.activity_events for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy activity_events_insert_client on public.activity_events for insert to authenticated
  with check (client_id = any (array(select app.my_client_ids())));
grant select, insert on public.activity_events to authenticated;
create policy habits_select_staff on public.habits for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or org_id = any (array(select app.my_coaching_org_ids())));
create policy habits_insert_staff on public.habits for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy habits_update_staff on public.habits for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy habits_delete_staff on public.habits for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.habits to authenticated;
create policy client_habits_select_staff on public.client_habits for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy client_habits_insert_staff on public.client_habits for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_habits_update_staff on public.client_habits for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_habits_delete_staff on public.client_habits for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.client_habits to authenticated;
create policy checkin_photos_select_staff on public.checkin_photos for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy checkin_photos_insert_client on public.checkin_photos for insert to authenticated
  with check (client_id = any (array(select app.my_client_ids())));
grant select, insert on public.checkin_photos to authenticated;
create policy message_threads_select_staff on public.message_threads for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy message_threads_insert_staff on public.message_threads for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy message_threads_update_staff on public.message_threads for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.message_threads to authenticated;
create policy messages_select_staff on public.messages for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or thread_id = any (array(select app.my_thread_ids())));
create policy messages_insert_staff on public.messages for insert to authenticated
  with check ((org_id = any (array(select app.my_staff_org_ids())) and sender_type <> 'client')
    or (thread_id = any (array(select app.my_thread_ids())) and sender_type = 'client'));
grant select on public.messages to authenticated;
-- Not when and by whom: a message says that itself.
grant insert (id, org_id, thread_id, sender_type, body) on public.messages to authenticated;
create policy push_tokens_select_client on public.push_tokens for select to authenticated
  using (client_id = any (array(select app.my_client_ids())));
create policy push_tokens_insert_client on public.push_tokens for insert to authenticated
  with check (client_id = any (array(select app.my_client_ids())));
create policy push_tokens_update_client on public.push_tokens for update to authenticated
  using (client_id = any (array(select app.my_client_ids())))
  with check (client_id = any (array(select app.my_client_ids())));
create policy push_tokens_delete_client on public.push_tokens for delete to authenticated
  using (client_id = any (array(select app.my_client_ids())));
grant select, insert, update, delete on public.push_tokens to authenticated;

-- sessions ------------------------------------------------------------------------------------------------------------
create policy offers_select_member on public.offers for select to authenticated
  using (org_id = any (array(select app.my_org_ids()))
    or org_id = any (array(select app.my_coaching_org_ids())));
create policy offers_insert_staff on public.offers for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy offers_update_staff on public.offers for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy offers_delete_staff on public.offers for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.offers to authenticated;
create policy promo_codes_select_member on public.promo_codes for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy promo_codes_insert_staff on public.promo_codes for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy promo_codes_update_staff on public.promo_codes for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy promo_codes_delete_staff on public.promo_codes for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.promo_codes to authenticated;
create policy products_select_member on public.products for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy products_insert_staff on public.products for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy products_update_staff on public.products for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy products_delete_staff on public.products for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.products to authenticated;
create policy client_purchases_select_member on public.client_purchases for select to authenticated
  using (org_id = any (array(select app.my_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy client_purchases_insert_staff on public.client_purchases for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_purchases_update_staff on public.client_purchases for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy client_purchases_delete_staff on public.client_purchases for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.client_purchases to authenticated;
create policy session_ledger_select_member on public.session_ledger for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
grant select on public.session_ledger to authenticated;

-- bookings ------------------------------------------------------------------------------------------------------------
create policy session_types_select_staff on public.session_types for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or org_id = any (array(select app.my_coaching_org_ids())));
create policy session_types_insert_staff on public.session_types for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy session_types_update_staff on public.session_types for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy session_types_delete_staff on public.session_types for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.session_types to authenticated;
create policy booking_settings_select_member on public.booking_settings for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
create policy booking_settings_insert_staff on public.booking_settings for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy booking_settings_update_staff on public.booking_settings for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.booking_settings to authenticated;
create policy bookings_select_staff on public.bookings for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
create policy bookings_insert_staff on public.bookings for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy bookings_update_staff on public.bookings for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.bookings to authenticated;
create policy availability_select_staff on public.availability for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids()))
    or org_id = any (array(select app.my_coaching_org_ids())));
create policy availability_insert_staff on public.availability for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy availability_update_staff on public.availability for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy availability_delete_staff on public.availability for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.availability to authenticated;
create policy blocked_times_select_staff on public.blocked_times for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy blocked_times_insert_staff on public.blocked_times for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy blocked_times_update_staff on public.blocked_times for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy blocked_times_delete_staff on public.blocked_times for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.blocked_times to authenticated;

-- money ---------------------------------------------------------------------------------------------------------------
create policy stripe_accounts_select_member on public.stripe_accounts for select to authenticated
  using (org_id = any (array(select app.my_org_ids())));
grant select on public.stripe_accounts to authenticated;
create policy subscriptions_select_member on public.subscriptions for select to authenticated
  using (org_id = any (array(select app.my_org_ids()))
    or client_id = any (array(select app.my_client_ids())));
grant select on public.subscriptions to authenticated;
create policy org_payouts_select_member on public.org_payouts for select to authenticated
  using (org_id = any (array(select app.my_org_ids()))
    or (select app.is_platform_admin()));
create policy org_payouts_insert_admin on public.org_payouts for insert to authenticated
  with check ((select app.is_platform_admin()));
create policy org_payouts_update_admin on public.org_payouts for update to authenticated
  using ((select app.is_platform_admin()))
  with check ((select app.is_platform_admin()));
grant select, insert, update on public.org_payouts to authenticated;
create policy money_events_select_member on public.money_events for select to authenticated
  using (org_id = any (array(select app.my_org_ids()))
    or (select app.is_platform_admin()));
grant select on public.money_events to authenticated;

-- sms -----------------------------------------------------------------------------------------------------------------
create policy sms_settings_select_staff on public.sms_settings for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_settings_insert_staff on public.sms_settings for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_settings_update_staff on public.sms_settings for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.sms_settings to authenticated;
create policy sms_schedules_select_staff on public.sms_schedules for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_schedules_insert_staff on public.sms_schedules for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_schedules_update_staff on public.sms_schedules for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_schedules_delete_staff on public.sms_schedules for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.sms_schedules to authenticated;
create policy sms_templates_select_staff on public.sms_templates for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_templates_insert_staff on public.sms_templates for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy sms_templates_update_staff on public.sms_templates for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update on public.sms_templates to authenticated;
create policy sms_messages_select_staff on public.sms_messages for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select on public.sms_messages to authenticated;
create policy sms_attempts_select_nobody on public.sms_attempts for select to authenticated
  using (false);
create policy sms_events_select_staff on public.sms_events for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select on public.sms_events to authenticated;
create policy sms_suppression_select_staff on public.sms_suppression for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select on public.sms_suppression to authenticated;

-- automations ---------------------------------------------------------------------------------------------------------
create policy client_risk_select_staff on public.client_risk for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select on public.client_risk to authenticated;
create policy automations_select_staff on public.automations for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
create policy automations_insert_staff on public.automations for insert to authenticated
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy automations_update_staff on public.automations for update to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())))
  with check (org_id = any (array(select app.my_staff_org_ids())));
create policy automations_delete_staff on public.automations for delete to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select, insert, update, delete on public.automations to authenticated;
create policy automation_runs_select_staff on public.automation_runs for select to authenticated
  using (org_id = any (array(select app.my_staff_org_ids())));
grant select on public.automation_runs to authenticated;

-- service_role ---------------------------------------------------------------------------------------------------------
grant select, insert, update, delete on all tables in schema public to service_role;
-- The books and the ledger only grow.
revoke insert, update, delete on public.session_ledger from service_role;
revoke update, delete on public.money_events from service_role;
