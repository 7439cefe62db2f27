create or replace function app.keep_org() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  raise exception using errcode = 'PT403', message = 'org_is_fixed',
    hint = 'A row stays with its business; make a new one in the other.';
end;
$$;
comment on function app.keep_org() is 'A row never moves to another org (PT403 org_is_fixed): what refers to it would not.';
revoke all on function app.keep_org() from public, anon, authenticated, service_role;

create or replace trigger org_members_keep_org before update of org_id on public.org_members
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger branding_keep_org before update of org_id on public.branding
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger org_payout_settings_keep_org before update of org_id on public.org_payout_settings
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger clients_keep_org before update of org_id on public.clients
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_invites_keep_org before update of org_id on public.client_invites
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_communications_keep_org before update of org_id on public.client_communications
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_measurements_keep_org before update of org_id on public.client_measurements
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_waivers_keep_org before update of org_id on public.client_waivers
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger inquiries_keep_org before update of org_id on public.inquiries
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger referral_links_keep_org before update of org_id on public.referral_links
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger referrals_keep_org before update of org_id on public.referrals
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger activity_events_keep_org before update of org_id on public.activity_events
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger habits_keep_org before update of org_id on public.habits
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_habits_keep_org before update of org_id on public.client_habits
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger checkin_photos_keep_org before update of org_id on public.checkin_photos
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger message_threads_keep_org before update of org_id on public.message_threads
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger messages_keep_org before update of org_id on public.messages
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger push_tokens_keep_org before update of org_id on public.push_tokens
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger offers_keep_org before update of org_id on public.offers
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger promo_codes_keep_org before update of org_id on public.promo_codes
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger products_keep_org before update of org_id on public.products
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_purchases_keep_org before update of org_id on public.client_purchases
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger session_types_keep_org before update of org_id on public.session_types
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger booking_settings_keep_org before update of org_id on public.booking_settings
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger bookings_keep_org before update of org_id on public.bookings
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger availability_keep_org before update of org_id on public.availability
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger blocked_times_keep_org before update of org_id on public.blocked_times
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger session_ledger_keep_org before update of org_id on public.session_ledger
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger stripe_accounts_keep_org before update of org_id on public.stripe_accounts
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger subscriptions_keep_org before update of org_id on public.subscriptions
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger org_payouts_keep_org before update of org_id on public.org_payouts
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger money_events_keep_org before update of org_id on public.money_events
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger sms_settings_keep_org before update of org_id on public.sms_settings
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger sms_schedules_keep_org before update of org_id on public.sms_schedules
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger sms_templates_keep_org before update of org_id on public.sms_templates
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger sms_messages_keep_org before update of org_id on public.sms_messages
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger sms_events_keep_org before update of org_id on public.sms_events
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger sms_suppression_keep_org before update of org_id on public.sms_suppression
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger client_risk_keep_org before update of org_id on public.client_risk
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger automations_keep_org before update of org_id on public.automations
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
create or replace trigger automation_runs_keep_org before update of org_id on public.automation_runs
  for each row when (old.org_id is distinct from new.org_id) execute function app.keep_org();
