-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/automations/defer_job.sql
create or replace function app.defer_job(p_task_name text) returns void
  language plpgsql volatile security definer set search_path = procrastinate, pg_temp
as $$
begin
  -- Migrations alone build the database; until a worker has installed the job tables there is nobody to call.
  if to_regclass('procrastinate.procrastinate_jobs') is null then
    return;
  end if;
  -- One waiting job is enough. A queueing lock would say so too, but makes every other transaction that enqueues
  -- wait for this one's end; a second job in a race merely finds nothing to do.
  if exists (select from procrastinate_jobs as j where j.task_name = p_task_name and j.status = 'todo') then
    return;
  end if;
  perform procrastinate_defer_jobs_v1(
    array[row('default', p_task_name, 0, null, null, '{}', null)::procrastinate_job_to_defer_v1]
  );
end;
$$;
comment on function app.defer_job(text) is
  'Has the worker run a task soon after this transaction commits. Does nothing while the job tables are not '
  'installed: every task also runs on the minute.';
revoke all on function app.defer_job(text) from public, anon, authenticated, service_role;
-- It calls what the worker's role owns, so it must not run with more rights than that role has: owned by the
-- migrating role, it would let whoever holds the worker's password become that one.
grant create on schema app to coach_os_enqueuer;
alter function app.defer_job(text) owner to coach_os_enqueuer;
revoke create on schema app from coach_os_enqueuer;
-- <<< functions_sql/automations/defer_job.sql

-- >>> functions_sql/bookings/calendar_range.sql
create or replace function app.calendar_range(
  p_view text, p_anchor date, p_timezone text, p_week_start integer default 1
) returns table (range_start timestamptz, range_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_first date;
  v_after date;
begin
  if p_week_start is null or p_week_start not between 0 and 6 then
    raise exception using errcode = 'PT400', message = 'week_start_invalid',
      hint = 'p_week_start is 0 (Sunday) to 6 (Saturday).';
  end if;
  case p_view
    when 'day' then
      v_first := p_anchor;
      v_after := p_anchor + 1;
    when 'week' then
      v_first := p_anchor - ((extract(dow from p_anchor)::integer - p_week_start + 7) % 7);
      v_after := v_first + 7;
    when 'month' then
      v_first := date_trunc('month', p_anchor::timestamp)::date;
      v_after := (v_first + interval '1 month')::date;
    else
      raise exception using errcode = 'PT400', message = 'view_invalid', hint = 'p_view is day, week or month.';
  end case;
  -- A day begins when its date begins: where midnight is skipped, at the skip; where it repeats, at the first.
  range_start := app.local_to_instant(v_first::timestamp, p_timezone);
  range_end := app.local_to_instant(v_after::timestamp, p_timezone);
  return next;
end;
$$;
comment on function app.calendar_range(text, date, text, integer) is
  'The instants [range_start, range_end) of the local day, week or month that holds p_anchor, in an IANA zone. '
  'Errors: PT400 view_invalid, PT400 week_start_invalid; an unknown zone is an error.';
revoke all on function app.calendar_range(text, date, text, integer) from public, anon, authenticated, service_role;
grant execute on function app.calendar_range(text, date, text, integer) to authenticated, service_role;

create or replace function public.calendar_range(
  p_view text, p_anchor date, p_timezone text, p_week_start integer default 1
) returns table (range_start timestamptz, range_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select r.range_start, r.range_end from app.calendar_range(p_view, p_anchor, p_timezone, p_week_start) as r;
end;
comment on function public.calendar_range(text, date, text, integer) is
  'The exact range a calendar page shows and polls: see app.calendar_range.';
revoke all on function public.calendar_range(text, date, text, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.calendar_range(text, date, text, integer) to authenticated, service_role;
-- <<< functions_sql/bookings/calendar_range.sql

-- >>> functions_sql/bookings/complete_past_bookings.sql
create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_completed integer;
begin
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for update skip locked
    ) as d;
  -- Two callers with bookings on the same packs take them in one order, so that neither waits for the other in turn.
  perform from public.client_purchases as p
    where p.id in (select b.purchase_id from public.bookings as b where b.id = any (v_due))
    order by p.id
      for update;
  update public.bookings as b set status = 'completed' where b.id = any (v_due);
  get diagnostics v_completed = row_count;
  return v_completed;
end;
$$;
comment on function app.complete_past_bookings(timestamptz, integer) is
  'Completes up to p_limit confirmed bookings that ended by p_now, oldest first, and with them deducts their '
  'sessions (app.settle_booking). Returns how many. Any number of callers may run it at once.';
revoke all on function app.complete_past_bookings(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.complete_past_bookings(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/bookings/complete_past_bookings.sql

-- >>> functions_sql/clients/limit_client_writes.sql
create or replace function app.limit_client_writes() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_own_columns text[] := tg_argv[0]::text[];
begin
  if app.acts_for_org(new.org_id) then
    return new;
  end if;
  if to_jsonb(new) - v_own_columns <> to_jsonb(old) - v_own_columns then
    raise exception using errcode = 'PT403', message = 'column_not_yours',
      hint = format('A client may change only %s here.', array_to_string(v_own_columns, ', '));
  end if;
  return new;
end;
$$;
comment on function app.limit_client_writes() is
  'An end client changes only the columns named as argument of their own row. Raises PT403 column_not_yours.';
revoke all on function app.limit_client_writes() from public, anon, authenticated, service_role;

-- Generated columns and updated_at are worked out after this one: triggers fire by name.
create or replace trigger clients_limit_client_writes before update on public.clients
  for each row execute function app.limit_client_writes('{email,weight_kg}');
-- <<< functions_sql/clients/limit_client_writes.sql

-- >>> functions_sql/clients/my_client_ids.sql
create or replace function app.my_client_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select c.id from public.clients as c where c.auth_user_id = (select auth.uid());
$$;
comment on function app.my_client_ids() is 'The client that the signed-in user is, if they are one (the mobile app''s user).';
revoke all on function app.my_client_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_client_ids() to authenticated;
-- <<< functions_sql/clients/my_client_ids.sql

-- >>> functions_sql/clients/my_coaching_org_ids.sql
create or replace function app.my_coaching_org_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select c.org_id from public.clients as c where c.auth_user_id = (select auth.uid());
$$;
comment on function app.my_coaching_org_ids() is 'The orgs that coach the signed-in user: a client may see what they offer, and when.';
revoke all on function app.my_coaching_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_coaching_org_ids() to authenticated;
-- <<< functions_sql/clients/my_coaching_org_ids.sql

-- >>> functions_sql/clients/my_thread_ids.sql
create or replace function app.my_thread_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select t.id
    from public.message_threads as t
    join public.clients as c on c.id = t.client_id
   where c.auth_user_id = (select auth.uid());
$$;
comment on function app.my_thread_ids() is 'Message threads of the client that the signed-in user is.';
revoke all on function app.my_thread_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_thread_ids() to authenticated;
-- <<< functions_sql/clients/my_thread_ids.sql

-- >>> functions_sql/money/apply_checkout_session.sql
create or replace function app.apply_checkout_session(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_offer public.offers;
  v_client_id uuid;
  v_amount integer := (p_session ->> 'amount_total')::integer;
  v_gst boolean;
begin
  if p_session -> 'metadata' ->> 'offer_id' is null then
    return 'ignored';
  end if;
  -- A delayed method completes the session before the money is there; its async event comes later.
  -- https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification
  if coalesce(p_session ->> 'payment_status', '') not in ('paid', 'no_payment_required') then
    return 'ignored';
  end if;
  select o.* into v_offer
    from public.offers as o
   where o.id = (p_session -> 'metadata' ->> 'offer_id')::uuid and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_in_org';
  end if;
  select c.id into v_client_id
    from public.clients as c
   where c.id = (p_session -> 'metadata' ->> 'client_id')::uuid and c.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;

  insert into public.client_purchases (
    org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
    stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, session_duration_mins
  )
  values (
    p_org_id, v_client_id, v_offer.id, v_amount, p_session ->> 'currency',
    coalesce(v_offer.sessions_included, 1) + coalesce(v_offer.bonus_sessions, 0), p_at,
    p_at + make_interval(days => v_offer.pack_validity_days),
    p_session ->> 'payment_intent', p_session ->> 'id', 'succeeded', 'stripe', v_offer.session_duration_mins
  )
  on conflict do nothing;  -- another event about the same session or payment has granted the pack

  if v_amount > 0 then
    select s.gst_registered into v_gst from public.booking_settings as s where s.org_id = p_org_id;
    insert into public.money_events (
      org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id,
      payment_status, stripe_payment_intent_id
    )
    values (
      p_org_id, p_at, 'INCOME', v_amount, p_session ->> 'currency',
      case when v_gst then 'GST' else 'NONE' end::public.tax_category,
      -- GST is one eleventh of a price that includes it: https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst
      case when v_gst then round(v_amount / 11.0) else 0 end,
      'stripe', coalesce(p_session ->> 'payment_intent', p_session ->> 'id'), v_client_id, 'succeeded',
      p_session ->> 'payment_intent'
    )
    on conflict on constraint money_events_one_per_object do nothing;
  end if;
  return 'applied';
end;
$$;
comment on function app.apply_checkout_session(uuid, jsonb, timestamptz) is
  'A paid Checkout Session with metadata offer_id and client_id grants the pack and books the income, each once. '
  'Amounts in the smallest unit of the session''s currency. Raises PT404 offer_not_in_org, PT404 client_not_in_org. '
  'Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_checkout_session(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_checkout_session.sql

-- >>> functions_sql/money/apply_stripe_event.sql
create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  case p_event ->> 'type'
    when 'checkout.session.completed', 'checkout.session.async_payment_succeeded' then
      return app.apply_checkout_session(
        p_org_id, p_event -> 'data' -> 'object', to_timestamp((p_event ->> 'created')::bigint)
      );
    else
      return 'ignored';
  end case;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its type. Returns applied, or ignored for a type that changes nothing here.';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_stripe_event.sql

-- >>> functions_sql/money/begin_checkout.sql
create or replace function app.begin_checkout(p_user_id uuid, p_client_id uuid, p_offer_id uuid)
  returns table (
    checkout_id uuid, org_id uuid, stripe_account_id text, offer_name text, amount_cents integer, currency text,
    application_fee_cents integer
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_org public.orgs;
  v_offer public.offers;
begin
  -- A client of an org the user may not sell for looks like one that does not exist.
  select o.* into v_org
    from public.clients as c
    join public.orgs as o on o.id = c.org_id
    join public.org_members as m on m.org_id = o.id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where c.id = p_client_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found',
      hint = 'Choose a client of your own business.';
  end if;
  select f.* into v_offer
    from public.offers as f where f.id = p_offer_id and f.org_id = v_org.id and f.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  select a.stripe_account_id into stripe_account_id
    from public.stripe_accounts as a where a.org_id = v_org.id and a.charges_enabled;
  if not found then
    raise exception using errcode = 'PT409', message = 'stripe_not_connected',
      hint = 'Connect a Stripe account that can take payments first.';
  end if;
  insert into app.checkouts (org_id, client_id, offer_id) values (v_org.id, p_client_id, v_offer.id)
  returning id into checkout_id;
  org_id := v_org.id;
  offer_name := v_offer.name;
  amount_cents := v_offer.price_cents;
  currency := v_offer.currency;
  application_fee_cents := round(v_offer.price_cents * v_org.commission_rate);
  return next;
end;
$$;
comment on function app.begin_checkout(uuid, uuid, uuid) is
  'Records that a coach (p_user_id, verified by the caller) sells an offer to a client, and returns what a Stripe '
  'Checkout Session needs; checkout_id is its idempotency key. Raises PT404 client_not_found, PT404 '
  'offer_not_found, PT409 stripe_not_connected.';
revoke all on function app.begin_checkout(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.begin_checkout(uuid, uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/money/begin_checkout.sql

-- >>> functions_sql/money/checkout_opened.sql
create or replace function app.checkout_opened(p_checkout_id uuid, p_stripe_session_id text) returns void
  language sql volatile security definer set search_path = ''
as $$
  update app.checkouts as c set stripe_session_id = p_stripe_session_id where c.id = p_checkout_id;
$$;
comment on function app.checkout_opened(uuid, text) is 'Notes which Stripe Checkout Session a checkout became.';
revoke all on function app.checkout_opened(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.checkout_opened(uuid, text) to coach_os_sidecar;
-- <<< functions_sql/money/checkout_opened.sql

-- >>> functions_sql/money/receive_stripe_event.sql
create or replace function app.receive_stripe_event(p_event jsonb, p_livemode boolean) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event_id text := p_event ->> 'id';
  v_row app.webhook_events;
  v_status text;
  v_reason text;
begin
  if jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_event_id) not between 1 and 255
     or jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(p_event ->> 'type') not between 1 and 255
     or jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'event_malformed',
      hint = 'A Stripe event has an id, a type and data.object.';
  end if;
  -- A second delivery waits on the unique key for the first; it then finds the row and, unless the first one
  -- failed or found no org, has nothing to do. The row and what it causes commit together.
  insert into app.webhook_events as e (provider, event_id, event_type, account_id, payload, status)
  values ('stripe', v_event_id, p_event ->> 'type', p_event ->> 'account', p_event, 'ignored')
  on conflict (provider, event_id) do nothing
  returning e.* into v_row;
  if not found then
    select e.* into v_row
      from app.webhook_events as e
     where e.provider = 'stripe' and e.event_id = v_event_id
       for update;
    if v_row.status not in ('failed', 'unmatched') then
      return 'duplicate';
    end if;
  end if;

  select a.org_id into v_row.org_id
    from public.stripe_accounts as a where a.stripe_account_id = v_row.account_id;
  if p_event -> 'livemode' is distinct from to_jsonb(p_livemode) then
    v_status := 'ignored';
    v_reason := 'livemode_mismatch';
  elsif v_row.org_id is null then
    v_status := 'unmatched';
    v_reason := 'account_unknown';
  else
    begin
      v_status := app.apply_stripe_event(v_row.org_id, p_event);
    exception when others then
      -- Kept with our own code only: a constraint's message can carry a person's data.
      v_status := 'failed';
      v_reason := case when sqlstate like 'PT%' then sqlerrm else 'sqlstate_' || sqlstate end;
    end;
  end if;
  update app.webhook_events as e
     set status = v_status, reason = v_reason, org_id = v_row.org_id, processed_at = now()
   where e.id = v_row.id;
  return v_status;
end;
$$;
comment on function app.receive_stripe_event(jsonb, boolean) is
  'Stores a verified Stripe event and applies it, in one transaction, once per event id. Returns applied, '
  'duplicate, ignored, unmatched (no org owns the account) or failed (kept, with a reason). p_livemode: what this '
  'endpoint is for; an event of the other mode books nothing. Source: https://docs.stripe.com/webhooks';
revoke all on function app.receive_stripe_event(jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function app.receive_stripe_event(jsonb, boolean) to coach_os_sidecar;
-- <<< functions_sql/money/receive_stripe_event.sql

-- >>> functions_sql/orgs/acts_for_org.sql
create or replace function app.acts_for_org(p_org_id uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  -- A definer function keeps the caller's `role` setting: an API request shows its role there, a connection of the
  -- worker or the sidecar shows none.
  select current_setting('role') in ('none', 'service_role', 'postgres', 'coach_os_worker', 'coach_os_sidecar')
      or p_org_id = any (array(select app.my_staff_org_ids()));
$$;
comment on function app.acts_for_org(uuid) is
  'True when the caller may change rows of this org: the system, or a signed-in owner or staff member of it.';
revoke all on function app.acts_for_org(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/acts_for_org.sql

-- >>> functions_sql/orgs/check_same_org.sql
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
    execute format('select r.org_id from public.%I as r where r.id = $1', v_table) into v_org_id using v_id;
    -- A row of another org looks like one that does not exist.
    if v_org_id is distinct from (v_row ->> 'org_id')::uuid then
      raise exception using errcode = 'PT404', message = v_column || '_not_found',
        hint = format('%s names no row of the same business.', v_column);
    end if;
  end loop;
  return new;
end;
$$;
comment on function app.check_same_org() is
  'Rows that refer to each other belong to the same org. Raises PT404 <column>_not_found.';
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
create or replace trigger referrals_same_org before insert or update of referral_link_id, referrer_client_id, referred_client_id on public.referrals
  for each row execute function app.check_same_org('referral_link_id', 'referral_links', 'referrer_client_id', 'clients', 'referred_client_id', 'clients');
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
create or replace trigger session_ledger_same_org before insert or update of purchase_id, booking_id on public.session_ledger
  for each row execute function app.check_same_org('purchase_id', 'client_purchases', 'booking_id', 'bookings');
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
-- <<< functions_sql/orgs/check_same_org.sql

-- >>> functions_sql/orgs/check_timezone.sql
create or replace function app.check_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- `at time zone` would also take POSIX strings such as 'UTC+3', whose sign means the opposite of what it says.
  if not exists (select from pg_catalog.pg_timezone_names as z where z.name = new.timezone) then
    raise exception using errcode = 'PT400', message = 'timezone_unknown',
      hint = 'Use an IANA name, for example Australia/Brisbane.';
  end if;
  return new;
end;
$$;
comment on function app.check_timezone() is 'Refuses an org time zone that is not an IANA name Postgres knows.';
revoke all on function app.check_timezone() from public, anon, authenticated, service_role;

create or replace trigger orgs_timezone_is_known
  before insert or update of timezone on public.orgs
  for each row execute function app.check_timezone();
-- <<< functions_sql/orgs/check_timezone.sql

-- >>> functions_sql/orgs/create_org.sql
create or replace function app.create_org(p_name text, p_timezone text) returns public.orgs
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
  v_org public.orgs;
begin
  if v_user_id is null then
    raise exception using errcode = 'PT401', message = 'sign_in_required',
      hint = 'Sign in first; an org belongs to the user who creates it.';
  end if;
  if coalesce(btrim(p_name), '') = '' or length(p_name) > 200 then
    raise exception using errcode = 'PT400', message = 'org_name_invalid',
      hint = 'Give the business a name of 1 to 200 characters.';
  end if;
  -- Two tabs that both sign up wait here for each other; the second then finds the first one's org.
  perform pg_advisory_xact_lock(hashtextextended('app.create_org:' || v_user_id, 0));
  select o.* into v_org
    from public.orgs as o
    join public.org_members as m on m.org_id = o.id
   where m.user_id = v_user_id
   order by m.created_at
   limit 1;
  if found then
    return v_org;
  end if;
  insert into public.orgs (name, timezone) values (btrim(p_name), p_timezone) returning * into v_org;
  -- For an admin of the platform, whose orgs are otherwise somebody else's (app.furnish_org); for others done already.
  insert into public.org_members (org_id, user_id, role) values (v_org.id, v_user_id, 'owner');
  return v_org;
end;
$$;
comment on function app.create_org(text, text) is 'What public.create_org() promises.';
revoke all on function app.create_org(text, text) from public, anon, authenticated, service_role;
grant execute on function app.create_org(text, text) to authenticated;

create or replace function public.create_org(p_name text, p_timezone text default 'Australia/Brisbane')
  returns public.orgs
  language sql volatile security invoker set search_path = ''
begin atomic
  select * from app.create_org(p_name, p_timezone);
end;
comment on function public.create_org(text, text) is
  'Creates the signed-in user''s org with owner membership, branding, settings rows, session types and text '
  'schedules, all or nothing. Called again it returns the org the user already belongs to, unchanged. '
  'p_timezone: IANA name. Errors: PT401 sign_in_required, PT400 org_name_invalid, PT400 timezone_unknown.';
revoke all on function public.create_org(text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_org(text, text) to authenticated;
-- <<< functions_sql/orgs/create_org.sql

-- >>> functions_sql/orgs/format_local.sql
create or replace function app.format_local(p_at timestamptz, p_timezone text, p_pattern text) returns text
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select to_char(p_at at time zone p_timezone, p_pattern);
$$;
comment on function app.format_local(timestamptz, text, text) is
  'An instant as text in an IANA zone, with a to_char pattern; whatever the session''s own time zone.';
revoke all on function app.format_local(timestamptz, text, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/format_local.sql

-- >>> functions_sql/orgs/furnish_org.sql
create or replace function app.furnish_org() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Who creates an org owns it; an admin of the platform creates one for somebody else.
  if new.created_by is not null
     and not exists (select from public.platform_admins as a where a.user_id = new.created_by and a.role = 'admin') then
    insert into public.org_members (org_id, user_id, role) values (new.id, new.created_by, 'owner');
  end if;
  insert into public.branding (org_id, display_name) values (new.id, new.name);
  insert into public.booking_settings (org_id, timezone) values (new.id, new.timezone);
  insert into public.sms_settings (org_id, timezone) values (new.id, new.timezone);
  insert into public.session_types (org_id, name, slug, duration_mins, color, sort_order)
  values (new.id, 'Session', 'pt_session', 60, '#3B82F6', 0),
         (new.id, 'Short session', 'short_session', 30, '#10B981', 1),
         (new.id, 'Consultation', 'consultation', 30, '#8B5CF6', 2);
  insert into public.sms_schedules (org_id, type, label, mins_offset, body)
  values (new.id, 'pre_session', 'Reminder the day before', 1440,
          'Hi {{client_name}}, a reminder of your session on {{session_datetime}}. {{coach_name}}'),
         (new.id, 'post_session', 'Follow-up', 60,
          'Hi {{client_name}}, thanks for today. Sessions left: {{sessions_remaining}}. {{coach_name}}');
  return null;
end;
$$;
comment on function app.furnish_org() is
  'Every org has its owner, branding, settings rows, session types and text schedules from birth.';
revoke all on function app.furnish_org() from public, anon, authenticated, service_role;

create or replace trigger orgs_furnish
  after insert on public.orgs
  for each row execute function app.furnish_org();
-- <<< functions_sql/orgs/furnish_org.sql

-- >>> functions_sql/orgs/is_platform_admin.sql
create or replace function app.is_platform_admin() returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.platform_admins as a where a.user_id = (select auth.uid()) and a.role = 'admin'
  );
$$;
comment on function app.is_platform_admin() is 'True when the signed-in user is an admin of the platform itself.';
revoke all on function app.is_platform_admin() from public, anon, authenticated, service_role;
grant execute on function app.is_platform_admin() to authenticated, service_role;

create or replace function public.is_platform_admin() returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_platform_admin();
end;
comment on function public.is_platform_admin() is 'True when the signed-in user is an admin of the platform itself.';
revoke all on function public.is_platform_admin() from public, anon, authenticated, service_role;
grant execute on function public.is_platform_admin() to authenticated, service_role;
-- <<< functions_sql/orgs/is_platform_admin.sql

-- >>> functions_sql/orgs/is_quiet_time.sql
create or replace function app.is_quiet_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns boolean
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select case
    when p_start is null or p_end is null or p_start = p_end then false
    when p_start < p_end then h.local_hour >= p_start and h.local_hour < p_end
    else h.local_hour >= p_start or h.local_hour < p_end
  end
  from (select extract(hour from p_at at time zone p_timezone)) as h (local_hour);
$$;
comment on function app.is_quiet_time(timestamptz, text, integer, integer) is
  'True when the local wall clock is within quiet hours: p_start inclusive to p_end exclusive (hours 0-23), '
  'through midnight when p_start > p_end. Null or equal bounds: never quiet.';
revoke all on function app.is_quiet_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/is_quiet_time.sql

-- >>> functions_sql/orgs/keep_commission_rate.sql
create or replace function app.keep_commission_rate() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if current_setting('role') in ('anon', 'authenticated') and not app.is_platform_admin() then
    raise exception using errcode = 'PT403', message = 'commission_rate_is_the_platforms',
      hint = 'Only an admin of the platform changes what it earns.';
  end if;
  return new;
end;
$$;
comment on function app.keep_commission_rate() is
  'orgs.commission_rate is changed by the platform, not by a coach. Raises PT403 commission_rate_is_the_platforms.';
revoke all on function app.keep_commission_rate() from public, anon, authenticated, service_role;

create or replace trigger orgs_keep_commission_rate_at_birth before insert on public.orgs
  for each row when (new.commission_rate <> 0.05) -- the column's default
  execute function app.keep_commission_rate();
create or replace trigger orgs_keep_commission_rate before update of commission_rate on public.orgs
  for each row when (old.commission_rate is distinct from new.commission_rate)
  execute function app.keep_commission_rate();
-- <<< functions_sql/orgs/keep_commission_rate.sql

-- >>> functions_sql/orgs/keep_org.sql
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
-- <<< functions_sql/orgs/keep_org.sql

-- >>> functions_sql/orgs/local_to_instant.sql
create or replace function app.local_to_instant(p_local timestamp, p_timezone text) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  -- Postgres reads a skipped wall time with the offset before the gap, as promised here, but takes the second
  -- of two passes (DetermineTimeZoneOffset in its datetime.c).
  v_last timestamptz := p_local at time zone p_timezone;
  -- The same wall time read with the offset of a day before: the first pass, if there were two.
  v_first timestamptz := v_last - ((v_last - interval '24 hours') at time zone p_timezone
                                   - (v_last at time zone p_timezone - interval '24 hours'));
begin
  if v_first < v_last and v_first at time zone p_timezone = p_local then
    return v_first;
  end if;
  return v_last;
end;
$$;
comment on function app.local_to_instant(timestamp, text) is
  'The instant of a wall-clock time in an IANA zone. In a gap (clocks go forward): read with the offset before '
  'it. In a fold (clocks go back): the first occurrence. An unknown zone is an error.';
revoke all on function app.local_to_instant(timestamp, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/local_to_instant.sql

-- >>> functions_sql/orgs/mirror_timezone.sql
create or replace function app.mirror_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The foreign keys of both mirrors carry the change on to the other one (ON UPDATE CASCADE).
  update public.orgs as o set timezone = new.timezone where o.id = new.org_id and o.timezone <> new.timezone;
  return null;
end;
$$;
comment on function app.mirror_timezone() is
  'Writing a legacy time zone column (booking_settings, sms_settings) changes the org''s one time zone.';
revoke all on function app.mirror_timezone() from public, anon, authenticated, service_role;

create or replace trigger booking_settings_timezone_mirror
  after insert or update of timezone on public.booking_settings
  for each row execute function app.mirror_timezone();
create or replace trigger sms_settings_timezone_mirror
  after insert or update of timezone on public.sms_settings
  for each row execute function app.mirror_timezone();
-- <<< functions_sql/orgs/mirror_timezone.sql

-- >>> functions_sql/orgs/my_org_ids.sql
-- Set-based on purpose: `org_id = any (array(select app.my_org_ids()))` runs once per query and uses the index.
create or replace function app.my_org_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select m.org_id from public.org_members as m where m.user_id = (select auth.uid());
$$;
comment on function app.my_org_ids() is 'Orgs the signed-in user is a member of, in any role: whose money they may read.';
revoke all on function app.my_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_org_ids() to authenticated;
-- <<< functions_sql/orgs/my_org_ids.sql

-- >>> functions_sql/orgs/my_owned_org_ids.sql
create or replace function app.my_owned_org_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select m.org_id from public.org_members as m where m.user_id = (select auth.uid()) and m.role = 'owner';
$$;
comment on function app.my_owned_org_ids() is 'Orgs the signed-in user owns: whose members and bank details they manage.';
revoke all on function app.my_owned_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_owned_org_ids() to authenticated;
-- <<< functions_sql/orgs/my_owned_org_ids.sql

-- >>> functions_sql/orgs/my_staff_org_ids.sql
create or replace function app.my_staff_org_ids() returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select m.org_id
    from public.org_members as m
   where m.user_id = (select auth.uid()) and m.role in ('owner', 'staff');
$$;
comment on function app.my_staff_org_ids() is
  'Orgs whose rows the signed-in user may read and change: owner or staff there.';
revoke all on function app.my_staff_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_staff_org_ids() to authenticated;
-- <<< functions_sql/orgs/my_staff_org_ids.sql

-- >>> functions_sql/orgs/next_send_time.sql
create or replace function app.next_send_time(p_at timestamptz, p_timezone text, p_start integer, p_end integer)
  returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_at timestamptz := p_at;
begin
  -- Looked for, not computed: quiet hours can end within a gap and come back in a fold (Antarctica/Troll moves by
  -- two hours). First by the quarter of an hour, then to the minute: nowhere do clocks change between minutes.
  while app.is_quiet_time(v_at, p_timezone, p_start, p_end) loop
    v_at := date_bin('15 minutes', v_at, timestamptz 'epoch') + interval '15 minutes';
  end loop;
  v_at := greatest(p_at, v_at - interval '15 minutes');
  while app.is_quiet_time(v_at, p_timezone, p_start, p_end) loop
    v_at := date_bin('1 minute', v_at, timestamptz 'epoch') + interval '1 minute';
  end loop;
  return v_at;
end;
$$;
comment on function app.next_send_time(timestamptz, text, integer, integer) is
  'The first instant, not before p_at, outside quiet hours (see app.is_quiet_time).';
revoke all on function app.next_send_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/next_send_time.sql

-- >>> functions_sql/orgs/skip_known_member.sql
create or replace function app.skip_known_member() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The existing sign-up adds the owner itself after the org, and gives up on any error.
  -- Only for who may know: a stranger must not learn from the answer who is a member.
  if (new.user_id = (select auth.uid()) or app.acts_for_org(new.org_id))
     and exists (
       select from public.org_members as m
        where m.org_id = new.org_id and m.user_id = new.user_id and m.role = new.role
     ) then
    return null;
  end if;
  return new;
end;
$$;
comment on function app.skip_known_member() is 'Adding a member who is there already, in the same role, changes nothing.';
revoke all on function app.skip_known_member() from public, anon, authenticated, service_role;

create or replace trigger org_members_skip_known before insert on public.org_members
  for each row execute function app.skip_known_member();
-- <<< functions_sql/orgs/skip_known_member.sql

-- >>> functions_sql/orgs/touch_updated_at.sql
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
create or replace trigger automations_touch before update on public.automations
  for each row execute function app.touch_updated_at();
-- <<< functions_sql/orgs/touch_updated_at.sql

-- >>> functions_sql/sessions/apply_ledger_entry.sql
create or replace function app.apply_ledger_entry() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.actor_id := coalesce(new.actor_id, auth.uid());
  if new.entry_type in ('opening', 'adjustment') then
    return new;  -- written by app.record_direct_change(), which saw the counter change
  end if;
  perform set_config('coach_os.ledger_entry', new.id::text, true);
  -- Check and change are one statement; the row lock makes two spenders of the last session take turns.
  update public.client_purchases as p
     set sessions_used = p.sessions_used + new.delta
   where p.id = new.purchase_id
     and p.sessions_used + new.delta between 0 and coalesce(p.sessions_total, 0)
  returning p.sessions_used, p.org_id into new.sessions_used_after, new.org_id;
  if not found then
    raise exception using errcode = 'PT409', message = 'no_session_left',
      hint = 'The pack has no session left to use, or none to give back.';
  end if;
  perform set_config('coach_os.ledger_entry', '', true);
  return new;
end;
$$;
comment on function app.apply_ledger_entry() is
  'An entry and the counter it explains change together, never outside 0..sessions_total (PT409 no_session_left).';
revoke all on function app.apply_ledger_entry() from public, anon, authenticated, service_role;

create or replace trigger session_ledger_apply
  before insert on public.session_ledger
  for each row execute function app.apply_ledger_entry();
-- <<< functions_sql/sessions/apply_ledger_entry.sql

-- >>> functions_sql/sessions/record_direct_change.sql
create or replace function app.record_direct_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_delta integer := new.sessions_used - case when tg_op = 'INSERT' then 0 else old.sessions_used end;
begin
  if v_delta = 0 or coalesce(current_setting('coach_os.ledger_entry', true), '') <> '' then
    return null;  -- unchanged, or changed by the ledger entry being inserted
  end if;
  insert into public.session_ledger (org_id, purchase_id, entry_type, delta, sessions_used_after)
  values (new.org_id, new.id, case when tg_op = 'INSERT' then 'opening' else 'adjustment' end,
          v_delta, new.sessions_used);
  return null;
end;
$$;
comment on function app.record_direct_change() is
  'A direct write to client_purchases.sessions_used becomes a ledger entry with its actor.';
revoke all on function app.record_direct_change() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_record_direct_change
  after insert or update of sessions_used on public.client_purchases
  for each row execute function app.record_direct_change();
-- <<< functions_sql/sessions/record_direct_change.sql

-- >>> functions_sql/sessions/refuse_ledger_change.sql
create or replace function app.refuse_ledger_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and not exists (select from public.orgs as o where o.id = old.org_id) then
    return old;  -- the whole org goes
  end if;
  raise exception using errcode = 'PT403', message = 'ledger_is_append_only',
    hint = 'Correct a count with a new entry: use_session(), release_session() or an edit of the pack.';
end;
$$;
comment on function app.refuse_ledger_change() is 'The session ledger is append-only, for everyone; it goes only with its org.';
revoke all on function app.refuse_ledger_change() from public, anon, authenticated, service_role;

create or replace trigger session_ledger_append_only
  before update or delete on public.session_ledger
  for each row execute function app.refuse_ledger_change();
create or replace trigger session_ledger_no_truncate
  before truncate on public.session_ledger
  for each statement execute function app.refuse_ledger_change();
-- <<< functions_sql/sessions/refuse_ledger_change.sql

-- >>> functions_sql/sessions/release_session.sql
create or replace function app.release_session(p_purchase_id uuid, p_booking_id uuid default null) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_seq integer;
begin
  if p_booking_id is not null then
    perform from public.bookings as b where b.id = p_booking_id for update;
    -- What the booking took goes back to the pack it was taken from, also when the booking names another by now.
    select l.booking_seq, l.purchase_id into v_seq, p_purchase_id
      from public.session_ledger as l
     where l.booking_id = p_booking_id
     order by l.booking_seq desc
     limit 1;
    if v_seq is null or v_seq % 2 = 0 then
      return -1;
    end if;
  end if;
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for update;
  if not found or not app.acts_for_org(v_purchase.org_id) or v_purchase.sessions_used = 0 then
    return -1;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq)
  values (p_purchase_id, p_booking_id, 'release', -1, v_seq + 1);
  return v_purchase.sessions_used - 1;
end;
$$;
comment on function app.release_session(uuid, uuid) is 'What public.release_session() promises.';
revoke all on function app.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.release_session(uuid, uuid) to authenticated, service_role;

create or replace function public.release_session(p_purchase_id uuid, p_booking_id uuid default null)
  returns integer
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.release_session(p_purchase_id, p_booking_id);
end;
comment on function public.release_session(uuid, uuid) is
  'Gives one session back to a pack; with a booking, the one that booking took. Returns the new sessions_used, '
  'or -1 when there is nothing to give back.';
revoke all on function public.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.release_session(uuid, uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/release_session.sql

-- >>> functions_sql/sessions/session_discrepancies.sql
create or replace function app.session_discrepancies()
  returns table (purchase_id uuid, sessions_used integer, ledger_sum bigint)
  language sql stable security definer set search_path = ''
as $$
  select p.id, p.sessions_used, coalesce(sum(l.delta), 0)
    from public.client_purchases as p
    left join public.session_ledger as l on l.purchase_id = p.id
   group by p.id
  having p.sessions_used <> coalesce(sum(l.delta), 0);
$$;
comment on function app.session_discrepancies() is
  'Packs whose counter is not the sum of their ledger entries. Always empty; anything else is a bug.';
revoke all on function app.session_discrepancies() from public, anon, authenticated, service_role;
grant execute on function app.session_discrepancies() to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/sessions/session_discrepancies.sql

-- >>> functions_sql/sessions/settle_booking.sql
create or replace function app.settle_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.status = 'completed' and new.status <> 'completed' then
    perform app.release_session(old.purchase_id, new.id);
  elsif new.status = 'completed' and new.purchase_id is not null
        and (tg_op = 'INSERT' or old.status <> 'completed') then
    -- False (empty, expired, unpaid) leaves a completed booking without a ledger entry: uncovered, and visible as such.
    -- A pack pays for a session held before it expired, also when the worker comes to it days later.
    perform app.use_session(new.purchase_id, new.id, new.start_time);
  end if;
  return null;
end;
$$;
comment on function app.settle_booking() is
  'Completing a booking and deducting its session are one: whoever completes it, in the same transaction. '
  'Leaving completed gives the session back.';
revoke all on function app.settle_booking() from public, anon, authenticated, service_role;

create or replace trigger bookings_settle
  after insert or update of status on public.bookings
  for each row execute function app.settle_booking();
-- <<< functions_sql/sessions/settle_booking.sql

-- >>> functions_sql/sessions/use_session.sql
create or replace function app.use_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_booking public.bookings;
  v_seq integer;
begin
  -- Lock order everywhere: booking, then purchase.
  if p_booking_id is not null then
    select b.* into v_booking from public.bookings as b where b.id = p_booking_id for update;
    if not found then
      return false;
    end if;
  end if;
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for update;
  -- A purchase of another org looks like one that does not exist.
  if not found or not app.acts_for_org(v_purchase.org_id) then
    return false;
  end if;
  if p_booking_id is not null then
    if v_booking.org_id <> v_purchase.org_id or v_booking.client_id <> v_purchase.client_id then
      return false;
    end if;
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
    if v_seq % 2 = 1 then
      return true;  -- this booking has its session already
    end if;
  end if;
  if v_purchase.payment_status is distinct from 'succeeded'
     or v_purchase.expires_at <= p_now
     or coalesce(v_purchase.sessions_remaining, 0) <= 0 then
    return false;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq)
  values (p_purchase_id, p_booking_id, case when p_booking_id is null then 'manual' else 'booking' end,
          1, v_seq + 1);
  return true;
end;
$$;
comment on function app.use_session(uuid, uuid, timestamptz) is
  'What public.use_session() promises, at the instant p_now (expiry).';
revoke all on function app.use_session(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.use_session(uuid, uuid, timestamptz) to authenticated, service_role;

create or replace function public.use_session(p_purchase_id uuid, p_booking_id uuid default null) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.use_session(p_purchase_id, p_booking_id, now());
end;
comment on function public.use_session(uuid, uuid) is
  'Takes one session from a pack; the only way a session is deducted. True: taken (for a booking: taken now or '
  'before, never twice). False: none left, expired, unpaid, unknown, or not the caller''s to use.';
revoke all on function public.use_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.use_session(uuid, uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/use_session.sql

-- >>> functions_sql/sms/claim_sms.sql
create or replace function app.claim_sms(p_now timestamptz default now(), p_limit integer default 50)
  returns table (message_id uuid, to_phone text, from_phone text, body text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_due uuid[];
  v_sending integer;
begin
  -- Claimed long ago and never settled: its sender died. Twilio may have the text, so it is not sent again.
  update public.sms_messages as m
     set status = 'unknown', error_code = 'interrupted', locked_until = null
   where m.status = 'sending' and m.locked_until < p_now;
  -- An empty answer means that nothing is due: what only waits or is cancelled does not end the search.
  loop
    select array_agg(d.id) into v_due
      from (
        select m.id
          from public.sms_messages as m
         where m.status in ('pending', 'queued') and m.scheduled_for <= p_now
         order by m.scheduled_for, m.id
         limit p_limit
           for update skip locked
      ) as d;
    exit when v_due is null;
    return query
    with decided as (
      select m.id,
             case
               when s.enabled is not true then 'sms_disabled'
               when exists (
                 select from public.sms_suppression as x where x.org_id = m.org_id and x.phone = m.to_phone
               ) then 'number_suppressed'
               when m.related_entity_type = 'booking'
                    and (b.id is null
                         or (m.template_key = 'booking_confirmation'
                             and (b.status <> 'confirmed' or b.start_time <= p_now))
                         or (m.template_key = 'follow_up' and b.status <> 'completed'))
                 then 'booking_no_longer_stands'
               -- After a long stop of the worker, thanks for last week's session help nobody.
               when m.template_key = 'follow_up' and b.end_time < p_now - interval '48 hours' then 'too_late'
             end as refusal,
             app.next_send_time(p_now, o.timezone, s.quiet_hours_start, s.quiet_hours_end) as allowed_at
        from public.sms_messages as m
        join public.orgs as o on o.id = m.org_id
        left join public.sms_settings as s on s.org_id = m.org_id
        left join public.bookings as b on b.id = m.related_entity_id and m.related_entity_type = 'booking'
       where m.id = any (v_due)
    ),
    claimed as (
      update public.sms_messages as m
         set status = case
               when d.refusal is not null then 'cancelled'
               when d.allowed_at > p_now then 'queued'
               else 'sending'
             end,
             error_code = case when d.refusal is null and d.allowed_at > p_now then 'quiet_hours' else d.refusal end,
             scheduled_for = case when d.refusal is null then greatest(d.allowed_at, m.scheduled_for)
                                  else m.scheduled_for end,
             locked_until = case when d.refusal is null and d.allowed_at <= p_now
                                 then p_now + interval '5 minutes' end
        from decided as d
       where m.id = d.id
      returning m.id, m.to_phone, m.from_phone, m.body, m.status
    )
    select c.id, c.to_phone, c.from_phone, c.body from claimed as c where c.status = 'sending';
    get diagnostics v_sending = row_count;
    exit when v_sending > 0;
  end loop;
end;
$$;
comment on function app.claim_sms(timestamptz, integer) is
  'Hands out up to p_limit texts due at p_now, each to one caller, after looking again whether it may be sent: '
  'what may not is cancelled with the reason, what falls into quiet hours waits for their end.';
revoke all on function app.claim_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.claim_sms(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/claim_sms.sql

-- >>> functions_sql/sms/classify_reply.sql
create or replace function app.classify_reply(p_body text) returns text
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  -- The whole message counts: a wrong confirm is worse than a missed one, so anything unforeseen is "other".
  -- Without what a phone adds unseen (zero-width and bidi marks) or a hand adds around (space, quotes, dots).
  with cleaned (text) as (
    select lower(regexp_replace(
             regexp_replace(
               regexp_replace(normalize(coalesce(p_body, ''), nfkc),
                              '[\u00AD\u034F\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFE00-\uFE0F\uFEFF]',
                              '', 'g'),
               '^[\s!-/:-@\[-`{-~‘’“”„«»‹›。]+|[\s!-/:-@\[-`{-~‘’“”„«»‹›。]+$', '', 'g'),
             '\s+', ' ', 'g'))
  ),
  bare (text) as (
    select regexp_replace(regexp_replace(c.text, '^(please|thanks|thank you)[ ,.!]+', ''),
                          '[ ,.!]+(please|thanks|thank you)$', '')
      from cleaned as c
  )
  select case
    -- https://help.twilio.com/articles/223134027 (opt-out keywords)
    when c.text in ('stop', 'stopall', 'stop all', 'unsubscribe', 'cancel', 'end', 'quit', 'revoke',
                    'optout', 'opt out', 'opt-out') then 'stop'
    when c.text in ('start', 'unstop') then 'start'
    when c.text in ('help', 'info') then 'help'
    -- nfkc turns every question mark that would be trimmed into "?", but the Greek one (U+037E) into ";".
    when normalize(p_body, nfkc) ~ '\?' or p_body ~ '\u037E' then 'other'
    when b.text in ('y', 'yes', 'yep', 'yup', 'yeah', 'confirm', 'confirmed', 'i confirm', 'yes confirmed')
      then 'confirm'
    when b.text in ('n', 'no', 'nope') then 'decline'
    else 'other'
  end
  from cleaned as c, bare as b;
$$;
comment on function app.classify_reply(text) is
  'What a client''s text means: confirm, decline, stop, start, help or other.';
revoke all on function app.classify_reply(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/classify_reply.sql

-- >>> functions_sql/sms/queue_booking_sms.sql
create or replace function app.queue_booking_sms(
  p_booking public.bookings, p_kind text, p_body text, p_scheduled_for timestamptz, p_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_settings public.sms_settings;
  v_client public.clients;
  v_org public.orgs;
  v_message_id uuid;
begin
  select s.* into v_settings from public.sms_settings as s where s.org_id = p_booking.org_id;
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  select o.* into v_org from public.orgs as o where o.id = p_booking.org_id;
  if not v_settings.enabled or v_settings.twilio_phone_number is null or v_client.phone is null then
    return null;
  end if;
  insert into public.sms_messages as m (
    org_id, client_id, to_phone, from_phone, template_key, body, related_entity_type, related_entity_id,
    scheduled_for, idempotency_key
  )
  values (
    v_org.id, v_client.id, v_client.phone, v_settings.twilio_phone_number, p_kind,
    app.render_sms_template(p_body, jsonb_build_object(
      'client_name', split_part(btrim(v_client.full_name), ' ', 1),
      'coach_name', (select b.display_name from public.branding as b where b.org_id = v_org.id),
      'session_datetime',
        app.session_time(p_booking.start_time, v_org.timezone),
      'sessions_remaining',
        (select p.sessions_remaining from public.client_purchases as p
          where p.id = p_booking.purchase_id and p.client_id = v_client.id and p.org_id = v_org.id),
      'location', coalesce(p_booking.location_details, replace(p_booking.location_type, '_', ' '))
    )),
    'booking', p_booking.id, p_scheduled_for, p_key
  )
  on conflict (idempotency_key) do nothing
  returning m.id into v_message_id;
  return v_message_id;
end;
$$;
comment on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text) is
  'Writes a text about a booking to the outbox, once per key, with times in the org''s zone. Null: not queued '
  '(texting off, no sender, no phone, or queued before).';
revoke all on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_booking_sms.sql

-- >>> functions_sql/sms/queue_booking_texts.sql
create or replace function app.queue_booking_texts() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.start_time <> old.start_time then
    update public.sms_messages as m
       set status = 'cancelled', error_code = 'booking_moved'
     where m.related_entity_id = new.id and m.template_key = 'booking_confirmation'
       and m.status in ('pending', 'queued');
  end if;
  if (tg_op = 'INSERT' or new.start_time <> old.start_time)
     and new.status = 'confirmed' and new.start_time > now() then
    perform app.queue_booking_sms(
      new, 'booking_confirmation',
      'Hi {{client_name}}, you are booked for {{session_datetime}}. Reply Y to confirm. {{coach_name}}',
      now(), format('confirmation:%s:%s', new.id, extract(epoch from new.start_time))
    );
  elsif tg_op = 'UPDATE' and new.status = 'completed' and old.status <> 'completed' then
    perform app.queue_booking_sms(
      new, 'follow_up', s.body, new.end_time + make_interval(mins => s.mins_offset),
      format('follow_up:%s:%s', s.id, new.id)
    )
      from public.sms_schedules as s
      join public.clients as c on c.id = new.client_id and c.sms_followup_enabled
     where s.org_id = new.org_id and s.type = 'post_session' and s.enabled;
  elsif tg_op = 'UPDATE' and new.status = 'cancelled' and old.status <> 'cancelled' then
    update public.sms_messages as m
       set status = 'cancelled', error_code = 'booking_cancelled'
     where m.related_entity_id = new.id and m.status in ('pending', 'queued');
  end if;
  return null;
end;
$$;
comment on function app.queue_booking_texts() is
  'A new booking queues its confirmation, a completed one its follow-ups, a cancelled one takes back what has not '
  'been sent: in the transaction that causes it.';
revoke all on function app.queue_booking_texts() from public, anon, authenticated, service_role;

-- After bookings_settle (triggers fire by name), so that a follow-up counts the session just used.
create or replace trigger bookings_texts
  after insert or update of status, start_time on public.bookings
  for each row execute function app.queue_booking_texts();
-- <<< functions_sql/sms/queue_booking_texts.sql

-- >>> functions_sql/sms/receive_sms.sql
create or replace function app.receive_sms(
  p_message_sid text, p_from text, p_to text, p_body text, p_now timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs;
  v_booking public.bookings;
  v_next public.bookings;
  v_kind text := app.classify_reply(p_body);
begin
  select o.* into v_org
    from public.sms_settings as s
    join public.orgs as o on o.id = s.org_id
   where s.twilio_phone_number = p_to;
  if not found then
    return null;
  end if;
  insert into public.sms_events
    (org_id, provider_message_id, event_type, event_status, dedupe_key, processed_at)
  values (v_org.id, p_message_sid, 'inbound', v_kind, 'inbound:' || p_message_sid, p_now)
  on conflict (dedupe_key) do nothing;
  if not found then
    return null;  -- the same message again: Twilio repeats a webhook it did not hear answered
  end if;

  -- Several clients may share a number (a parent's): the one with the nearest open question is meant.
  select b.* into v_booking
    from public.bookings as b
    join public.clients as c on c.id = b.client_id and c.org_id = v_org.id and c.phone = p_from
   where b.org_id = v_org.id and b.status = 'confirmed' and b.client_confirmed is not true
     and b.confirmation_sent_at is not null and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id
   limit 1
     for update of b;

  if v_kind = 'stop' then
    insert into public.sms_suppression (org_id, phone, reason, source, client_id)
    values (v_org.id, p_from, 'opt_out', 'webhook', v_booking.client_id)
    on conflict (org_id, phone) do nothing;
    return null;  -- Twilio answers opt-outs itself
  elsif v_kind = 'start' then
    delete from public.sms_suppression as x
     where x.org_id = v_org.id and x.phone = p_from and x.reason = 'opt_out';
    return null;
  elsif v_kind <> 'confirm' then
    return null;
  end if;

  if v_booking.id is null then
    return 'Thanks! There is no session waiting for your confirmation.';
  end if;
  update public.bookings as b set client_confirmed = true where b.id = v_booking.id;
  select b.* into v_next
    from public.bookings as b
   where b.client_id = v_booking.client_id and b.status = 'confirmed' and b.client_confirmed is not true
     and b.confirmation_sent_at is not null and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id
   limit 1;
  return format('Thanks! Your session on %s is confirmed.',
                app.session_time(v_booking.start_time, v_org.timezone))
    || case when v_next.id is null then ''
            else format(' Reply Y again to confirm %s.', app.session_time(v_next.start_time, v_org.timezone))
       end;
end;
$$;
comment on function app.receive_sms(text, text, text, text, timestamptz) is
  'The one handler of a client''s text, once per MessageSid. p_from, p_to: E.164; p_to decides the org. "Y" confirms '
  'the nearest booking that was asked about, until two hours after its start. Returns the answer to send, or null.';
revoke all on function app.receive_sms(text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_sms(text, text, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/sms/receive_sms.sql

-- >>> functions_sql/sms/record_sms_status.sql
create or replace function app.record_sms_status(
  p_provider_message_id text, p_status text, p_error_code text default null, p_message_id uuid default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  select m.* into v_message
    from public.sms_messages as m
   where m.provider_message_id = p_provider_message_id or (m.id = p_message_id and m.provider_message_id is null)
     for update;
  if not found then
    return false;
  end if;
  -- Twilio can be quicker than our own note of its answer, or the only one to tell of a text whose answer was lost.
  perform app.settle_sms(v_message.id, 'sent', p_provider_message_id, null, p_now);
  insert into public.sms_events
    (message_id, org_id, provider_message_id, event_type, event_status, error_code, dedupe_key, processed_at)
  values (v_message.id, v_message.org_id, p_provider_message_id, 'status', p_status, p_error_code,
          format('status:%s:%s', p_provider_message_id, p_status), p_now)
  on conflict (dedupe_key) do nothing;
  -- Final states stand: a late callback never turns delivered into failed or back.
  update public.sms_messages as m
     set status = case when p_status = 'delivered' then 'delivered' else 'failed' end,
         delivered_at = case when p_status = 'delivered' then p_now end,
         failed_at = case when p_status <> 'delivered' then p_now end,
         error_code = p_error_code
   where m.id = v_message.id and m.status = 'sent' and p_status in ('delivered', 'undelivered', 'failed');
  return true;
end;
$$;
comment on function app.record_sms_status(text, text, text, uuid, timestamptz) is
  'Applies a Twilio status callback, once per message and status, never against a final state. p_message_id: our own '
  'id, as the callbacks address carries it. False: no text of ours has either id. Source: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values';
revoke all on function app.record_sms_status(text, text, text, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.record_sms_status(text, text, text, uuid, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/sms/record_sms_status.sql

-- >>> functions_sql/sms/render_sms_template.sql
create or replace function app.render_sms_template(p_template_body text, p_variables jsonb) returns text
  language sql immutable security invoker set search_path = ''
as $$
  -- Cut at each opening once: a value that itself looks like a placeholder is text, not a placeholder.
  select coalesce(
           string_agg(
             case
               when p.n = 1 then p.piece
               when m.parts is null then '{{' || p.piece
               else coalesce(p_variables ->> m.parts[1], '') || m.parts[2]
             end,
             '' order by p.n
           ),
           '')
    from string_to_table(p_template_body, '{{') with ordinality as p (piece, n)
    left join lateral regexp_match(p.piece, '^\s*([a-z_]+)\s*\}\}(.*)$', 's') as m (parts) on p.n > 1;
$$;
comment on function app.render_sms_template(text, jsonb) is
  'Fills {{placeholders}} from a JSON object; one that is missing there becomes empty.';
revoke all on function app.render_sms_template(text, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/render_sms_template.sql

-- >>> functions_sql/sms/send_soon.sql
create or replace function app.send_soon() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  begin
    perform app.defer_job('sms.send_due');
  exception when others then
    -- Trouble with the job tables must not undo the booking that wrote this text; the tick will send it.
    raise warning 'sms.send_due was not enqueued (%)', sqlstate;
  end;
  return null;
end;
$$;
comment on function app.send_soon() is 'A text due at once leaves at once, not at the next minute''s tick.';
revoke all on function app.send_soon() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_send_soon
  after insert on public.sms_messages
  for each row when (new.scheduled_for <= now()) execute function app.send_soon();
-- <<< functions_sql/sms/send_soon.sql

-- >>> functions_sql/sms/session_time.sql
create or replace function app.session_time(p_at timestamptz, p_timezone text) returns text
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select app.format_local(p_at, p_timezone, 'FMDy FMDD FMMon "at" FMHH12:MI am');
$$;
comment on function app.session_time(timestamptz, text) is
  'When a session is, as every text says it: "Mon 5 Jan at 9:00 am", in an IANA zone.';
revoke all on function app.session_time(timestamptz, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/session_time.sql

-- >>> functions_sql/sms/settle_sms.sql
create or replace function app.settle_sms(
  p_message_id uuid, p_outcome text, p_provider_message_id text default null, p_error_code text default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  if p_outcome is null or p_outcome not in ('sent', 'failed', 'retry', 'unknown') then
    raise exception using errcode = 'PT400', message = 'outcome_invalid';
  end if;
  update public.sms_messages as m
     set status = case when p_outcome = 'retry' then 'queued' else p_outcome end,
         provider_message_id = p_provider_message_id,
         error_code = p_error_code,
         sent_at = case when p_outcome = 'sent' then p_now end,
         failed_at = case when p_outcome = 'failed' then p_now end,
         scheduled_for = case when p_outcome = 'retry' then p_now + interval '1 minute' else m.scheduled_for end,
         locked_until = null
   where m.id = p_message_id and (m.status = 'sending' or (m.status = 'unknown' and p_outcome = 'sent'))
  returning m.* into v_message;
  if not found then
    return false;
  end if;
  if p_outcome = 'sent' and v_message.template_key = 'booking_confirmation' then
    update public.bookings as b
       set confirmation_sent_at = p_now
     where b.id = v_message.related_entity_id and b.status = 'confirmed';
  end if;
  return true;
end;
$$;
comment on function app.settle_sms(uuid, text, text, text, timestamptz) is
  'Records what became of a claimed text: sent, failed (final), retry, or unknown (the provider was called and no '
  'answer came; it is not sent again blindly, but may turn out to be sent). False: the text was not being sent.';
revoke all on function app.settle_sms(uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_sms(uuid, text, text, text, timestamptz) to coach_os_worker;
-- <<< functions_sql/sms/settle_sms.sql
