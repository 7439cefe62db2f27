-- The structure that the existing frontend relies on: what it names must exist, as it expects it. The lists are the
-- contract's; what is deliberately different is listed, too.
begin;
select plan(35);

-- Columns: `name type`, with ! where the contract says not null. availability.user_id may be null: onboarding inserts
-- without it.
create temp table contract (table_name text, columns text);
insert into contract values
  ('orgs',
   'id uuid!, created_at timestamptz!, name text!, slug text!, commission_rate numeric!, waiver_template text,
    proforma_disclaimer text, onboarding_completed bool'),
  ('org_members',
   'id uuid!, org_id uuid!, user_id uuid!, role org_role!, created_at timestamptz!'),
  ('branding',
   'org_id uuid!, display_name text!, primary_color text!, logo_url text, logo_path text, updated_at timestamptz!'),
  ('platform_admins',
   'id uuid!, user_id uuid!, email text!, role text!, created_at timestamptz!'),
  ('org_payout_settings',
   'org_id uuid!, payout_method text!, bank_account_name text, bank_bsb text, bank_account_number text, paypal_email
    text, payout_frequency text!, updated_at timestamptz!, id uuid!, minimum_payout_cents int!, created_at
    timestamptz!'),
  ('org_payouts',
   'id uuid!, org_id uuid!, period_start date!, period_end date!, gross_amount_cents int!, commission_cents int!,
    net_amount_cents int!, status text!, paid_at timestamptz, payout_reference text, created_at timestamptz!,
    currency text!, payout_method text, notes text'),
  ('clients',
   'id uuid!, org_id uuid!, created_at timestamptz!, full_name text!, email text, phone text, status text!,
    date_of_birth date, gender text, height_cm numeric, weight_kg numeric, target_weight_kg numeric, goals text[],
    health_conditions text[], injuries text[], medications text[], dietary_restrictions text[], experience_level
    text, preferred_training_days text[], emergency_contact_name text, emergency_contact_phone text, notes text,
    avatar_path text, address_line1 text, address_line2 text, city text, state text, postcode text, country text,
    onboarding_completed_at timestamptz, auth_user_id uuid, preferred_time_windows jsonb, onboarding_token uuid,
    sms_reminder_enabled bool!, sms_followup_enabled bool!, portal_token uuid, onboarding_sent_at timestamptz,
    email_opt_in bool, sms_opt_in bool, source text, referral_id uuid, referral_code text'),
  ('client_invites',
   'id uuid!, org_id uuid!, client_id uuid!, invite_code text!, expires_at timestamptz!, redeemed_at timestamptz,
    redeemed_by uuid, created_at timestamptz!'),
  ('client_communications',
   'id uuid!, org_id uuid!, client_id uuid!, user_id uuid, type text!, direction text!, subject text, content text!,
    created_at timestamptz!'),
  ('client_measurements',
   'id uuid!, org_id uuid!, client_id uuid!, measurement_type text!, value numeric!, unit text!, notes text,
    measured_at timestamptz!, created_at timestamptz!'),
  ('measurement_types',
   'name text!, unit text!, category text!, sort_order int, id uuid!'),
  ('client_waivers',
   'id uuid!, org_id uuid!, client_id uuid!, name text!, token uuid!, status text!, sent_at timestamptz!, signed_at
    timestamptz, expires_at timestamptz, created_at timestamptz!, source text, signed_ip text'),
  ('inquiries',
   'id uuid!, org_id uuid!, created_at timestamptz!, source text!, name text!, email text, phone text, message text,
    status inquiry_status!, converted_client_id uuid, services_interested text[], follow_up_date date, referral_code
    text, assigned_to uuid, expected_value numeric'),
  ('referral_links',
   'id uuid!, org_id uuid!, code text!, name text!, description text, reward_type text, reward_value int, clicks
    int, signups int, conversions int, is_active bool, created_at timestamptz!, referrer_reward_type text,
    referrer_reward_value int, expires_at timestamptz, updated_at timestamptz!'),
  ('referrals',
   'id uuid!, referrer_client_id uuid, referred_email text!, referred_name text, referred_client_id uuid, status
    text!, created_at timestamptz!, org_id uuid!, referral_link_id uuid!, referrer_rewarded bool,
    referrer_reward_cents int, referred_rewarded bool, referred_reward_cents int, clicked_at timestamptz!,
    signed_up_at timestamptz, converted_at timestamptz, rewarded_at timestamptz'),
  ('activity_events',
   'id uuid!, org_id uuid!, client_id uuid!, created_at timestamptz!, type text!, payload jsonb!, photo_paths text[]'),
  ('habits',
   'name text!, id uuid!, org_id uuid!, is_active bool!, created_at timestamptz!'),
  ('client_habits',
   'id uuid!, client_id uuid!, habit_id uuid!, org_id uuid!, created_at timestamptz!'),
  ('checkin_photos',
   'id uuid!, org_id uuid!, client_id uuid!, activity_event_id uuid, storage_path text!, photo_type text, notes
    text, taken_at timestamptz!, created_at timestamptz!'),
  ('message_threads',
   'id uuid!, org_id uuid!, client_id uuid!, trainer_last_read_at timestamptz, created_at timestamptz!'),
  ('messages',
   'id uuid!, org_id uuid!, thread_id uuid!, created_at timestamptz!, sender_type text!, body text!, sender_user_id
    uuid'),
  ('push_tokens',
   'org_id uuid!, client_id uuid!, expo_token text!, updated_at timestamptz!, id uuid!, device_id text, created_at
    timestamptz!'),
  ('session_types',
   'id uuid!, org_id uuid!, name text!, slug text!, description text, duration_mins int!, price_cents int, color
    text, is_active bool, allow_online_booking bool, buffer_before_mins int, buffer_after_mins int, max_per_day int,
    sort_order int, updated_at timestamptz, created_at timestamptz'),
  ('bookings',
   'id uuid!, org_id uuid!, client_id uuid!, start_time timestamptz!, end_time timestamptz!, duration_mins int!,
    offer_id uuid, session_type text!, purchase_id uuid, location_type text!, status text!, cancelled_at
    timestamptz, booked_by uuid, booking_source text!, notes text, client_notes text, reminder_sent bool,
    session_type_id uuid, client_confirmed bool, confirmation_sent_at timestamptz, location_details text,
    cancelled_by uuid, cancellation_reason text, reminder_24h_sent bool, created_at timestamptz!, updated_at
    timestamptz!, feedback_sent bool'),
  ('blocked_times',
   'id uuid!, org_id uuid!, user_id uuid, date date, day_of_week int, start_time time!, end_time time!, reason text,
    created_at timestamptz'),
  ('availability',
   'org_id uuid!, day_of_week int!, start_time time!, end_time time!, is_available bool, id uuid!, user_id uuid,
    specific_date date, created_at timestamptz!, updated_at timestamptz!'),
  ('booking_settings',
   'id uuid!, org_id uuid!, allow_client_booking bool, min_notice_hours int, max_advance_days int,
    allow_client_cancel bool, cancel_notice_hours int, slot_duration_mins int, buffer_between_mins int, timezone
    text!, notify_phone text, gst_registered bool!, pass_stripe_fees bool!, early_cutoff_time text,
    early_cutoff_before_hour int, late_notice_hours int, send_confirmation_email bool, send_reminder_24h bool,
    send_reminder_1h bool, created_at timestamptz!, updated_at timestamptz!'),
  ('offers',
   'id uuid!, org_id uuid!, name text!, description text, offer_type text!, price_cents int!, currency text!,
    billing_period text, sessions_included int, bonus_sessions int, pack_validity_days int, session_duration_mins
    int, is_featured bool, sort_order int, is_active bool, updated_at timestamptz!, included_items text[],
    session_count int, duration_minutes int, stripe_price_id text, stripe_product_id text, created_at timestamptz!'),
  ('client_purchases',
   'id uuid!, org_id uuid!, client_id uuid!, offer_id uuid!, amount_paid_cents int!, currency text!, sessions_total
    int, sessions_used int, sessions_remaining int, purchased_at timestamptz!, expires_at timestamptz,
    stripe_payment_intent_id text, payment_status text, created_at timestamptz!, promo_code_id uuid, discount_cents
    int, payment_method text, session_duration_mins int'),
  ('promo_codes',
   'id uuid!, org_id uuid!, code text!, discount_type text!, discount_value numeric!, valid_from date, valid_until
    date, max_uses int, times_used int!, is_active bool!, created_at timestamptz!, updated_at timestamptz!'),
  ('products',
   'id uuid!, org_id uuid!, name text!, description text, category text!, price_cents int!, cost_cents int,
    stock_quantity int, sku text, image_url text, is_active bool!, created_at timestamptz!'),
  ('subscriptions',
   'org_id uuid!, client_id uuid!, stripe_customer_id text, stripe_subscription_id text, status text!, manage_url
    text, updated_at timestamptz!, price_cents int, id uuid!, offer_id uuid'),
  ('stripe_accounts',
   'org_id uuid!, stripe_account_id text!, charges_enabled bool!, payouts_enabled bool!, details_submitted bool!,
    updated_at timestamptz!'),
  ('money_events',
   'id uuid!, org_id uuid!, event_date timestamptz!, type money_event_type!, amount_cents bigint!, currency text!,
    tax_cat tax_category!, tax_cents bigint!, source text!, reference_id text, client_id uuid, notes text,
    payment_status text, failure_reason text, stripe_payment_intent_id text, stripe_invoice_id text, retry_count
    int, created_at timestamptz!, next_retry_at timestamptz, payout_id uuid'),
  ('client_risk',
   'org_id uuid!, client_id uuid!, as_of_date date!, score int!, tier text!, reasons text[]!'),
  ('automations',
   'id uuid!, org_id uuid!, name text!, enabled bool!, trigger jsonb!, conditions jsonb!, actions jsonb!, guardrails
    jsonb!, created_at timestamptz!, updated_at timestamptz!'),
  ('automation_runs',
   'id uuid!, org_id uuid!, automation_id uuid!, client_id uuid!, fired_at timestamptz!, status text!, reason text,
    actions_fired jsonb!'),
  ('sms_settings',
   'org_id uuid!, twilio_account_sid text, twilio_auth_token_encrypted text, twilio_messaging_service_sid text,
    twilio_phone_number text, quiet_hours_start int, quiet_hours_end int, timezone text, max_sms_per_client_per_day
    int, enabled bool!, max_sms_per_hour int, send_booking_confirmations bool, send_session_reminders bool,
    send_feedback_requests bool, reminder_hours_before int, feedback_hours_after int, updated_at timestamptz!,
    reminder_mins_before int, feedback_mins_after int'),
  ('sms_schedules',
   'id uuid!, org_id uuid!, type text!, label text!, mins_offset int!, body text!, enabled bool!, sort_order int!,
    updated_at timestamptz!, created_at timestamptz!'),
  ('sms_messages',
   'id uuid!, org_id uuid!, client_id uuid, to_phone text!, from_phone text!, template_id uuid, template_key text,
    body text!, variables jsonb, related_entity_type text, related_entity_id uuid, status text!, scheduled_for
    timestamptz!, sent_at timestamptz, delivered_at timestamptz, failed_at timestamptz, idempotency_key text,
    error_code text, error_message text, metadata jsonb, created_at timestamptz!, updated_at timestamptz!,
    locked_until timestamptz'),
  ('sms_attempts',
   'id uuid!, message_id uuid!, attempt_number int!, provider text!, provider_message_id text, request_payload
    jsonb!, response_payload jsonb, response_status int, status text!, error_code text, error_message text,
    created_at timestamptz!'),
  ('sms_events',
   'id uuid!, message_id uuid, org_id uuid, provider text!, provider_message_id text!, event_type text!,
    event_status text, error_code text, event_payload jsonb!, dedupe_key text!, processed_at timestamptz,
    error_message text, received_at timestamptz!'),
  ('sms_suppression',
   'org_id uuid!, phone text!, reason text!, source text!, notes text, client_id uuid, id uuid!, created_at
    timestamptz!'),
  ('sms_templates',
   'id uuid!, org_id uuid!, template_key text!, body text!, is_active bool!, version int!, name text!, description
    text, variables_schema jsonb!, created_at timestamptz!, updated_at timestamptz!');
create temp view wanted as
select c.table_name, (regexp_match(x, '^\w+'))[1] as column_name, rtrim((regexp_match(x, '\s(\S+)$'))[1], '!') as type,
       right(x, 1) = '!' as not_null
  from contract as c, regexp_split_to_table(c.columns, ',\s*') as x;
create temp view found as
select t.relname::text collate "default" as table_name, a.attname::text collate "default" as column_name,
       a.atttypid, a.attnotnull, a.atthasdef
  from pg_class as t
  join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
 where t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p');

select is_empty('select table_name from contract except select table_name from found', 'every table of the contract is there');
select results_eq(
  $$select w.table_name, w.column_name from wanted as w left join found as f using (table_name, column_name)
     where f.column_name is null$$,
  $$values ('sms_settings', 'twilio_auth_token_encrypted')$$,
  'and every column, but the secret: the API reads none');
select is_empty(
  $$select w.table_name, w.column_name, w.type, f.atttypid::regtype
      from wanted as w join found as f using (table_name, column_name) where f.atttypid <> w.type::regtype$$,
  'of the type it has there');
select is_empty(
  $$select w.table_name, w.column_name from wanted as w join found as f using (table_name, column_name)
     where w.not_null and not f.attnotnull$$,
  'what is never null there is never null here');
select results_eq(
  $$select w.table_name, w.column_name from wanted as w join found as f using (table_name, column_name)
     where f.attnotnull and not w.not_null order by 1, 2$$,
  $$values ('client_purchases', 'payment_status'), ('client_purchases', 'sessions_used'),
           ('sms_settings', 'send_booking_confirmations'), ('sms_settings', 'send_feedback_requests'),
           ('sms_settings', 'send_session_reminders'), ('sms_settings', 'timezone')$$,
  'what may be null there may be null here, but for these');
select is_empty(
  $$select w.table_name, w.column_name from wanted as w join found as f using (table_name, column_name)
     where f.attnotnull and not w.not_null and not f.atthasdef$$,
  'and those have a default for a caller who leaves them out');
select is_empty(
  $$select f.table_name, f.column_name from found as f left join wanted as w using (table_name, column_name)
     where w.column_name is null and f.attnotnull and not f.atthasdef and f.table_name in (select table_name from contract)$$,
  'what is only here is not asked of a caller');
select results_eq(
  $$select table_name from found except select table_name from contract order by 1$$,
  $$values ('audit_events'), ('session_ledger')$$, 'tables that the contract does not have');
select is((select attgenerated::text from pg_attribute
            where attrelid = 'public.client_purchases'::regclass and attname = 'sessions_remaining'), 's',
  'sessions_remaining is generated and stored: it is filtered by');
select is((select attgenerated::text from pg_attribute
            where attrelid = 'public.booking_settings'::regclass and attname = 'allow_client_booking'), '',
  'allow_client_booking is a plain column: onboarding writes it');

-- Enums.
select enum_has_labels('public', 'org_role', array['owner', 'staff', 'accountant_readonly'], 'org_role');
select enum_has_labels('public', 'inquiry_status', array['NEW', 'CONTACTED', 'BOOKED', 'WON', 'LOST'], 'inquiry_status');
select enum_has_labels('public', 'money_event_type',
  array['INCOME', 'REFUND', 'FEE', 'PLATFORM_FEE', 'PAYOUT', 'EXPENSE', 'ADJUSTMENT'], 'money_event_type');
select enum_has_labels('public', 'tax_category', array['GST', 'GST_FREE', 'NONE'], 'tax_category');
select enums_are('public', array['org_role', 'inquiry_status', 'money_event_type', 'tax_category'], 'and no other enum');

-- Unique keys: every upsert needs one without a condition, every single() one that makes it true.
create temp view keys as
select t.relname::text collate "default" as table_name,
       (select string_agg(a.attname, ',' order by a.attname) from pg_attribute as a
         where a.attrelid = t.oid and a.attnum = any ((i.indkey::smallint[])[0:i.indnkeyatts - 1])) as columns
  from pg_index as i
  join pg_class as t on t.oid = i.indrelid and t.relnamespace = 'public'::regnamespace
 where i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null;
select is_empty(
  $$select table_name, columns from (values
      ('client_risk', 'as_of_date,client_id,org_id'), ('subscriptions', 'client_id,org_id'),
      ('org_payout_settings', 'org_id'), ('sms_settings', 'org_id'), ('push_tokens', 'client_id,expo_token'),
      ('sms_suppression', 'org_id,phone'), ('sms_messages', 'idempotency_key'), ('sms_events', 'dedupe_key')
    ) as v (table_name, columns)
    except select table_name, columns from keys$$, 'every upsert has its key');
select is_empty(
  $$select table_name, columns from (values
      ('orgs', 'slug'), ('org_members', 'org_id,user_id'), ('booking_settings', 'org_id'), ('branding', 'org_id'),
      ('session_types', 'org_id,slug'), ('promo_codes', 'code,org_id'), ('referral_links', 'code'),
      ('client_invites', 'invite_code'), ('client_invites', 'redeemed_by'), ('message_threads', 'client_id,org_id'),
      ('client_habits', 'client_id,habit_id'), ('measurement_types', 'name'),
      ('sms_templates', 'org_id,template_key,version'), ('platform_admins', 'user_id'), ('clients', 'portal_token'),
      ('clients', 'onboarding_token'), ('clients', 'auth_user_id'), ('client_waivers', 'token'), ('stripe_accounts', 'org_id'),
      ('stripe_accounts', 'stripe_account_id'), ('client_purchases', 'org_id,stripe_payment_intent_id')
    ) as v (table_name, columns)
    except select table_name, columns from keys$$, 'and every row that is looked up alone');
select is_empty(
  $$select f.table_name, f.column_name from found as f
     where f.table_name = 'sms_settings' and f.column_name not in ('org_id', 'enabled')
       and f.attnotnull and not f.atthasdef$$,
  'an upsert of sms_settings names org_id and enabled only');
select lives_ok($$insert into public.orgs (name) values ('The admin page omits the slug')$$, 'a slug makes itself');

-- Foreign keys: table.column > table. Named as by default; embeds name one of them.
create temp table wanted_keys (columns text, target text);
insert into wanted_keys values
  ('clients.org_id org_members.org_id branding.org_id org_payout_settings.org_id org_payouts.org_id client_invites.org_id
    client_communications.org_id client_measurements.org_id client_waivers.org_id inquiries.org_id referral_links.org_id
    referrals.org_id activity_events.org_id habits.org_id client_habits.org_id checkin_photos.org_id
    message_threads.org_id messages.org_id push_tokens.org_id session_types.org_id bookings.org_id blocked_times.org_id
    availability.org_id booking_settings.org_id offers.org_id client_purchases.org_id promo_codes.org_id products.org_id
    subscriptions.org_id stripe_accounts.org_id money_events.org_id client_risk.org_id automations.org_id
    automation_runs.org_id sms_settings.org_id sms_schedules.org_id sms_messages.org_id sms_events.org_id
    sms_suppression.org_id sms_templates.org_id', 'public.orgs'),
  ('activity_events.client_id automation_runs.client_id bookings.client_id checkin_photos.client_id
    client_habits.client_id client_invites.client_id client_measurements.client_id client_purchases.client_id
    client_risk.client_id client_waivers.client_id inquiries.converted_client_id message_threads.client_id
    money_events.client_id push_tokens.client_id referrals.referred_client_id referrals.referrer_client_id
    sms_messages.client_id sms_suppression.client_id subscriptions.client_id client_communications.client_id',
   'public.clients'),
  ('availability.user_id blocked_times.user_id bookings.booked_by bookings.cancelled_by clients.auth_user_id
    platform_admins.user_id', 'auth.users'),
  ('bookings.offer_id client_purchases.offer_id subscriptions.offer_id', 'public.offers'),
  ('bookings.purchase_id', 'public.client_purchases'), ('bookings.session_type_id', 'public.session_types'),
  ('automation_runs.automation_id', 'public.automations'), ('checkin_photos.activity_event_id', 'public.activity_events'),
  ('client_habits.habit_id', 'public.habits'), ('client_purchases.promo_code_id', 'public.promo_codes'),
  ('clients.referral_id', 'public.referrals'), ('messages.thread_id', 'public.message_threads'),
  ('money_events.payout_id', 'public.org_payouts'), ('referrals.referral_link_id', 'public.referral_links'),
  ('sms_attempts.message_id sms_events.message_id', 'public.sms_messages'),
  ('sms_messages.template_id', 'public.sms_templates');
create temp view found_keys as
select c.oid, c.conname::text collate "default" as name, c.conrelid, c.confrelid,
       t.relname::text collate "default" as table_name, a.attname::text collate "default" as column_name
  from pg_constraint as c
  join pg_class as t on t.oid = c.conrelid and t.relnamespace = 'public'::regnamespace
  join pg_attribute as a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
 where c.contype = 'f';
select is_empty(
  $$select c, w.target from wanted_keys as w, regexp_split_to_table(w.columns, '\s+') as c
    except
    select f.table_name || '.' || f.column_name, format('%s.%s', n.nspname, r.relname)
      from found_keys as f join pg_class as r on r.oid = f.confrelid join pg_namespace as n on n.oid = r.relnamespace$$,
  'every foreign key of the contract is there');
select is_empty(
  $$select table_name, name from found_keys where name <> format('%s_%s_fkey', table_name, column_name)$$,
  'and named as by default');
select fk_ok('public', 'clients', 'org_id', 'public', 'orgs', 'id', 'clients.org_id');
select is((select column_name from found_keys where name = 'clients_org_id_fkey'), 'org_id',
  'which the portal embeds by the name clients_org_id_fkey');
select is_empty(
  $$select conrelid::regclass, conname from pg_constraint
     where contype = 'f' and connamespace = 'public'::regnamespace and confdeltype = 'a' and conname not in
       ('bookings_purchase_id_fkey', 'session_ledger_purchase_id_fkey', 'session_ledger_booking_id_fkey')$$,
  'a key says what a deletion does; what is counted stays');

-- What PostgREST makes of the keys.
create temp table embeds (table_name text, other_name text, column_name text);
insert into embeds values
  ('bookings', 'clients', 'client_id'), ('bookings', 'orgs', 'org_id'), ('bookings', 'offers', 'offer_id'),
  ('client_purchases', 'offers', 'offer_id'), ('clients', 'orgs', 'org_id'), ('subscriptions', 'clients', 'client_id'),
  ('client_risk', 'clients', 'client_id'), ('org_members', 'orgs', 'org_id'), ('subscriptions', 'orgs', 'org_id'),
  ('money_events', 'clients', 'client_id'), ('automation_runs', 'clients', 'client_id'),
  ('message_threads', 'clients', 'client_id'), ('automation_runs', 'automations', 'automation_id'),
  ('referrals', 'referral_links', 'referral_link_id'), ('client_habits', 'habits', 'habit_id'),
  ('client_invites', 'clients', 'client_id'), ('client_invites', 'orgs', 'org_id');
select is_empty(
  $$select e.table_name, e.other_name, n from embeds as e,
           lateral (select count(*) as n from pg_constraint as c
                     where c.contype = 'f'
                       and array[c.conrelid, c.confrelid] <@ array[e.table_name::regclass::oid, e.other_name::regclass::oid]
                       and c.conrelid <> c.confrelid) as x
     where n <> 1$$,
  'between two tables that are embedded there is one key, whichever way, so that no embed is ambiguous');
select is_empty(
  $$select e.* from embeds as e left join found_keys as f
        on f.table_name = e.table_name and f.column_name = e.column_name and f.confrelid = e.other_name::regclass
     where f.oid is null$$, 'of the column that the embed names');
select is_empty(
  $$select k.table_name, k.columns from keys as k
     where (k.table_name, k.columns) in (('subscriptions', 'client_id'), ('client_risk', 'client_id'),
             ('clients', 'org_id'), ('subscriptions', 'org_id'))$$,
  'an embed of many is an array: no key makes it one');
select is_empty(
  $$select i.indrelid::regclass from pg_index as i
     where i.indisprimary and exists (select from pg_constraint as c where c.contype = 'f' and c.conrelid = i.indrelid
             and c.confrelid = 'public.orgs'::regclass and c.conkey <@ (i.indkey::smallint[]))
       and exists (select from pg_constraint as c where c.contype = 'f' and c.conrelid = i.indrelid
             and c.confrelid = 'public.clients'::regclass and c.conkey <@ (i.indkey::smallint[]))$$,
  'no primary key joins orgs and clients: they would be taken for many to many');
select is_empty(
  $$select i.indrelid::regclass from pg_index as i
     where i.indisprimary and i.indrelid in (select c.oid from pg_class as c where c.relnamespace = 'public'::regnamespace)
       and (select count(*) from pg_constraint as c where c.contype = 'f' and c.conrelid = i.indrelid
             and c.conkey <@ (i.indkey::smallint[])) > 1$$,
  'nor any two tables');
select is_empty(
  $$select view_name from information_schema.view_column_usage
     where view_schema = 'public' and table_schema = 'public' and table_name = 'offers' and column_name = 'id'$$,
  'no view shows an offer''s id: an embed by the column offer_id could mean the view');
select is_empty(
  $$select t.table_name from tests.tables() as t
     where not exists (select from pg_index as i where i.indrelid = format('public.%I', t.table_name)::regclass
                          and i.indisprimary)$$, 'every table has a primary key');

-- updated_at is kept; reference rows are there.
select is_empty(
  $$select f.table_name from found as f
     where f.column_name = 'updated_at'
       and not exists (select from pg_trigger as g
                        where g.tgrelid = format('public.%I', f.table_name)::regclass and g.tgenabled in ('O', 'A')
                          and g.tgfoid = 'app.touch_updated_at()'::regprocedure
                          and g.tgtype & 19 = 19 and g.tgqual is null
                          -- When an automation is due next is the clock's, not an edit.
                          and (cardinality(g.tgattr::smallint[]) = 0 or f.table_name = 'automations'))$$,
  'updated_at is kept by a trigger on every table that has it');
select results_eq(
  'select category, count(*)::integer from public.measurement_types group by 1 order by 1',
  $$values ('body', 2), ('cardio', 2), ('circumference', 11), ('strength', 3), ('vitals', 3)$$,
  'the 21 kinds of measurement');
select is_empty(
  $$select f.table_name from found as f
     where f.column_name = 'id' and (f.atttypid <> 'uuid'::regtype or not f.atthasdef)$$,
  'an id is a uuid that makes itself');

-- Realtime: new messages, and nothing else, for those who may read them.
select results_eq(
  $$select (schemaname || '.' || tablename) collate "default" from pg_publication_tables where pubname = 'supabase_realtime'$$,
  $$values ('public.messages')$$, 'the pages that listen are told of new messages');

select * from finish();
rollback;
