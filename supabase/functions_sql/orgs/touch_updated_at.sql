create or replace function app.touch_updated_at() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end;
$$;
comment on function app.touch_updated_at() is 'Keeps updated_at the time of the last change, whatever the caller sends.';
revoke all on function app.touch_updated_at() from public, anon, authenticated, service_role;

create or replace trigger branding_touch before update on public.branding
  for each row execute function app.touch_updated_at();
create or replace trigger org_payout_settings_touch before update on public.org_payout_settings
  for each row execute function app.touch_updated_at();
create or replace trigger referral_links_touch before update on public.referral_links
  for each row execute function app.touch_updated_at();
create or replace trigger push_tokens_touch before update on public.push_tokens
  for each row execute function app.touch_updated_at();
create or replace trigger offers_touch before update on public.offers
  for each row execute function app.touch_updated_at();
create or replace trigger promo_codes_touch before update on public.promo_codes
  for each row execute function app.touch_updated_at();
create or replace trigger session_types_touch before update on public.session_types
  for each row execute function app.touch_updated_at();
create or replace trigger booking_settings_touch before update on public.booking_settings
  for each row execute function app.touch_updated_at();
create or replace trigger bookings_touch before update on public.bookings
  for each row execute function app.touch_updated_at();
create or replace trigger availability_touch before update on public.availability
  for each row execute function app.touch_updated_at();
create or replace trigger stripe_accounts_touch before update on public.stripe_accounts
  for each row execute function app.touch_updated_at();
create or replace trigger subscriptions_touch before update on public.subscriptions
  for each row execute function app.touch_updated_at();
create or replace trigger sms_settings_touch before update on public.sms_settings
  for each row execute function app.touch_updated_at();
create or replace trigger sms_schedules_touch before update on public.sms_schedules
  for each row execute function app.touch_updated_at();
create or replace trigger sms_templates_touch before update on public.sms_templates
  for each row execute function app.touch_updated_at();
create or replace trigger sms_messages_touch before update on public.sms_messages
  for each row execute function app.touch_updated_at();
create or replace trigger automations_touch
  before update of org_id, name, enabled, trigger, conditions, actions, guardrails on public.automations
  for each row execute function app.touch_updated_at();
