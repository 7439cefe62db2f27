-- An admin of the platform who opens an org for a coach inserts its settings, as the admin page does.
set lock_timeout = '5s';

alter policy branding_insert_staff on public.branding
  with check (org_id = any (array(select app.my_staff_org_ids()))
    or (select app.is_platform_admin()));
alter policy booking_settings_insert_staff on public.booking_settings
  with check (org_id = any (array(select app.my_staff_org_ids()))
    or (select app.is_platform_admin()));
alter policy org_payout_settings_insert_owner on public.org_payout_settings
  with check (org_id = any (array(select app.my_owned_org_ids()))
    or (select app.is_platform_admin()));
