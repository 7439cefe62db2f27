create or replace function app.check_same_org() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row jsonb := to_jsonb(new);
  v_column text;
  v_table text;
  v_id uuid;
  v_org_id uuid;
begin
  -- Arguments: pairs of a column and the table it refers to. Composite keys would say the same, but break the embeds
  -- the frontend asks PostgREST for. That an org_id never changes (app.keep_org) makes this hold for good.
  for i in 0 .. tg_nargs - 1 by 2 loop
    v_column := tg_argv[i];
    v_table := tg_argv[i + 1];
    v_id := (v_row ->> v_column)::uuid;
    continue when v_id is null;
    -- What every booking, ledger entry and run of an automation refers to is written out: its plan is kept, where the
    -- other one is made anew for each row, at ten times the cost.
    case v_table
      when 'clients' then
        select r.org_id into v_org_id from public.clients as r where r.id = v_id;
      when 'client_purchases' then
        select r.org_id into v_org_id from public.client_purchases as r where r.id = v_id;
      when 'bookings' then
        select r.org_id into v_org_id from public.bookings as r where r.id = v_id;
      when 'automations' then
        select r.org_id into v_org_id from public.automations as r where r.id = v_id;
      when 'message_threads' then
        select r.org_id into v_org_id from public.message_threads as r where r.id = v_id;
      else
        execute format('select r.org_id from public.%I as r where r.id = $1', v_table) into v_org_id using v_id;
    end case;
    -- A row of another org looks like one that does not exist.
    if v_org_id is distinct from (v_row ->> 'org_id')::uuid then
      -- To whom row security will refuse this org, it refuses here: two answers would say whose row the column names.
      if current_setting('role') = 'authenticated' and app.acts_for_org((v_row ->> 'org_id')::uuid) is not true then
        raise exception using errcode = '42501',
          message = format('new row violates row-level security policy for table "%s"', tg_table_name);
      end if;
      raise exception using errcode = 'PT404', message = v_column || '_not_found',
        hint = format('%s names no row of the same business.', v_column);
    end if;
  end loop;
  return new;
end;
$$;
comment on function app.check_same_org() is
  'Rows that refer to each other belong to the same org. Raises PT404 <column>_not_found; 42501, as row security does, '
  'to a signed-in user who is not of the org''s staff.';
revoke all on function app.check_same_org() from public, anon, authenticated, service_role;

create or replace trigger clients_same_org before insert or update of referral_id on public.clients
  for each row execute function app.check_same_org('referral_id', 'referrals');
create or replace trigger client_invites_same_org before insert or update of client_id on public.client_invites
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_communications_same_org before insert or update of client_id on public.client_communications
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_measurements_same_org before insert or update of client_id on public.client_measurements
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_waivers_same_org before insert or update of client_id on public.client_waivers
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger inquiries_same_org before insert or update of converted_client_id on public.inquiries
  for each row execute function app.check_same_org('converted_client_id', 'clients');
create or replace trigger referrals_same_org before insert or update of referral_link_id, referrer_client_id, referred_client_id, inquiry_id on public.referrals
  for each row execute function app.check_same_org('referral_link_id', 'referral_links', 'referrer_client_id', 'clients', 'referred_client_id', 'clients', 'inquiry_id', 'inquiries');
create or replace trigger activity_events_same_org before insert or update of client_id on public.activity_events
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_habits_same_org before insert or update of client_id, habit_id on public.client_habits
  for each row execute function app.check_same_org('client_id', 'clients', 'habit_id', 'habits');
create or replace trigger checkin_photos_same_org before insert or update of client_id, activity_event_id on public.checkin_photos
  for each row execute function app.check_same_org('client_id', 'clients', 'activity_event_id', 'activity_events');
create or replace trigger message_threads_same_org before insert or update of client_id on public.message_threads
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger messages_same_org before insert or update of thread_id on public.messages
  for each row execute function app.check_same_org('thread_id', 'message_threads');
create or replace trigger push_tokens_same_org before insert or update of client_id on public.push_tokens
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger client_purchases_same_org before insert or update of client_id, offer_id, promo_code_id on public.client_purchases
  for each row execute function app.check_same_org('client_id', 'clients', 'offer_id', 'offers', 'promo_code_id', 'promo_codes');
create or replace trigger bookings_same_org before insert or update of client_id, offer_id, session_type_id, purchase_id on public.bookings
  for each row execute function app.check_same_org('client_id', 'clients', 'offer_id', 'offers', 'session_type_id', 'session_types', 'purchase_id', 'client_purchases');
create or replace trigger subscriptions_same_org before insert or update of client_id, offer_id on public.subscriptions
  for each row execute function app.check_same_org('client_id', 'clients', 'offer_id', 'offers');
create or replace trigger money_events_same_org before insert or update of client_id, payout_id on public.money_events
  for each row execute function app.check_same_org('client_id', 'clients', 'payout_id', 'org_payouts');
create or replace trigger client_risk_same_org before insert or update of client_id on public.client_risk
  for each row execute function app.check_same_org('client_id', 'clients');
create or replace trigger automation_runs_same_org before insert or update of automation_id, client_id on public.automation_runs
  for each row execute function app.check_same_org('automation_id', 'automations', 'client_id', 'clients');
create or replace trigger sms_messages_same_org before insert or update of client_id, template_id on public.sms_messages
  for each row execute function app.check_same_org('client_id', 'clients', 'template_id', 'sms_templates');
create or replace trigger sms_events_same_org before insert or update of message_id on public.sms_events
  for each row execute function app.check_same_org('message_id', 'sms_messages');
create or replace trigger sms_suppression_same_org before insert or update of client_id on public.sms_suppression
  for each row execute function app.check_same_org('client_id', 'clients');
