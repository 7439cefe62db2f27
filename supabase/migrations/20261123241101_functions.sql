-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/bookings/complete_past_bookings.sql
create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_orgs uuid[];
  v_packs uuid[];
  v_short uuid[];
  v_completed integer;
  v_id uuid;
begin
  -- This waits for nobody: a booking, a pack or an org that somebody is changing at this moment is left for the next
  -- call. So a transaction that hangs holds up what it holds, not every org's bookings, and no two callers ever deadlock.
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for no key update skip locked
    ) as d;
  if v_due is null then
    return 0;  -- as most calls end: an update of no row would still run its triggers
  end if;
  -- Changing an org's time zone locks it against new rows that refer to it, such as ledger entries and texts.
  select array_agg(l.id) into v_orgs
    from (
      select o.id
        from public.orgs as o
       where o.id in (select b.org_id from public.bookings as b where b.id = any (v_due))
         for key share skip locked
    ) as l;
  select array_agg(b.id) into v_due
    from public.bookings as b where b.id = any (v_due) and b.org_id = any (v_orgs);
  select array_agg(l.id) into v_packs
    from (
      select p.id
        from public.client_purchases as p
       where p.id in (select b.purchase_id from public.bookings as b where b.id = any (v_due))
         for no key update skip locked
    ) as l;
  select array_agg(s.id) into v_short
    from (
      select p.id
        from public.bookings as b
        join public.client_purchases as p on p.id = b.purchase_id
       where b.id = any (v_due) and p.id = any (v_packs)
       group by p.id
      having count(*) > coalesce(p.sessions_remaining, 0)
    ) as s;
  update public.bookings as b
     set status = 'completed'
   where b.id = any (v_due)
     and (b.purchase_id is null or (b.purchase_id = any (v_packs) and b.purchase_id <> all (coalesce(v_short, '{}'))));
  get diagnostics v_completed = row_count;
  -- Nothing says in which order a statement changes its rows. Where a pack has less left than is due, order matters.
  for v_id in
    select b.id
      from public.bookings as b
     where b.id = any (v_due) and b.purchase_id = any (v_short)
     order by b.end_time, b.id
  loop
    update public.bookings as b set status = 'completed' where b.id = v_id;
    v_completed := v_completed + 1;
  end loop;
  return v_completed;
end;
$$;
comment on function app.complete_past_bookings(timestamptz, integer) is
  'Completes up to p_limit confirmed bookings that ended by p_now, oldest first, and with them deducts their sessions '
  '(app.settle_booking): of a pack that has too few left, the oldest take them. Returns how many; 0: none is left but '
  'what others hold right now. Any number of callers may run it at once.';
revoke all on function app.complete_past_bookings(timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function app.complete_past_bookings(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/bookings/complete_past_bookings.sql

-- >>> functions_sql/bookings/guard_booking.sql
create or replace function app.guard_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_settings public.booking_settings;
  v_problem text;
begin
  -- What follows looks, after it has waited its turn, at what others have committed meanwhile. A snapshot that is older
  -- does not show that: times and sessions would be given away twice.
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    raise exception using errcode = 'PT500', message = 'isolation_not_read_committed',
      hint = 'Write bookings in a transaction of isolation level read committed.';
  end if;
  -- Whoever puts a booking somewhere takes turns with everybody who does so in this org: a client's look at what is
  -- free stays true until their booking is committed. Foreign keys to the org are not held up by this lock.
  if tg_op = 'INSERT' or new.start_time <> old.start_time or new.end_time <> old.end_time
     or (old.status in ('cancelled', 'no_show') and new.status in ('pending', 'confirmed')) then
    perform from public.orgs as o where o.id = new.org_id for no key update;
  end if;
  if tg_op = 'UPDATE' and old.status = 'cancelled' and new.status = 'completed' then
    -- An open calendar completes what has passed by what it read earlier: cancelled in between, it stays cancelled.
    perform app.raise_booking_problem('booking_is_cancelled');
  end if;
  if tg_op = 'UPDATE' and new.client_id <> old.client_id and new.purchase_id is not distinct from old.purchase_id then
    -- The existing calendar changes the client and keeps the pack; a pack pays for its own client only.
    new.purchase_id := null;
  end if;
  if tg_op = 'UPDATE' and (new.purchase_id is distinct from old.purchase_id or new.client_id <> old.client_id
                           or (new.status <> old.status and new.status in ('pending', 'confirmed'))) then
    -- Two that swap packs lock both in one order, so that neither waits for the other in turn. What was charged by
    -- hand may have been paid by yet another pack.
    perform from public.client_purchases as p
      where p.id = any (array[new.purchase_id, old.purchase_id, app.paid_by(new.id)])
      order by p.id
        for no key update;
  end if;
  if new.status not in ('no_show', 'cancelled') then
    new.forfeited := false;
  elsif tg_op = 'INSERT' or (new.status <> old.status and new.forfeited = old.forfeited) then
    new.forfeited := (tg_op = 'INSERT' and new.forfeited) or (new.status = 'no_show' and coalesce(
      (select s.charge_no_show from public.booking_settings as s where s.org_id = new.org_id), false
    ));
  end if;
  if pg_trigger_depth() = 1 then
    -- Only app.settle_booking() knows; a page that writes a whole row back must not undo what it found.
    new.uncovered_reason := case when tg_op = 'UPDATE' then old.uncovered_reason end;
  end if;
  if tg_op = 'INSERT' and new.booking_source = 'client' and new.status in ('pending', 'confirmed')
     and current_setting('role') in ('anon', 'authenticated', 'service_role') then
    v_problem := app.slot_problem(new.org_id, new.start_time, new.end_time);
  elsif tg_op = 'INSERT' or not app.acts_as_client(new.org_id) then
    return new;
  elsif new.start_time <> old.start_time or new.end_time <> old.end_time
        or (old.status not in ('pending', 'confirmed') and new.status in ('pending', 'confirmed')) then
    v_problem := app.slot_problem(new.org_id, new.start_time, new.end_time, new.id);
  end if;
  if v_problem is null and tg_op = 'UPDATE' and old.status in ('pending', 'confirmed')
     and (new.status = 'cancelled' or new.start_time <> old.start_time) then
    select s.* into v_settings from public.booking_settings as s where s.org_id = new.org_id;
    v_problem := app.cancel_problem(old, v_settings, now());
    if v_problem = 'cancel_too_late' and new.status = 'cancelled' and v_settings.late_cancel = 'charge' then
      new.forfeited := true;
      v_problem := null;
    end if;
  end if;
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
  return new;
end;
$$;
comment on function app.guard_booking() is
  'A client books, moves and cancels by the org''s rules (app.slot_problem, app.cancel_problem), whichever way the '
  'request comes; the org''s staff may overlap and override. Raises the codes of app.raise_booking_problem().';
revoke all on function app.guard_booking() from public, anon, authenticated, service_role;

create or replace trigger bookings_guard
  before insert or update of client_id, purchase_id, start_time, end_time, status, forfeited, uncovered_reason
  on public.bookings
  for each row execute function app.guard_booking();
-- <<< functions_sql/bookings/guard_booking.sql

-- >>> functions_sql/money/account_connected.sql
create or replace function app.account_connected(p_org_id uuid, p_stripe_account_id text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Of two at once the second waits here for the first, and then finds its row.
  insert into public.stripe_accounts (org_id, stripe_account_id) values (p_org_id, p_stripe_account_id)
  on conflict (org_id) do nothing;
  return (select a.stripe_account_id from public.stripe_accounts as a where a.org_id = p_org_id);
end;
$$;
comment on function app.account_connected(uuid, text) is
  'Notes the account that Stripe made for an org, unless it has one; returns the one it has. What the account may do is '
  'false until Stripe''s account.updated says otherwise.';
revoke all on function app.account_connected(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.account_connected(uuid, text) to coach_os_sidecar;
-- <<< functions_sql/money/account_connected.sql

-- >>> functions_sql/money/apply_account.sql
create or replace function app.apply_account(p_org_id uuid, p_account jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_charges boolean := coalesce((p_account ->> 'charges_enabled')::boolean, false);
  v_payouts boolean := coalesce((p_account ->> 'payouts_enabled')::boolean, false);
  v_details boolean := coalesce((p_account ->> 'details_submitted')::boolean, false);
begin
  -- Two of the same second cannot be put in order; what an account may do, it is asked for step by step, so the one that
  -- may more is the later one.
  update public.stripe_accounts as a
     set charges_enabled = v_charges or (a.stripe_updated_at is not distinct from p_at and a.charges_enabled),
         payouts_enabled = v_payouts or (a.stripe_updated_at is not distinct from p_at and a.payouts_enabled),
         details_submitted = v_details or (a.stripe_updated_at is not distinct from p_at and a.details_submitted),
         stripe_updated_at = p_at
   where a.org_id = p_org_id and a.stripe_account_id = p_account ->> 'id'
     and (a.stripe_updated_at is null or a.stripe_updated_at <= p_at);
  return 'applied';
end;
$$;
comment on function app.apply_account(uuid, jsonb, timestamptz) is
  'What the connected account may do, as the newest of its events says. Source: '
  'https://docs.stripe.com/api/accounts/object';
revoke all on function app.apply_account(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_account.sql

-- >>> functions_sql/money/apply_charge.sql
create or replace function app.apply_charge(p_org_id uuid, p_charge jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- One that is only authorised is no payment yet; charge.captured comes when it is.
  if p_charge ->> 'status' is distinct from 'succeeded' or p_charge -> 'captured' = 'false' then
    return 'ignored';
  end if;
  perform app.note_payment(
    p_org_id, coalesce(app.stripe_id(p_charge -> 'payment_intent'), p_charge ->> 'id'), p_at,
    coalesce((p_charge ->> 'amount_captured')::bigint, (p_charge ->> 'amount')::bigint), p_charge ->> 'currency',
    app.client_of_stripe(p_org_id, p_charge), p_charge ->> 'id', app.stripe_id(p_charge -> 'invoice'),
    p_application_fee_cents => case when p_charge ? 'application_fee_amount'
                                    then coalesce((p_charge ->> 'application_fee_amount')::bigint, 0) end
  );
  return 'applied';
end;
$$;
comment on function app.apply_charge(uuid, jsonb, timestamptz) is
  'A succeeded, captured charge is a payment, that of its payment intent if it has one. Source: '
  'https://docs.stripe.com/api/charges/object';
revoke all on function app.apply_charge(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_charge.sql

-- >>> functions_sql/money/apply_charge_refunds.sql
create or replace function app.apply_charge_refunds(p_org_id uuid, p_charge jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_refund jsonb;
  v_status text := 'ignored';
begin
  if jsonb_typeof(p_charge -> 'refunds' -> 'data') = 'array' then
    for v_refund in select r.value from jsonb_array_elements(p_charge -> 'refunds' -> 'data') as r loop
      if app.apply_refund(
        p_org_id,
        jsonb_build_object('charge', p_charge -> 'id', 'payment_intent', p_charge -> 'payment_intent')
          || jsonb_strip_nulls(v_refund),
        p_at
      ) = 'applied' then
        v_status := 'applied';
      end if;
    end loop;
  end if;
  return v_status;
end;
$$;
comment on function app.apply_charge_refunds(uuid, jsonb, timestamptz) is
  'The refunds that a refunded charge lists, one by one. amount_refunded, its running total, books nothing; newer API '
  'versions list none, there the refunds'' own events tell. Source: https://docs.stripe.com/api/charges/object';
revoke all on function app.apply_charge_refunds(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_charge_refunds.sql

-- >>> functions_sql/money/apply_checkout_session.sql
create or replace function app.apply_checkout_session(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_intent_id text := app.stripe_id(p_session -> 'payment_intent');
  v_session_id text := p_session ->> 'id';
  v_payment_key text := coalesce(v_intent_id, v_session_id);
  v_client_id uuid := app.client_of_stripe(p_org_id, p_session);
  v_amount bigint := (p_session ->> 'amount_total')::bigint;
  v_paid boolean := coalesce(p_session ->> 'payment_status', '') in ('paid', 'no_payment_required');
  v_offer public.offers;
  v_checkout app.checkouts;
  v_payment app.stripe_payments;
begin
  -- Which of our own checkouts it was: what that says of the price is ours, what the metadata says could be anybody's.
  select c.* into v_checkout
    from app.checkouts as c
   where c.id = app.id_in_metadata(p_session, 'checkout_id') and c.org_id = p_org_id;
  if p_session ->> 'mode' = 'subscription' then
    if v_paid then
      perform app.checkout_paid(v_checkout.id, p_at);
    end if;
    return app.apply_subscription_checkout(p_org_id, p_session, p_at);
  end if;
  if p_session -> 'metadata' ->> 'offer_id' is null then
    -- Not a sale of ours: its charge books the money, the session may know from whom.
    if v_client_id is null or v_intent_id is null then
      return 'ignored';
    end if;
    perform app.note_payment(p_org_id, v_intent_id, p_client_id => v_client_id, p_checkout_session_id => v_session_id);
    return 'applied';
  end if;
  -- A delayed method completes the session before the money is there; its async event comes later.
  -- https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification
  if not v_paid then
    return 'ignored';
  end if;
  select o.* into v_offer
    from public.offers as o
   where o.id = (p_session -> 'metadata' ->> 'offer_id')::uuid and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_in_org';
  end if;
  if v_client_id is null then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;

  v_payment := app.note_payment(
    p_org_id, v_payment_key, p_at, v_amount, p_session ->> 'currency', v_client_id,
    p_checkout_session_id => v_session_id
  );
  perform app.checkout_paid(v_checkout.id, p_at);
  -- Another event about this session may have granted the pack: note_payment() made us wait for it.
  update public.client_purchases as p
     set purchased_at = p_at,
         expires_at = case when p.expires_at = p.purchased_at + make_interval(days => v_offer.pack_validity_days)
                           then p_at + make_interval(days => v_offer.pack_validity_days) else p.expires_at end
   where p.org_id = p_org_id and p.stripe_checkout_session_id = v_session_id and p.purchased_at > p_at;
  if exists (
    select from public.client_purchases as p
     where p.org_id = p_org_id and p.stripe_checkout_session_id = v_session_id
  ) then
    return 'applied';
  end if;
  insert into public.client_purchases (
    org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
    stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, session_duration_mins,
    promo_code_id, discount_cents
  )
  values (
    p_org_id, v_client_id, v_offer.id, v_amount, lower(p_session ->> 'currency'),
    coalesce(v_offer.sessions_included, 1) + coalesce(v_offer.bonus_sessions, 0), p_at,
    p_at + make_interval(days => v_offer.pack_validity_days), v_intent_id, v_session_id,
    case when v_payment.taken_back then 'refunded' else 'succeeded' end, 'stripe', v_offer.session_duration_mins,
    v_checkout.promo_code_id, coalesce(v_checkout.discount_cents, 0)
  )
  on conflict on constraint client_purchases_one_per_payment do nothing;
  return 'applied';
end;
$$;
comment on function app.apply_checkout_session(uuid, jsonb, timestamptz) is
  'A paid Checkout Session with metadata offer_id and client_id grants the pack and books the income, each once; the '
  'pack of a payment that was refunded before its session was told is refunded from the start. One in subscription mode: '
  'app.apply_subscription_checkout(). Amounts in the smallest unit of the session''s currency. Raises PT404 '
  'offer_not_in_org, PT404 client_not_in_org. Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_checkout_session(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_checkout_session.sql

-- >>> functions_sql/money/apply_dispute.sql
create or replace function app.apply_dispute(p_org_id uuid, p_dispute jsonb, p_at timestamptz, p_event_type text)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_dispute ->> 'id';
  v_charge_id text := app.stripe_id(p_dispute -> 'charge');
  v_payment_key text := coalesce(app.stripe_id(p_dispute -> 'payment_intent'), v_charge_id, v_id);
  v_status text := coalesce(p_dispute ->> 'status', '');
  v_amount bigint := (p_dispute ->> 'amount')::bigint;
  v_currency text := lower(p_dispute ->> 'currency');
  v_facts text[] := '{}';
  v_fact text;
  v_payment app.stripe_payments;
  v_moved app.stripe_facts;
  v_reference text;
  v_transaction record;
begin
  -- An inquiry is a question of the bank's; no money moves. https://docs.stripe.com/disputes/how-disputes-work#inquiries
  if v_status like 'warning\_%' then
    return 'ignored';
  end if;
  if p_event_type = 'charge.dispute.funds_withdrawn' then
    v_facts := v_facts || 'dispute_withdrawn'::text;
  elsif p_event_type = 'charge.dispute.funds_reinstated' then
    v_facts := v_facts || 'dispute_reinstated'::text;
  end if;
  if v_status in ('lost', 'won') then
    v_facts := v_facts || ('dispute_' || v_status);
  end if;
  if v_facts = '{}' then
    return 'ignored';
  end if;
  v_payment := app.note_payment(p_org_id, v_payment_key, p_charge_id => v_charge_id);
  foreach v_fact in array v_facts loop
    perform app.note_stripe_fact(p_org_id, v_id, v_fact, p_at, v_amount, v_currency, v_payment_key);
  end loop;
  v_reference := case p_event_type
    when 'charge.dispute.funds_withdrawn' then v_id
    when 'charge.dispute.funds_reinstated' then v_id || ':reversal'
  end;
  if v_reference is not null then
    select f.* into v_moved
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = v_facts[1];
    perform app.book_stripe(
      p_org_id, 'ADJUSTMENT', v_reference, v_moved.happened_at,
      case v_reference when v_id then -v_moved.amount_cents else v_moved.amount_cents end, v_moved.currency,
      v_payment.client_id, v_payment_key, v_payment.invoice_id
    );
    if jsonb_typeof(p_dispute -> 'balance_transactions') = 'array' then
      -- The first takes the money, the second gives it back; each may carry a fee, or give one back.
      for v_transaction in
        select sum((t.value ->> 'fee')::bigint)::bigint as fee, lower(t.value ->> 'currency') as currency
          from jsonb_array_elements(p_dispute -> 'balance_transactions') as t
         where case v_reference when v_id then (t.value ->> 'amount')::bigint < 0
                                else (t.value ->> 'amount')::bigint > 0 end
         group by lower(t.value ->> 'currency')
      loop
        perform app.book_stripe(
          p_org_id, 'FEE', v_reference, v_moved.happened_at, -v_transaction.fee, v_transaction.currency,
          v_payment.client_id, v_payment_key, v_payment.invoice_id
        );
      end loop;
    end if;
  end if;
  perform app.settle_stripe_pack(p_org_id, v_payment_key);
  return 'applied';
end;
$$;
comment on function app.apply_dispute(uuid, jsonb, timestamptz, text) is
  'A dispute takes money once (ADJUSTMENT, when the funds are withdrawn) and gives it back once (when they are '
  'reinstated); its fee is a FEE of its own. An inquiry (warning_…) moves nothing. Source: '
  'https://docs.stripe.com/api/disputes/object';
revoke all on function app.apply_dispute(uuid, jsonb, timestamptz, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_dispute.sql

-- >>> functions_sql/money/apply_failed_invoice.sql
create or replace function app.apply_failed_invoice(p_org_id uuid, p_invoice jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_subscription_id text := app.subscription_of_invoice(p_invoice);
begin
  if v_subscription_id is null then
    return 'ignored';
  end if;
  perform app.note_subscription(
    p_org_id, v_subscription_id, p_at,
    app.client_of_stripe(p_org_id, p_invoice -> 'parent' -> 'subscription_details'),
    app.stripe_id(p_invoice -> 'customer'), p_inferred_status => 'past_due'
  );
  return 'applied';
end;
$$;
comment on function app.apply_failed_invoice(uuid, jsonb, timestamptz) is
  'The subscription of an invoice that could not be paid is past due. Source: https://docs.stripe.com/api/invoices/object';
revoke all on function app.apply_failed_invoice(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_failed_invoice.sql

-- >>> functions_sql/money/apply_invoice.sql
create or replace function app.apply_invoice(p_org_id uuid, p_invoice jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_invoice ->> 'id';
  v_subscription_id text := app.subscription_of_invoice(p_invoice);
  v_client_id uuid := app.client_of_stripe(p_org_id, p_invoice);
  v_amount bigint := (p_invoice ->> 'amount_paid')::bigint;
  v_listed jsonb := p_invoice -> 'payments' -> 'data';
  v_part jsonb;
  v_key text;
begin
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  if v_subscription_id is not null then
    perform app.note_subscription(
      p_org_id, v_subscription_id, p_at,
      app.client_of_stripe(p_org_id, p_invoice -> 'parent' -> 'subscription_details'),
      app.stripe_id(p_invoice -> 'customer'), p_inferred_status => 'active'
    );
  end if;
  if v_amount = 0 or p_invoice -> 'paid_out_of_band' = 'true' then
    return 'applied';  -- no money came through Stripe
  end if;
  if jsonb_typeof(v_listed) = 'array' then
    for v_part in select l.value from jsonb_array_elements(v_listed) as l loop
      v_key := coalesce(
        app.stripe_id(v_part -> 'payment' -> 'payment_intent'), app.stripe_id(v_part -> 'payment' -> 'charge')
      );
      -- A payment record is money that went another way.
      if v_key is not null and coalesce(v_part ->> 'status', 'paid') = 'paid' then
        perform app.note_payment(
          p_org_id, v_key, p_at, coalesce((v_part ->> 'amount_paid')::bigint, v_amount), p_invoice ->> 'currency',
          v_client_id, app.stripe_id(v_part -> 'payment' -> 'charge'), v_id,
          p_subscription_id => v_subscription_id
        );
      end if;
    end loop;
    if jsonb_array_length(v_listed) = 0 then
      v_key := v_id;
    end if;
  elsif p_invoice ?| '{payment_intent,charge}' then
    v_key := coalesce(app.stripe_id(p_invoice -> 'payment_intent'), app.stripe_id(p_invoice -> 'charge'), v_id);
  end if;
  if jsonb_typeof(v_listed) is distinct from 'array' and v_key is not null or v_key = v_id then
    perform app.note_payment(
      p_org_id, v_key, p_at, v_amount, p_invoice ->> 'currency', v_client_id,
      app.stripe_id(p_invoice -> 'charge'), v_id, p_subscription_id => v_subscription_id
    );
  end if;
  -- Also where another event said which payments it has: what they did not know, they do now.
  insert into app.stripe_payments as p (org_id, payment_key, invoice_id, subscription_id, client_id, lookup_at)
  values (
    p_org_id, v_id, v_id, v_subscription_id,
    coalesce(v_client_id, (
      select s.client_id from app.stripe_subscriptions as s
       where s.org_id = p_org_id and s.subscription_id = v_subscription_id
    )),
    case when jsonb_typeof(v_listed) is distinct from 'array' and v_key is null and not exists (
      select from app.stripe_payments as k
       where k.org_id = p_org_id and k.invoice_id = v_id and k.payment_key <> v_id
    ) then p_at end
  )
  on conflict (org_id, payment_key) do update
     set subscription_id = coalesce(p.subscription_id, excluded.subscription_id),
         client_id = coalesce(p.client_id, excluded.client_id),
         lookup_at = case when jsonb_typeof(v_listed) = 'array' or v_key is not null then null else p.lookup_at end;
  for v_key in
    select p.payment_key from app.stripe_payments as p
     where p.org_id = p_org_id and p.invoice_id = v_id and p.payment_key <> v_id
     order by p.payment_key
  loop
    perform app.note_payment(
      p_org_id, v_key, p_client_id => v_client_id, p_subscription_id => v_subscription_id
    );
  end loop;
  return 'applied';
end;
$$;
comment on function app.apply_invoice(uuid, jsonb, timestamptz) is
  'A paid invoice is as many payments as it lists, each by its payment intent; one of an API version before 2025-03-31 '
  'names its intent or charge, and without either is a payment itself. The events of later versions list none: which '
  'they are is told by invoice_payment.paid, or asked for by the worker (app.fees_to_fetch()). Its subscription runs. '
  'Source: https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices';
revoke all on function app.apply_invoice(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_invoice.sql

-- >>> functions_sql/money/apply_invoice_payment.sql
create or replace function app.apply_invoice_payment(p_org_id uuid, p_invoice_payment jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_invoice_id text := app.stripe_id(p_invoice_payment -> 'invoice');
  v_charge_id text := app.stripe_id(p_invoice_payment -> 'payment' -> 'charge');
  v_key text := coalesce(app.stripe_id(p_invoice_payment -> 'payment' -> 'payment_intent'), v_charge_id);
  v_invoice app.stripe_payments;
begin
  if v_key is null or p_invoice_payment ->> 'status' is distinct from 'paid' then
    return 'ignored';
  end if;
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  update app.stripe_payments as p
     set lookup_at = null
   where p.org_id = p_org_id and p.payment_key = v_invoice_id
  returning p.* into v_invoice;
  perform app.note_payment(
    p_org_id, v_key, p_at, (p_invoice_payment ->> 'amount_paid')::bigint, p_invoice_payment ->> 'currency',
    v_invoice.client_id, v_charge_id, v_invoice_id, p_subscription_id => v_invoice.subscription_id
  );
  return 'applied';
end;
$$;
comment on function app.apply_invoice_payment(uuid, jsonb, timestamptz) is
  'A paid invoice payment says which payment an invoice was paid with. Source: '
  'https://docs.stripe.com/api/invoice-payment/object';
revoke all on function app.apply_invoice_payment(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_invoice_payment.sql

-- >>> functions_sql/money/apply_payment_intent.sql
create or replace function app.apply_payment_intent(p_org_id uuid, p_intent jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_intent ->> 'status' is distinct from 'succeeded' then
    return 'ignored';
  end if;
  perform app.note_payment(
    p_org_id, p_intent ->> 'id', p_at, (p_intent ->> 'amount_received')::bigint, p_intent ->> 'currency',
    app.client_of_stripe(p_org_id, p_intent), app.stripe_id(p_intent -> 'latest_charge'),
    -- Null says that the platform kept nothing; a field that is not there says nothing.
    p_application_fee_cents => case when p_intent ? 'application_fee_amount'
                                    then coalesce((p_intent ->> 'application_fee_amount')::bigint, 0) end
  );
  return 'applied';
end;
$$;
comment on function app.apply_payment_intent(uuid, jsonb, timestamptz) is
  'A succeeded payment intent is a payment. Source: https://docs.stripe.com/api/payment_intents/object';
revoke all on function app.apply_payment_intent(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_payment_intent.sql

-- >>> functions_sql/money/apply_payout.sql
create or replace function app.apply_payout(p_org_id uuid, p_payout jsonb, p_at timestamptz, p_event_type text)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_payout ->> 'id';
  v_paid app.stripe_facts;
  v_failed app.stripe_facts;
begin
  perform app.lock_stripe_object(p_org_id, v_id);
  perform app.note_stripe_fact(
    p_org_id, v_id, case p_event_type when 'payout.paid' then 'payout_paid' else 'payout_failed' end, p_at,
    (p_payout ->> 'amount')::bigint, p_payout ->> 'currency'
  );
  select f.* into v_paid
    from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_paid';
  if found then
    perform app.book_stripe(p_org_id, 'PAYOUT', v_id, v_paid.happened_at, -v_paid.amount_cents, v_paid.currency);
    select f.* into v_failed
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'payout_failed';
    if found then
      perform app.book_stripe(
        p_org_id, 'PAYOUT', v_id || ':reversal', v_failed.happened_at, v_paid.amount_cents, v_paid.currency
      );
    end if;
  end if;
  return 'applied';
end;
$$;
comment on function app.apply_payout(uuid, jsonb, timestamptz, text) is
  'A payout to the org''s bank is booked once when paid, and booked back once when it fails after that, as the bank may '
  'still return it. Source: https://docs.stripe.com/payouts#payout-failures';
revoke all on function app.apply_payout(uuid, jsonb, timestamptz, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_payout.sql

-- >>> functions_sql/money/apply_refund.sql
create or replace function app.apply_refund(p_org_id uuid, p_refund jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id text := p_refund ->> 'id';
  v_charge_id text := app.stripe_id(p_refund -> 'charge');
  v_payment_key text := coalesce(app.stripe_id(p_refund -> 'payment_intent'), v_charge_id, v_id);
  v_status text := p_refund ->> 'status';
  v_payment app.stripe_payments;
  v_given app.stripe_facts;
  v_failed app.stripe_facts;
begin
  if coalesce(v_status, '') not in ('succeeded', 'failed', 'canceled') then
    return 'ignored';
  end if;
  v_payment := app.note_payment(p_org_id, v_payment_key, p_charge_id => v_charge_id);
  perform app.note_stripe_fact(
    p_org_id, v_id, case v_status when 'succeeded' then 'refund_succeeded' else 'refund_failed' end,
    case v_status when 'succeeded' then coalesce(to_timestamp((p_refund ->> 'created')::bigint), p_at) else p_at end,
    (p_refund ->> 'amount')::bigint, p_refund ->> 'currency', v_payment_key
  );
  select f.* into v_given
    from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'refund_succeeded';
  if found then
    perform app.book_stripe(
      p_org_id, 'REFUND', v_id, v_given.happened_at, -v_given.amount_cents, v_given.currency, v_payment.client_id,
      v_payment_key, v_payment.invoice_id
    );
    select f.* into v_failed
      from app.stripe_facts as f where f.org_id = p_org_id and f.object_id = v_id and f.fact = 'refund_failed';
    if found then
      perform app.book_stripe(
        p_org_id, 'REFUND', v_id || ':reversal', v_failed.happened_at, v_given.amount_cents, v_given.currency,
        v_payment.client_id, v_payment_key, v_payment.invoice_id
      );
    end if;
  end if;
  perform app.settle_refund(
    r.id, v_id, case when bool_or(f.fact = 'refund_failed') then 'failed' else 'sent' end, p_at
  )
    from app.refunds as r, app.stripe_facts as f
   where r.id = app.id_in_metadata(p_refund, 'refund_id') and r.org_id = p_org_id
     and f.org_id = p_org_id and f.object_id = v_id
   group by r.id;
  perform app.settle_stripe_pack(p_org_id, v_payment_key);
  return 'applied';
end;
$$;
comment on function app.apply_refund(uuid, jsonb, timestamptz) is
  'A succeeded refund is booked once, by its own amount; one that fails after that is booked back once. Pending ones '
  'wait, one that failed without having succeeded moved nothing. Source: https://docs.stripe.com/api/refunds/object, '
  'https://docs.stripe.com/refunds#failed-refunds';
revoke all on function app.apply_refund(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_refund.sql

-- >>> functions_sql/money/apply_stripe_event.sql
create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event -> 'data' -> 'object';
  v_at timestamptz;
begin
  if v_type !~ '^(checkout|payment_intent|charge|refund|invoice|invoice_payment|customer|payout|account)\.' then
    return 'ignored';
  end if;
  v_at := to_timestamp((p_event ->> 'created')::bigint);
  if v_at is null or jsonb_typeof(v_object -> 'id') is distinct from 'string' then
    raise exception using errcode = 'PT422', message = 'event_incomplete',
      hint = 'An event says when it was made, and its object has an id.';
  end if;
  return case
    when v_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded')
      then app.apply_checkout_session(p_org_id, v_object, v_at)
    when v_type = 'payment_intent.succeeded' then app.apply_payment_intent(p_org_id, v_object, v_at)
    when v_type in ('charge.succeeded', 'charge.captured') then app.apply_charge(p_org_id, v_object, v_at)
    when v_type = 'charge.refunded' then app.apply_charge_refunds(p_org_id, v_object, v_at)
    when v_type in ('refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated')
      then app.apply_refund(p_org_id, v_object, v_at)
    when v_type like 'charge.dispute.%' then app.apply_dispute(p_org_id, v_object, v_at, v_type)
    when v_type in ('invoice.paid', 'invoice.payment_succeeded') then app.apply_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice.payment_failed' then app.apply_failed_invoice(p_org_id, v_object, v_at)
    when v_type = 'invoice_payment.paid' then app.apply_invoice_payment(p_org_id, v_object, v_at)
    when v_type like 'customer.subscription.%' and v_object ->> 'object' = 'subscription'
      then app.apply_subscription(p_org_id, v_object, v_at)
    when v_type in ('payout.paid', 'payout.failed') then app.apply_payout(p_org_id, v_object, v_at, v_type)
    when v_type = 'account.updated' then app.apply_account(p_org_id, v_object, v_at)
    else 'ignored'
  end;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its object. Returns applied, or ignored when it changes nothing here. The books '
  'end the same for every order in which the events come, and however often. Raises PT422 event_incomplete and what those '
  'functions raise. Source: https://docs.stripe.com/api/events/types';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_stripe_event.sql

-- >>> functions_sql/money/apply_subscription.sql
create or replace function app.apply_subscription(p_org_id uuid, p_subscription jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_item jsonb := p_subscription -> 'items' -> 'data' -> 0;
begin
  perform app.note_subscription(
    p_org_id, p_subscription ->> 'id', p_at, app.client_of_stripe(p_org_id, p_subscription),
    app.stripe_id(p_subscription -> 'customer'),
    p_object_status => case p_subscription ->> 'status'
      when 'active' then 'active' when 'trialing' then 'active'
      when 'past_due' then 'past_due' when 'unpaid' then 'past_due'
      when 'canceled' then 'canceled' when 'incomplete_expired' then 'canceled'
      else 'none'
    end,
    p_started_at => to_timestamp((p_subscription ->> 'created')::bigint),
    p_price_cents => (v_item -> 'price' ->> 'unit_amount')::bigint * coalesce((v_item ->> 'quantity')::bigint, 1),
    p_offer => p_subscription -> 'metadata' ->> 'offer_id'
  );
  return 'applied';
end;
$$;
comment on function app.apply_subscription(uuid, jsonb, timestamptz) is
  'A subscription says itself what state it is in; p_at says how new that is. Source: '
  'https://docs.stripe.com/api/subscriptions/object';
revoke all on function app.apply_subscription(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_subscription.sql

-- >>> functions_sql/money/apply_subscription_checkout.sql
create or replace function app.apply_subscription_checkout(p_org_id uuid, p_session jsonb, p_at timestamptz)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_subscription_id text := app.stripe_id(p_session -> 'subscription');
  v_client_id uuid := app.client_of_stripe(p_org_id, p_session);
begin
  if v_subscription_id is null then
    return 'ignored';
  end if;
  if v_client_id is null then
    raise exception using errcode = 'PT404', message = 'client_not_in_org';
  end if;
  perform app.note_subscription(
    p_org_id, v_subscription_id, p_at, v_client_id, app.stripe_id(p_session -> 'customer'),
    p_inferred_status => case when p_session ->> 'payment_status' in ('paid', 'no_payment_required') then 'active' end,
    p_offer => p_session -> 'metadata' ->> 'offer_id'
  );
  return 'applied';
end;
$$;
comment on function app.apply_subscription_checkout(uuid, jsonb, timestamptz) is
  'A completed Checkout Session in subscription mode says whose subscription it is (metadata.client_id, else '
  'client_reference_id), and, when paid, that it runs; the money is its invoice''s. Raises PT404 client_not_in_org. '
  'Source: https://docs.stripe.com/api/checkout/sessions/object';
revoke all on function app.apply_subscription_checkout(uuid, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_subscription_checkout.sql

-- >>> functions_sql/money/apply_webhook_event.sql
create or replace function app.apply_webhook_event(p_event app.webhook_events, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
  v_status text;
  v_reason text;
  v_attempts integer := p_event.attempts;
begin
  select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_event.account_id;
  if not found and p_event.account_id is not null then
    -- Who connects this account at this moment (app.replay_account_events) either has committed now, or will find this
    -- event.
    perform pg_advisory_xact_lock_shared(hashtextextended('stripe account ' || p_event.account_id, 0));
    select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_event.account_id;
  end if;
  if v_org_id is null then
    v_status := 'unmatched';
    v_reason := 'account_unknown';
  else
    begin
      v_status := app.apply_stripe_event(v_org_id, p_event.payload);
    exception when others then
      -- Kept with our own code only: a constraint's message can carry a person's data.
      v_status := 'failed';
      v_reason := case when sqlstate like 'PT%' then sqlerrm else 'sqlstate_' || sqlstate end;
      v_attempts := v_attempts + 1;
    end;
  end if;
  update app.webhook_events as e
     set status = v_status, reason = v_reason, org_id = v_org_id, processed_at = p_now, attempts = v_attempts,
         next_attempt_at = case v_status when 'failed' then p_now + app.retry_delay(v_attempts) end
   where e.id = p_event.id;
  return v_status;
end;
$$;
comment on function app.apply_webhook_event(app.webhook_events, timestamptz) is
  'Applies a kept event, whose row the caller has locked, and notes what came of it: applied, ignored, unmatched (no org '
  'owns the account) or failed, with a reason and the time of the next attempt. What a failed one did is undone.';
revoke all on function app.apply_webhook_event(app.webhook_events, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/apply_webhook_event.sql

-- >>> functions_sql/money/begin_checkout.sql
create or replace function app.begin_checkout(
  p_user_id uuid, p_client_id uuid, p_portal_token uuid, p_offer_id uuid, p_promo_code text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout app.checkouts;
  v_client public.clients;
  v_offer public.offers;
  v_code_id uuid;
  v_price record;
  v_account_id text;
  v_rate numeric;
begin
  if p_portal_token is not null then
    v_client := app.client_of_portal(p_portal_token);
  else
    -- A client of an org the user may not sell for looks like one that does not exist.
    select c.* into v_client
      from public.clients as c
      join public.org_members as m on m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
     where c.id = p_client_id;
    if not found then
      raise exception using errcode = 'PT404', message = 'client_not_found',
        hint = 'Choose a client of your own business.';
    end if;
  end if;
  select f.* into v_offer
    from public.offers as f where f.id = p_offer_id and f.org_id = v_client.org_id and f.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  if btrim(p_promo_code) <> '' then
    select k.id into v_code_id
      from public.promo_codes as k where k.org_id = v_client.org_id and k.code = upper(btrim(p_promo_code));
    if not found then
      raise exception using errcode = 'PT404', message = 'promo_code_not_found',
        hint = 'Check how the code is written.';
    end if;
    if v_offer.offer_type = 'subscription' then
      raise exception using errcode = 'PT409', message = 'promo_code_not_for_subscriptions',
        hint = 'Promo codes are for single sessions and packs.';
    end if;
  end if;
  if v_offer.offer_type = 'subscription' and v_offer.billing_period is null then
    raise exception using errcode = 'PT409', message = 'billing_period_missing',
      hint = 'Say in the offer how often the subscription is paid.';
  end if;
  v_price := app.price_of(v_client.org_id, p_offer_id, v_code_id);
  if v_price.total_cents > 0 then
    select a.stripe_account_id into v_account_id
      from public.stripe_accounts as a where a.org_id = v_client.org_id and a.charges_enabled;
    if not found then
      raise exception using errcode = 'PT503', message = 'stripe_not_connected',
        hint = 'Connect a Stripe account that can take payments first.';
    end if;
  end if;

  -- Two clicks stand in line here; the second finds the first one's row.
  perform from public.clients as c where c.id = v_client.id for no key update;
  select k.* into v_checkout
    from app.checkouts as k
   where k.client_id = v_client.id and k.offer_id = p_offer_id and k.promo_code_id is not distinct from v_code_id
     and k.amount_cents = v_price.total_cents and k.currency = v_price.currency
     and k.stripe_account_id is not distinct from v_account_id
     and ((k.status = 'open' and k.created_at > p_now - interval '10 minutes' and k.expires_at > p_now)
          -- What costs nothing a client takes once; a coach may give it again.
          or (k.status = 'granted' and (p_portal_token is not null or k.created_at > p_now - interval '10 minutes')))
   order by k.created_at desc limit 1;
  if not found then
    select o.commission_rate into v_rate from public.orgs as o where o.id = v_client.org_id;
    insert into app.checkouts (
      org_id, client_id, offer_id, mode, for_portal, stripe_account_id, offer_name, billing_period, currency,
      discount_cents, surcharge_cents, amount_cents, application_fee_cents, application_fee_percent, promo_code_id,
      status, created_at, expires_at
    )
    values (
      v_client.org_id, v_client.id, p_offer_id,
      case when v_offer.offer_type = 'subscription' then 'subscription' else 'payment' end,
      p_portal_token is not null, v_account_id, v_offer.name, v_offer.billing_period, v_price.currency,
      v_price.discount_cents, v_price.surcharge_cents, v_price.total_cents,
      app.commission_cents(v_client.org_id, v_price.total_cents), round(v_rate * 100, 2), v_code_id,
      case when v_price.total_cents > 0 then 'open' else 'granted' end, p_now, p_now + interval '1 hour'
    )
    returning * into v_checkout;
    if v_price.total_cents > 0 then
      if v_code_id is not null then
        perform app.take_promo_use(v_code_id, p_now);
      end if;
    else
      insert into public.client_purchases (
        org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
        payment_status, payment_method, promo_code_id, discount_cents, session_duration_mins
      )
      values (
        v_client.org_id, v_client.id, p_offer_id, 0, v_price.currency,
        coalesce(v_offer.sessions_included, 1) + coalesce(v_offer.bonus_sessions, 0), p_now,
        p_now + make_interval(days => v_offer.pack_validity_days), 'succeeded', 'stripe', v_code_id,
        v_price.discount_cents, v_offer.session_duration_mins
      )
      returning id into v_checkout.purchase_id;
      update app.checkouts as k
         set purchase_id = v_checkout.purchase_id, settled_at = p_now where k.id = v_checkout.id;
    end if;
  end if;
  return to_jsonb(v_checkout)
    || jsonb_build_object('portal_token', case when v_checkout.for_portal then v_client.portal_token end);
end;
$$;
comment on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz) is
  'Records that an offer is sold to a client: by a coach (p_user_id, verified by the caller, and p_client_id) or by the '
  'client''s own portal link (p_portal_token). Returns the row of app.checkouts, which is all that a Stripe Checkout '
  'Session needs and whose id is its idempotency key, with portal_token (null: the coach asked). '
  'The same sale within 10 minutes is the same checkout, with its url once Stripe has made it. What costs nothing '
  'is granted at once (status granted). A promo code''s use is held until the checkout expires. Raises PT404 token_not_found, client_not_found, offer_not_found, promo_code_not_found; PT409 promo_code_off, '
  'promo_code_not_started, promo_code_expired, promo_code_used_up, promo_code_not_for_subscriptions, '
  'billing_period_missing; PT503 stripe_not_connected.';
revoke all on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_checkout(uuid, uuid, uuid, uuid, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/begin_checkout.sql

-- >>> functions_sql/money/begin_connect.sql
create or replace function app.begin_connect(p_user_id uuid, p_org_id uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return (select a.stripe_account_id from public.stripe_accounts as a where a.org_id = p_org_id);
end;
$$;
comment on function app.begin_connect(uuid, uuid) is
  'The connected account of an org whose owner p_user_id (verified by the caller) is; null: it has none yet. Raises '
  'PT404 org_not_found.';
revoke all on function app.begin_connect(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.begin_connect(uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/money/begin_connect.sql

-- >>> functions_sql/money/begin_refund.sql
create or replace function app.begin_refund(
  p_user_id uuid, p_purchase_id uuid, p_amount_cents bigint, p_reason text, p_request_key text, p_now timestamptz
)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_refund app.refunds;
  v_account_id text;
  v_left bigint;
begin
  if p_amount_cents <= 0 then
    raise exception using errcode = 'PT400', message = 'amount_invalid',
      hint = 'A refund is a whole number of cents, at least 1; leave it out to refund all that is left.';
  end if;
  if p_reason not in ('duplicate', 'fraudulent', 'requested_by_customer') then
    raise exception using errcode = 'PT400', message = 'reason_invalid',
      hint = 'The reason is duplicate, fraudulent or requested_by_customer.';
  end if;
  if length(p_request_key) not between 1 and 255 then
    raise exception using errcode = 'PT400', message = 'idempotency_key_invalid',
      hint = 'An Idempotency-Key has 1 to 255 characters.';
  end if;
  -- Requests for one purchase stand in line here. Another org's purchase looks like one that does not exist.
  select p.* into v_purchase
    from public.client_purchases as p
    join public.org_members as m on m.org_id = p.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
   where p.id = p_purchase_id
     for no key update of p;
  if not found then
    raise exception using errcode = 'PT404', message = 'purchase_not_found',
      hint = 'Choose a purchase of your own business.';
  end if;

  if p_request_key is not null then
    select r.* into v_refund
      from app.refunds as r where r.org_id = v_purchase.org_id and r.request_key = p_request_key;
    if found and (v_refund.purchase_id, v_refund.asked_cents, v_refund.reason)
                 is distinct from (p_purchase_id, p_amount_cents, p_reason) then
      raise exception using errcode = 'PT409', message = 'idempotency_key_reused',
        hint = 'This Idempotency-Key was sent with another refund; use a new one.';
    end if;
  else
    -- A second click is the same refund, and so is a retry of one whose answer was lost, however late.
    select r.* into v_refund
      from app.refunds as r
     where r.purchase_id = p_purchase_id and r.asked_cents is not distinct from p_amount_cents
       and r.request_key is null
       and (r.status = 'requested' or (r.status = 'sent' and r.created_at > p_now - interval '10 minutes'))
     order by r.created_at desc limit 1;
  end if;
  if v_refund.id is not null and v_refund.status <> 'requested' then
    return to_jsonb(v_refund);
  end if;
  if v_refund.id is not null then
    -- Stripe forgets an idempotency key after a day; asked again then, it would refund a second time.
    if v_refund.created_at <= p_now - interval '23 hours' then
      raise exception using errcode = 'PT409', message = 'refund_unsettled',
        hint = 'An earlier refund got no answer from Stripe; see in Stripe''s dashboard whether it was made.';
    end if;
    return to_jsonb(v_refund);
  end if;

  if v_purchase.stripe_payment_intent_id is null then
    raise exception using errcode = 'PT409', message = 'not_paid_through_stripe',
      hint = 'Only a payment through Stripe can be refunded here; give the money back by hand and set the status.';
  end if;
  select a.stripe_account_id into v_account_id from public.stripe_accounts as a where a.org_id = v_purchase.org_id;
  if not found then
    raise exception using errcode = 'PT503', message = 'stripe_not_connected',
      hint = 'Connect the Stripe account that took the payment first.';
  end if;
  -- What we asked for, and what was refunded in Stripe's own dashboard and is in the books.
  v_left := v_purchase.amount_paid_cents
    - coalesce((select sum(r.amount_cents) from app.refunds as r
                 where r.purchase_id = p_purchase_id and r.status <> 'failed'), 0)
    + coalesce((select sum(e.amount_cents) from public.money_events as e
                 where e.org_id = v_purchase.org_id and e.client_id = v_purchase.client_id
                   and e.stripe_payment_intent_id = v_purchase.stripe_payment_intent_id and e.type = 'REFUND'
                   and not exists (select from app.refunds as r where r.stripe_refund_id = split_part(e.reference_id, ':', 1))),
               0);
  if v_left <= 0 or p_amount_cents > v_left then
    raise exception using errcode = 'PT409', message = 'refund_exceeds_payment',
      hint = 'Less than that is left of the payment.';
  end if;
  insert into app.refunds (
    org_id, purchase_id, request_key, asked_cents, amount_cents, currency, reason, stripe_account_id,
    stripe_payment_intent_id, refund_application_fee, created_at
  )
  values (
    v_purchase.org_id, p_purchase_id, p_request_key, p_amount_cents, coalesce(p_amount_cents, v_left),
    v_purchase.currency, p_reason, v_account_id, v_purchase.stripe_payment_intent_id,
    coalesce((select c.application_fee_cents > 0 from app.checkouts as c
               where c.stripe_session_id = v_purchase.stripe_checkout_session_id), true),
    p_now
  )
  returning * into v_refund;
  return to_jsonb(v_refund);
end;
$$;
comment on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) is
  'Records that an owner or staff member (p_user_id, verified by the caller) refunds a payment through Stripe, or part '
  'of it (p_amount_cents null: all that is left), and returns the row of app.refunds, whose id is Stripe''s idempotency '
  'key; status requested: Stripe has to be asked. Never more than is left, one request at a time. The same request is '
  'the same refund: with a p_request_key for good, without one within 10 minutes, or as long as Stripe''s answer is '
  'missing. Books nothing: Stripe''s events do. Raises PT400 amount_invalid, reason_invalid, idempotency_key_invalid; '
  'PT404 purchase_not_found; PT409 idempotency_key_reused, not_paid_through_stripe, refund_exceeds_payment, '
  'refund_unsettled; PT503 stripe_not_connected.';
revoke all on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.begin_refund(uuid, uuid, bigint, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/begin_refund.sql

-- >>> functions_sql/money/billing_customer.sql
create or replace function app.billing_customer(p_user_id uuid, p_client_id uuid, p_portal_token uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_found jsonb;
begin
  if p_portal_token is not null then
    v_client := app.client_of_portal(p_portal_token);
  else
    select c.* into v_client
      from public.clients as c
      join public.org_members as m on m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
     where c.id = p_client_id;
    if not found then
      raise exception using errcode = 'PT404', message = 'client_not_found',
        hint = 'Choose a client of your own business.';
    end if;
  end if;
  select jsonb_build_object('stripe_account_id', a.stripe_account_id, 'stripe_customer_id', s.stripe_customer_id)
    into v_found
    from public.subscriptions as s
    join public.stripe_accounts as a on a.org_id = s.org_id
   where s.client_id = v_client.id and s.stripe_customer_id is not null;
  if not found then
    raise exception using errcode = 'PT409', message = 'no_stripe_customer',
      hint = 'The client has never subscribed through Stripe.';
  end if;
  return v_found;
end;
$$;
comment on function app.billing_customer(uuid, uuid, uuid) is
  'Who a client is to Stripe: stripe_account_id and stripe_customer_id, for a coach''s own client or the client''s own '
  'portal link. Raises PT404 client_not_found, token_not_found; PT409 no_stripe_customer.';
revoke all on function app.billing_customer(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.billing_customer(uuid, uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/money/billing_customer.sql

-- >>> functions_sql/money/book_balance_transaction.sql
create or replace function app.book_balance_transaction(p_org_id uuid, p_payment_key text, p_transaction jsonb)
  returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_fee bigint := (p_transaction ->> 'fee')::bigint;
  v_application_fee bigint;
  v_payment app.stripe_payments;
begin
  if v_fee is null then
    return false;
  end if;
  perform app.lock_stripe_object(p_org_id, p_payment_key);
  -- All that Stripe takes, its own taxes included, but for what it passes on to the platform.
  select sum((d.value ->> 'amount')::bigint) into v_application_fee
    from jsonb_array_elements(
           case jsonb_typeof(p_transaction -> 'fee_details') when 'array' then p_transaction -> 'fee_details'
                else '[]' end
         ) as d
   where d.value ->> 'type' = 'application_fee';
  update app.stripe_payments as p
     set stripe_fee_cents = v_fee - coalesce(v_application_fee, 0),
         stripe_fee_currency = lower(p_transaction ->> 'currency'),
         -- Its currency is the account's; only in that of the payment it is also the payment's application fee.
         application_fee_cents = case when lower(p_transaction ->> 'currency') = p.currency
                                      then greatest(p.application_fee_cents, coalesce(v_application_fee, 0))
                                      else p.application_fee_cents end,
         lookup_at = null
   where p.org_id = p_org_id and p.payment_key = p_payment_key and p.stripe_fee_cents is null
  returning p.* into v_payment;
  if not found then
    return false;
  end if;
  perform app.book_payment(v_payment);
  return true;
end;
$$;
comment on function app.book_balance_transaction(uuid, text, jsonb) is
  'Books what Stripe really kept of a payment, from the balance transaction of its charge, in place of the estimate. '
  'Once: returns whether it did. Source: https://docs.stripe.com/api/balance_transactions/object';
revoke all on function app.book_balance_transaction(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_balance_transaction(uuid, text, jsonb) to coach_os_worker;
-- <<< functions_sql/money/book_balance_transaction.sql

-- >>> functions_sql/money/book_invoice.sql
create or replace function app.book_invoice(p_org_id uuid, p_invoice jsonb) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_invoice ->> 'status' is distinct from 'paid' or jsonb_typeof(p_invoice -> 'payments' -> 'data') <> 'array' then
    return false;
  end if;
  perform app.apply_invoice(
    p_org_id, p_invoice,
    to_timestamp(coalesce(p_invoice -> 'status_transitions' ->> 'paid_at', p_invoice ->> 'created')::bigint)
  );
  return true;
end;
$$;
comment on function app.book_invoice(uuid, jsonb) is
  'Books the payments of a paid invoice that was fetched with them (expand: payments). Returns whether it was one.';
revoke all on function app.book_invoice(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.book_invoice(uuid, jsonb) to coach_os_worker;
-- <<< functions_sql/money/book_invoice.sql

-- >>> functions_sql/money/book_manual_sale.sql
create or replace function app.book_manual_sale() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row public.client_purchases := case tg_op when 'DELETE' then old else new end;
  v_due bigint := case tg_op when 'DELETE' then 0 else app.manual_amount_cents(new) end;
  v_booked record;
  v_changed_cents bigint;
  v_paid_at timestamptz := now();
begin
  if tg_op = 'UPDATE' and v_due = app.manual_amount_cents(old) and new.currency = old.currency then
    return null;  -- a sale from before it was booked stays out of the books until something about its money changes
  end if;
  -- With a client everything about them goes; that they paid stays in the books, without them. With an org all goes.
  if tg_op = 'DELETE' and not exists (
    select from public.clients as c join public.orgs as o on o.id = c.org_id where c.id = old.client_id
  ) then
    return null;
  end if;
  -- Only what is unbooked is booked, and the purchase's own row lock lets one at a time come here: so a sale counts
  -- once however often it is sent, and paid, undone, paid again is three rows.
  for v_booked in
    select e.currency, sum(e.amount_cents)::bigint as cents, sum(e.tax_cents)::bigint as tax_cents,
           min(e.tax_cat) as tax_cat
      from public.money_events as e
     where e.org_id = v_row.org_id and e.source = 'manual' and split_part(e.reference_id, ':', 1) = v_row.id::text
     group by e.currency
    having sum(e.amount_cents) <> 0
  loop
    if v_due > 0 and v_booked.currency = v_row.currency then
      v_changed_cents := v_due - v_booked.cents;
      perform app.insert_manual_event(v_row, 'ADJUSTMENT', v_changed_cents, v_row.currency, now(),
        app.gst_cents(v_row.org_id, v_due) - app.gst_cents(v_row.org_id, v_booked.cents));
      v_due := 0;
    else
      perform app.insert_manual_event(v_row, 'REFUND', -v_booked.cents, v_booked.currency, now(), -v_booked.tax_cents,
        v_booked.tax_cat);
    end if;
  end loop;
  if v_due > 0 then
    if tg_op = 'INSERT' or app.manual_amount_cents(old) > 0 then
      v_paid_at := least(new.purchased_at, now());
    end if;
    perform app.insert_manual_event(v_row, 'INCOME', v_due, v_row.currency, v_paid_at,
      app.gst_cents(v_row.org_id, v_due));
  end if;
  return null;
end;
$$;
comment on function app.book_manual_sale() is
  'Keeps the books equal to the sales by hand: a purchase that is paid (app.manual_amount_cents) is one INCOME, dated '
  'when it was paid; one that no longer is, or is deleted, is reversed by a REFUND; a changed amount is an ADJUSTMENT '
  'of the difference. Nothing is changed or deleted; a purchase''s rows are told apart by reference_id `<id>`, '
  '`<id>:2`, … per type. Deleting a client leaves the books as they are.';
revoke all on function app.book_manual_sale() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_book_manual_sale
  after insert or delete or update of
    amount_paid_cents, currency, payment_status, payment_method, stripe_payment_intent_id, stripe_checkout_session_id
  on public.client_purchases
  for each row execute function app.book_manual_sale();
-- <<< functions_sql/money/book_manual_sale.sql

-- >>> functions_sql/money/book_payment.sql
create or replace function app.book_payment(p_payment app.stripe_payments) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_payment.paid_at is null or p_payment.amount_cents is null then
    return;
  end if;
  perform app.book_stripe(
    p_payment.org_id, 'INCOME', p_payment.payment_key, p_payment.paid_at, p_payment.amount_cents, p_payment.currency,
    p_payment.client_id, p_payment.payment_key, p_payment.invoice_id
  );
  perform app.book_stripe(
    p_payment.org_id, 'PLATFORM_FEE', p_payment.payment_key, p_payment.paid_at,
    -coalesce(p_payment.application_fee_cents, app.commission_cents(p_payment.org_id, p_payment.amount_cents)),
    p_payment.currency, p_payment.client_id, p_payment.payment_key, p_payment.invoice_id,
    p_payment.application_fee_cents is null
  );
  perform app.book_stripe(
    p_payment.org_id, 'FEE', p_payment.payment_key, p_payment.paid_at,
    -coalesce(p_payment.stripe_fee_cents, app.stripe_fee_estimate_cents(p_payment.amount_cents, p_payment.currency)),
    coalesce(p_payment.stripe_fee_currency, p_payment.currency), p_payment.client_id, p_payment.payment_key,
    p_payment.invoice_id, p_payment.stripe_fee_cents is null
  );
end;
$$;
comment on function app.book_payment(app.stripe_payments) is
  'Books a payment as far as it is known: INCOME, what the platform keeps (its application fee, until that is known '
  'app.commission_cents(), marked as an estimate) and what Stripe keeps (app.stripe_fee_estimate_cents(), likewise).';
revoke all on function app.book_payment(app.stripe_payments) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/book_payment.sql

-- >>> functions_sql/money/book_stripe.sql
create or replace function app.book_stripe(
  p_org_id uuid, p_type public.money_event_type, p_reference_id text, p_at timestamptz, p_amount_cents bigint,
  p_currency text, p_client_id uuid default null, p_payment_key text default null, p_invoice_id text default null,
  p_is_estimate boolean default false
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tax_cat public.tax_category := case p_type
    when 'FEE' then 'GST_FREE' when 'PLATFORM_FEE' then 'GST' else 'NONE' end;
  v_intent_id text := case when p_payment_key like 'pi\_%' then p_payment_key end;
begin
  if p_amount_cents = 0 then
    -- Nothing happened, so nothing is booked; what was thought to have happened goes.
    delete from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.is_estimate and not p_is_estimate;
    return;
  end if;
  -- Most events say nothing new; an insert that then does nothing would still be checked and audited. Who calls has
  -- locked the object.
  if exists (
    select
      from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.event_date <= p_at
       and (e.client_id is not null or p_client_id is null)
       and (e.stripe_payment_intent_id is not null or v_intent_id is null)
       and (e.stripe_invoice_id is not null or p_invoice_id is null)
       and (p_is_estimate or not e.is_estimate)
  ) then
    return;
  end if;
  if p_type in ('INCOME', 'REFUND')
     and (select s.gst_registered from public.booking_settings as s where s.org_id = p_org_id) then
    v_tax_cat := 'GST';
  end if;
  insert into public.money_events as e (
    org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id,
    payment_status, stripe_payment_intent_id, stripe_invoice_id, is_estimate
  )
  values (
    p_org_id, p_at, p_type, p_amount_cents, p_currency, v_tax_cat,
    case v_tax_cat when 'GST' then app.gst_cents(p_org_id, p_amount_cents) else 0 end,
    'stripe', p_reference_id, p_client_id, 'succeeded', v_intent_id, p_invoice_id, p_is_estimate
  )
  -- Whichever event came first, the row ends the same: at the earliest instant, with all that any of them knew, and
  -- with what a fee really was.
  on conflict on constraint money_events_one_per_object do update
     set event_date = least(e.event_date, excluded.event_date),
         client_id = coalesce(e.client_id, excluded.client_id),
         stripe_payment_intent_id = coalesce(e.stripe_payment_intent_id, excluded.stripe_payment_intent_id),
         stripe_invoice_id = coalesce(e.stripe_invoice_id, excluded.stripe_invoice_id),
         amount_cents = case when e.is_estimate and not p_is_estimate then excluded.amount_cents else e.amount_cents end,
         currency = case when e.is_estimate and not p_is_estimate then excluded.currency else e.currency end,
         tax_cents = case when e.is_estimate and not p_is_estimate then excluded.tax_cents else e.tax_cents end,
         is_estimate = e.is_estimate and p_is_estimate;
end;
$$;
comment on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) is
  'Books what happened to a Stripe object, once per org, type and reference; again, it fills in what was not known. '
  'Amounts in the smallest unit, positive for money in; zero books nothing. Taxes: INCOME and REFUND hold GST when the '
  'org is registered, what the platform keeps holds it, what Stripe keeps is GST_FREE.';
revoke all on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/book_stripe.sql

-- >>> functions_sql/money/checkout_opened.sql
create or replace function app.checkout_opened(p_checkout_id uuid, p_stripe_session_id text, p_url text) returns void
  language sql volatile security definer set search_path = ''
as $$
  update app.checkouts as c
     set stripe_session_id = p_stripe_session_id, url = p_url
   where c.id = p_checkout_id;
$$;
comment on function app.checkout_opened(uuid, text, text) is
  'Notes which Stripe Checkout Session a checkout became, and where its page is.';
revoke all on function app.checkout_opened(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function app.checkout_opened(uuid, text, text) to coach_os_sidecar;
-- <<< functions_sql/money/checkout_opened.sql

-- >>> functions_sql/money/checkout_paid.sql
create or replace function app.checkout_paid(p_checkout_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout app.checkouts;
begin
  select c.* into v_checkout from app.checkouts as c where c.id = p_checkout_id for no key update;
  if not found or v_checkout.status in ('paid', 'granted') then
    return;
  end if;
  -- Paid after its time, as a delayed method is: the price stands, and so does the limit of the counter.
  if v_checkout.status <> 'open' then
    update public.promo_codes as k
       set times_used = k.times_used + 1
     where k.id = v_checkout.promo_code_id and (k.max_uses is null or k.times_used < k.max_uses);
  end if;
  update app.checkouts as c set status = 'paid', settled_at = p_now where c.id = p_checkout_id;
end;
$$;
comment on function app.checkout_paid(uuid, timestamptz) is
  'Notes that a checkout was paid, once: the promo code''s use it held stays counted. One that had expired counts its '
  'use again as far as max_uses allows. Nothing for an id that is no checkout.';
revoke all on function app.checkout_paid(uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/checkout_paid.sql

-- >>> functions_sql/money/checkout_refused.sql
create or replace function app.checkout_refused(p_checkout_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_promo_code_id uuid;
begin
  update app.checkouts as c
     set status = 'refused', settled_at = p_now
   where c.id = p_checkout_id and c.status = 'open' and c.stripe_session_id is null
  returning c.promo_code_id into v_promo_code_id;
  perform app.give_back_promo_use(v_promo_code_id);
end;
$$;
comment on function app.checkout_refused(uuid, timestamptz) is
  'Notes that Stripe would not make a checkout (its answer was a refusal, not silence), and gives back the promo '
  'code''s use.';
revoke all on function app.checkout_refused(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.checkout_refused(uuid, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/checkout_refused.sql

-- >>> functions_sql/money/client_of_stripe.sql
create or replace function app.client_of_stripe(p_org_id uuid, p_object jsonb) returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_named text := coalesce(p_object -> 'metadata' ->> 'client_id', p_object ->> 'client_reference_id');
begin
  if v_named !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return null;
  end if;
  return (select c.id from public.clients as c where c.id = v_named::uuid and c.org_id = p_org_id);
end;
$$;
comment on function app.client_of_stripe(uuid, jsonb) is
  'The org''s client whom a Stripe object names: metadata.client_id, else a session''s client_reference_id. Null: nobody, '
  'or nobody of this org.';
revoke all on function app.client_of_stripe(uuid, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/client_of_stripe.sql

-- >>> functions_sql/money/commission_cents.sql
create or replace function app.commission_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return round(p_amount_cents * (select o.commission_rate from public.orgs as o where o.id = p_org_id));
end;
$$;
comment on function app.commission_cents(uuid, bigint) is
  'What the platform keeps of an amount (smallest unit) that a client pays an org through Stripe: orgs.commission_rate '
  'of it, half a cent away from zero. The one rule for the checkout, the books and the earnings.';
revoke all on function app.commission_cents(uuid, bigint) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/commission_cents.sql

-- >>> functions_sql/money/count_promo_use.sql
create or replace function app.count_promo_use() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_held uuid;
  v_holds uuid;
begin
  -- A purchase of Stripe's was counted by its checkout, before there was a purchase.
  if tg_op <> 'INSERT' and old.payment_status <> 'failed'
     and old.stripe_payment_intent_id is null and old.stripe_checkout_session_id is null then
    v_held := old.promo_code_id;
  end if;
  if tg_op <> 'DELETE' and new.payment_status <> 'failed'
     and new.stripe_payment_intent_id is null and new.stripe_checkout_session_id is null then
    v_holds := new.promo_code_id;
  end if;
  if v_held is not distinct from v_holds then
    return null;
  end if;
  -- Who is deleted with all they bought has used the code all the same.
  if tg_op = 'DELETE' and not exists (select from public.clients as c where c.id = old.client_id) then
    return null;
  end if;
  if v_held is not null then
    perform app.give_back_promo_use(v_held);
  end if;
  if v_holds is not null then
    -- A sale that failed and is taken up again keeps the price that was agreed.
    perform app.take_promo_use(
      v_holds, case when tg_op = 'UPDATE' and old.promo_code_id = v_holds then null else now() end
    );
  end if;
  return null;
end;
$$;
comment on function app.count_promo_use() is
  'Keeps promo_codes.times_used for sales by hand: one use for each purchase with the code that did not fail; given back '
  'when it fails or is deleted, but not when its client is. Raises as app.take_promo_use().';
revoke all on function app.count_promo_use() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_count_promo_use
  after insert or delete or update of
    promo_code_id, payment_status, stripe_payment_intent_id, stripe_checkout_session_id
  on public.client_purchases
  for each row execute function app.count_promo_use();
-- <<< functions_sql/money/count_promo_use.sql

-- >>> functions_sql/money/currency_exponent.sql
create or replace function app.currency_exponent(p_currency text) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_currency in (
      'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ) then 0
    when p_currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 3
    else 2
  end;
end;
$$;
comment on function app.currency_exponent(text) is
  'How many decimals an amount of this currency has: 1 of its units is 10 to that many of the smallest ones. Source: '
  'https://docs.stripe.com/currencies#zero-decimal';
revoke all on function app.currency_exponent(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/currency_exponent.sql

-- >>> functions_sql/money/discard_my_webhook_event.sql
create or replace function app.discard_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (
    select
      from app.webhook_events as e
      join public.stripe_accounts as a on a.stripe_account_id = e.account_id
     where e.id = p_id and a.org_id = any (array(select app.my_owned_org_ids()))
  ) then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'Choose one of webhook_problems().';
  end if;
  return app.discard_webhook_event(p_id, p_now);
end;
$$;
comment on function app.discard_my_webhook_event(uuid, timestamptz) is 'What public.discard_webhook_event() promises.';
revoke all on function app.discard_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.discard_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.discard_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.discard_my_webhook_event(p_id, now());
end;
comment on function public.discard_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): lets it lie: it is kept, and tried no more. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.discard_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.discard_webhook_event(uuid) to authenticated;
-- <<< functions_sql/money/discard_my_webhook_event.sql

-- >>> functions_sql/money/discard_webhook_event.sql
create or replace function app.discard_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row app.webhook_events;
begin
  select e.* into v_row from app.webhook_events as e where e.id = p_id for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'No event that was kept has this id.';
  end if;
  if v_row.status not in ('failed', 'unmatched') then
    return v_row.status;
  end if;
  update app.webhook_events as e
     set status = 'discarded', processed_at = p_now, next_attempt_at = null
   where e.id = p_id;
  return 'discarded';
end;
$$;
comment on function app.discard_webhook_event(uuid, timestamptz) is
  'An event that cannot or must not be applied (failed, unmatched) is let lie: kept, with its reason, and tried no more, '
  'also when Stripe delivers it again. Any other stays as it is. Returns its status. Raises PT404 '
  'webhook_event_not_found.';
revoke all on function app.discard_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.discard_webhook_event(uuid, timestamptz) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/money/discard_webhook_event.sql

-- >>> functions_sql/money/expire_checkouts.sql
create or replace function app.expire_checkouts(p_now timestamptz default now(), p_limit integer default 500)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout record;
  v_count integer := 0;
begin
  -- Stripe's page closes at expires_at; the event of one paid in the last moment has a quarter of an hour to arrive.
  for v_checkout in
    select c.id, c.promo_code_id
      from app.checkouts as c
     where c.status = 'open' and c.expires_at <= p_now - interval '15 minutes'
     order by c.expires_at, c.id
     limit p_limit
       for no key update skip locked
  loop
    update app.checkouts as c set status = 'expired', settled_at = p_now where c.id = v_checkout.id;
    perform app.give_back_promo_use(v_checkout.promo_code_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function app.expire_checkouts(timestamptz, integer) is
  'Ends checkouts that nobody paid in time and gives back the uses of promo codes they held. Returns how many; safe to '
  'run twice at once. Source: https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at';
revoke all on function app.expire_checkouts(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.expire_checkouts(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/money/expire_checkouts.sql

-- >>> functions_sql/money/fees_to_fetch.sql
create or replace function app.fees_to_fetch(p_now timestamptz, p_limit integer)
  returns table (org_id uuid, stripe_account_id text, payment_key text, charge_id text)
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with due as (
      select p.org_id, p.payment_key, a.stripe_account_id
        from app.stripe_payments as p
        join public.stripe_accounts as a on a.org_id = p.org_id
       where p.lookup_at <= p_now
       order by p.lookup_at
       limit p_limit
         for update of p skip locked
    )
    update app.stripe_payments as p
       set lookups = p.lookups + 1, lookup_at = p_now + app.retry_delay(p.lookups + 1)
      from due as d
     where p.org_id = d.org_id and p.payment_key = d.payment_key
    returning p.org_id, d.stripe_account_id, p.payment_key, p.charge_id;
end;
$$;
comment on function app.fees_to_fetch(timestamptz, integer) is
  'Payments whose fee is an estimate, and invoices (payment_key in_…) of which no event said how they were paid, that '
  'Stripe is to be asked about at p_now on behalf of stripe_account_id; p_limit at most. Each is due again after '
  'app.retry_delay(), until app.book_balance_transaction() or app.book_invoice() has its answer.';
revoke all on function app.fees_to_fetch(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.fees_to_fetch(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/money/fees_to_fetch.sql

-- >>> functions_sql/money/finance_export.sql
create or replace function app.finance_export(p_user_id uuid, p_org_id uuid, p_from date, p_to date)
  returns table (
    event_at timestamptz, event_date date, type text, amount numeric, currency text, tax numeric, tax_category text,
    source text, reference_id text, client_name text, payment_status text, notes text
  )
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_timezone text;
begin
  select o.timezone into v_timezone
    from public.org_members as m
    join public.orgs as o on o.id = m.org_id
   where m.org_id = p_org_id and m.user_id = p_user_id and m.role in ('owner', 'accountant_readonly');
  if not found then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return query
  select e.event_date, (e.event_date at time zone v_timezone)::date, e.type::text,
         round(e.amount_cents / x.unit, x.exponent), e.currency, round(e.tax_cents / x.unit, x.exponent),
         e.tax_cat::text, e.source, e.reference_id, c.full_name, e.payment_status, e.notes
    from public.money_events as e
   cross join lateral app.currency_exponent(e.currency) as d (exponent)
   cross join lateral (values (d.exponent, 10::numeric ^ d.exponent)) as x (exponent, unit)
    left join public.clients as c on c.id = e.client_id
   where e.org_id = p_org_id
     and (p_from is null or e.event_date >= app.day_start(p_from, v_timezone))
     and (p_to is null or e.event_date < app.day_start(p_to + 1, v_timezone))
     and (e.payment_status is null or e.payment_status in ('succeeded', 'refunded'))
   order by e.event_date, e.created_at, e.id;
end;
$$;
comment on function app.finance_export(uuid, uuid, date, date) is
  'What public.finance_export() promises, to the user p_user_id.';
revoke all on function app.finance_export(uuid, uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function app.finance_export(uuid, uuid, date, date) to authenticated, coach_os_sidecar;

create or replace function public.finance_export(p_org_id uuid, p_from date default null, p_to date default null)
  returns table (
    event_at timestamptz, event_date date, type text, amount numeric, currency text, tax numeric, tax_category text,
    source text, reference_id text, client_name text, payment_status text, notes text
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select e.event_at, e.event_date, e.type, e.amount, e.currency, e.tax, e.tax_category, e.source, e.reference_id,
         e.client_name, e.payment_status, e.notes
    from app.finance_export(auth.uid(), p_org_id, p_from, p_to) as e;
end;
comment on function public.finance_export(uuid, date, date) is
  'The books of an org on its own dates p_from to p_to (both inclusive; null: open), in order: every row of money_events '
  'whose money moved, in every currency. amount and tax are exact decimals of the currency''s unit (12.50 aud, 1250 '
  'jpy); without the PAYOUT rows, a month''s amounts in the org''s main currency add up to finance_monthly.net_cents. '
  'For the owner and the accountant: PT404 org_not_found for anybody else.';
revoke all on function public.finance_export(uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function public.finance_export(uuid, date, date) to authenticated;
-- <<< functions_sql/money/finance_export.sql

-- >>> functions_sql/money/give_back_promo_use.sql
create or replace function app.give_back_promo_use(p_promo_code_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.promo_codes as k set times_used = k.times_used - 1 where k.id = p_promo_code_id and k.times_used > 0;
end;
$$;
comment on function app.give_back_promo_use(uuid) is
  'Takes back one counted use of a promo code; nothing when the code is gone or null.';
revoke all on function app.give_back_promo_use(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/give_back_promo_use.sql

-- >>> functions_sql/money/gst_cents.sql
create or replace function app.gst_cents(p_org_id uuid, p_amount_cents bigint) returns bigint
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not coalesce(
    (select s.gst_registered from public.booking_settings as s where s.org_id = p_org_id), false
  ) then
    return 0;
  end if;
  return round(p_amount_cents / 11.0);
end;
$$;
comment on function app.gst_cents(uuid, bigint) is
  'The GST contained in an amount (smallest unit, either sign) that an org takes or gives back: one eleventh, half a '
  'cent away from zero; 0 for an org that is not registered. Source: '
  'https://www.ato.gov.au/businesses-and-organisations/gst-excise-and-indirect-taxes/gst';
revoke all on function app.gst_cents(uuid, bigint) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/gst_cents.sql

-- >>> functions_sql/money/guard_money_event.sql
-- Invoker on purpose: current_user is then who runs the statement. What app.book_stripe() does runs as that function's
-- owner, who owns the table; a caller cannot choose between them.
create or replace function app.guard_money_event() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  v_by_rule boolean := pg_catalog.pg_has_role(
    current_user, (select c.relowner from pg_catalog.pg_class as c where c.oid = 'public.money_events'::regclass), 'usage'
  );
  v_filled_in text[] := '{event_date,client_id,stripe_payment_intent_id,stripe_invoice_id,payout_id}';
begin
  if tg_op = 'DELETE' and v_by_rule
     and (old.is_estimate or not exists (select from public.orgs as o where o.id = old.org_id)) then
    return old;  -- the estimate of what was nothing, or the whole org goes
  end if;
  if tg_op = 'UPDATE' then
    if new is not distinct from old then
      return new;
    end if;
    -- Which payout of the platform it is part of is written when that is made.
    if to_jsonb(new) - 'payout_id' = to_jsonb(old) - 'payout_id' then
      return new;
    end if;
    if old.is_estimate then
      v_filled_in := v_filled_in || '{amount_cents,currency,tax_cents,is_estimate}'::text[];
    end if;
    if v_by_rule and to_jsonb(new) - v_filled_in = to_jsonb(old) - v_filled_in
       and new.event_date <= old.event_date
       -- From null to a client when it becomes known; to null when the client is deleted.
       and (old.client_id is null or new.client_id is null or new.client_id = old.client_id)
       and coalesce(new.stripe_payment_intent_id = old.stripe_payment_intent_id, old.stripe_payment_intent_id is null)
       and coalesce(new.stripe_invoice_id = old.stripe_invoice_id, old.stripe_invoice_id is null) then
      return new;
    end if;
  end if;
  raise exception using errcode = 'PT403', message = 'books_are_append_only',
    hint = 'Correct the books with a new row.';
end;
$$;
comment on function app.guard_money_event() is
  'The books are append-only, for everyone. Still written: which payout of the platform a row is part of; and by the '
  'rules of the database alone: a client, intent or invoice not known before, an earlier instant, the real amount in '
  'place of an estimate. A row goes only with its org. Raises PT403 books_are_append_only.';
revoke all on function app.guard_money_event() from public, anon, authenticated, service_role;

-- By its name the last of the table's: what no row may do, another trigger says.
create or replace trigger money_events_stay_booked
  before update or delete on public.money_events
  for each row execute function app.guard_money_event();
create or replace trigger money_events_no_truncate
  before truncate on public.money_events
  for each statement execute function app.guard_money_event();
-- <<< functions_sql/money/guard_money_event.sql

-- >>> functions_sql/money/id_in_metadata.sql
create or replace function app.id_in_metadata(p_object jsonb, p_key text) returns uuid
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_text text := p_object -> 'metadata' ->> p_key;
begin
  return case when v_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then v_text::uuid end;
end;
$$;
comment on function app.id_in_metadata(jsonb, text) is
  'The id that a Stripe object''s metadata has under a key; null: none, or what is no id. Whose row it names is for the '
  'caller to check: anybody with the account may write metadata.';
revoke all on function app.id_in_metadata(jsonb, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/id_in_metadata.sql

-- >>> functions_sql/money/insert_manual_event.sql
create or replace function app.insert_manual_event(
  p_purchase public.client_purchases, p_type public.money_event_type, p_amount_cents bigint, p_currency text,
  p_at timestamptz, p_tax_cents bigint, p_tax_cat public.tax_category default null
)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_number bigint := 1 + (
    select count(*) from public.money_events as e
     where e.org_id = p_purchase.org_id and e.source = 'manual'
       and split_part(e.reference_id, ':', 1) = p_purchase.id::text and e.type = p_type
  );
begin
  insert into public.money_events (
    org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id, payment_status
  )
  values (
    p_purchase.org_id, p_at, p_type, p_amount_cents, p_currency,
    coalesce(p_tax_cat, case when (
      select s.gst_registered from public.booking_settings as s where s.org_id = p_purchase.org_id
    ) then 'GST' else 'NONE' end::public.tax_category),
    p_tax_cents, 'manual', p_purchase.id || case when v_number > 1 then ':' || v_number else '' end,
    p_purchase.client_id, 'succeeded'
  );
end;
$$;
comment on function app.insert_manual_event(
  public.client_purchases, public.money_event_type, bigint, text, timestamptz, bigint, public.tax_category
) is
  'Writes one row of a sale by hand to the books, under the next free number of its type. Called with the purchase '
  'locked. p_tax_cat null: what the org is registered for now.';
revoke all on function app.insert_manual_event(
  public.client_purchases, public.money_event_type, bigint, text, timestamptz, bigint, public.tax_category
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/insert_manual_event.sql

-- >>> functions_sql/money/keep_promo_count.sql
create or replace function app.keep_promo_count() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  -- Inside a definer function the current user is its owner; a request of the API's own is one of these.
  if current_user in ('anon', 'authenticated', 'service_role') then
    new.times_used := old.times_used;
  end if;
  return new;
end;
$$;
comment on function app.keep_promo_count() is
  'promo_codes.times_used is counted by the database: what the API writes there is ignored. The existing page writes '
  '"what I loaded, plus one" after each sale, which would lose a use sold meanwhile and double its own.';
revoke all on function app.keep_promo_count() from public, anon, authenticated, service_role;

create or replace trigger promo_codes_keep_count before update of times_used on public.promo_codes
  for each row execute function app.keep_promo_count();
-- <<< functions_sql/money/keep_promo_count.sql

-- >>> functions_sql/money/list_webhook_events.sql
create or replace function app.list_webhook_events(p_status text, p_limit integer)
  returns table (
    id uuid, event_id text, event_type text, org_id uuid, status text, reason text, attempts integer,
    received_at timestamptz, next_attempt_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select e.id, e.event_id, e.event_type, e.org_id, e.status, e.reason, e.attempts, e.received_at, e.next_attempt_at
      from app.webhook_events as e
     where case when p_status is null then e.status in ('failed', 'unmatched') else e.status = p_status end
     order by e.received_at, e.id
     limit p_limit;
end;
$$;
comment on function app.list_webhook_events(text, integer) is
  'Kept events of a status, oldest first; null: those that were not applied (failed, unmatched). No payloads.';
revoke all on function app.list_webhook_events(text, integer) from public, anon, authenticated, service_role;
grant execute on function app.list_webhook_events(text, integer) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/money/list_webhook_events.sql

-- >>> functions_sql/money/lock_stripe_object.sql
create or replace function app.lock_stripe_object(p_org_id uuid, p_object text) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_org_id::text || ' ' || p_object, 0));
end;
$$;
comment on function app.lock_stripe_object(uuid, text) is
  'Events about one object of an org''s Stripe account are applied one after the other, until the transaction ends. An '
  'event takes subscriptions before a payment, and one payment only; who takes more limits how long it waits.';
revoke all on function app.lock_stripe_object(uuid, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/lock_stripe_object.sql

-- >>> functions_sql/money/manual_amount_cents.sql
create or replace function app.manual_amount_cents(p_purchase public.client_purchases) returns bigint
  language plpgsql immutable security definer set search_path = ''
as $$
begin
  if p_purchase.payment_status = 'succeeded' and p_purchase.payment_method is distinct from 'stripe'
     and p_purchase.stripe_payment_intent_id is null and p_purchase.stripe_checkout_session_id is null then
    return p_purchase.amount_paid_cents;
  end if;
  return 0;
end;
$$;
comment on function app.manual_amount_cents(public.client_purchases) is
  'What the books owe to a purchase that was sold by hand (cash, transfer, a terminal): its amount while it is '
  'succeeded, else 0. Always 0 for a purchase of Stripe''s, whose money Stripe''s own events book.';
revoke all on function app.manual_amount_cents(public.client_purchases)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/manual_amount_cents.sql

-- >>> functions_sql/money/note_payment.sql
create or replace function app.note_payment(
  p_org_id uuid, p_payment_key text, p_paid_at timestamptz default null, p_amount_cents bigint default null,
  p_currency text default null, p_client_id uuid default null, p_charge_id text default null,
  p_invoice_id text default null, p_checkout_session_id text default null, p_subscription_id text default null,
  p_application_fee_cents bigint default null
) returns app.stripe_payments
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_payment app.stripe_payments;
begin
  if p_paid_at is not null and (p_amount_cents is null or p_currency is null) then
    raise exception using errcode = 'PT422', message = 'payment_incomplete',
      hint = 'A payment that is paid has an amount and a currency.';
  end if;
  perform app.lock_stripe_object(p_org_id, p_payment_key);
  insert into app.stripe_payments as p (
    org_id, payment_key, paid_at, amount_cents, currency, client_id, charge_id, invoice_id, checkout_session_id,
    subscription_id, application_fee_cents, lookup_at
  )
  values (
    p_org_id, p_payment_key, p_paid_at, p_amount_cents, lower(p_currency),
    coalesce(p_client_id, (
      select s.client_id from app.stripe_subscriptions as s
       where s.org_id = p_org_id and s.subscription_id = p_subscription_id
    )),
    p_charge_id, p_invoice_id, p_checkout_session_id, p_subscription_id, p_application_fee_cents,
    -- Only what was charged has a balance transaction to ask for.
    case when p_amount_cents > 0 and p_payment_key ~ '^(pi|ch|py)_' then p_paid_at end
  )
  on conflict (org_id, payment_key) do update
     set paid_at = least(p.paid_at, excluded.paid_at),
         amount_cents = coalesce(p.amount_cents, excluded.amount_cents),
         currency = coalesce(p.currency, excluded.currency),
         client_id = coalesce(p.client_id, excluded.client_id),
         charge_id = coalesce(p.charge_id, excluded.charge_id),
         invoice_id = coalesce(p.invoice_id, excluded.invoice_id),
         checkout_session_id = coalesce(p.checkout_session_id, excluded.checkout_session_id),
         subscription_id = coalesce(p.subscription_id, excluded.subscription_id),
         application_fee_cents = greatest(p.application_fee_cents, excluded.application_fee_cents),
         lookup_at = case when p.paid_at is null then excluded.lookup_at else p.lookup_at end
  returning p.* into v_payment;
  perform app.book_payment(v_payment);
  if v_payment.client_id is not null then
    -- A refund or dispute that came before who paid was known.
    update public.money_events as e
       set client_id = v_payment.client_id
      from app.stripe_facts as f
     where f.org_id = p_org_id and f.payment_key = p_payment_key
       and e.org_id = p_org_id and e.source = 'stripe' and e.type in ('REFUND', 'ADJUSTMENT', 'FEE')
       and e.reference_id in (f.object_id, f.object_id || ':reversal') and e.client_id is null;
  end if;
  v_payment.taken_back := app.settle_stripe_pack(p_org_id, p_payment_key);
  return v_payment;
end;
$$;
comment on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) is
  'Adds what an event knows to what is known of a payment, and books it once it is paid (p_paid_at: when the event was '
  'made). What is known is never overwritten, the instant is the earliest: the same for every order of the events. Raises '
  'PT422 payment_incomplete.';
revoke all on function app.note_payment(
  uuid, text, timestamptz, bigint, text, uuid, text, text, text, text, bigint
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_payment.sql

-- >>> functions_sql/money/note_stripe_fact.sql
create or replace function app.note_stripe_fact(
  p_org_id uuid, p_object_id text, p_fact text, p_at timestamptz, p_amount_cents bigint, p_currency text,
  p_payment_key text default null
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.stripe_facts as f (org_id, object_id, fact, happened_at, amount_cents, currency, payment_key)
  values (p_org_id, p_object_id, p_fact, p_at, p_amount_cents, lower(p_currency), p_payment_key)
  on conflict (org_id, object_id, fact) do update
     set happened_at = least(f.happened_at, excluded.happened_at);
end;
$$;
comment on function app.note_stripe_fact(uuid, text, text, timestamptz, bigint, text, text) is
  'Keeps that something happened to a Stripe object, once, at the earliest instant that an event gave.';
revoke all on function app.note_stripe_fact(uuid, text, text, timestamptz, bigint, text, text)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_stripe_fact.sql

-- >>> functions_sql/money/note_subscription.sql
create or replace function app.note_subscription(
  p_org_id uuid, p_subscription_id text, p_at timestamptz, p_client_id uuid default null,
  p_customer_id text default null, p_object_status text default null, p_inferred_status text default null,
  p_started_at timestamptz default null, p_price_cents bigint default null, p_offer text default null
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_offer_id uuid;
  v_client_id uuid;
  v_payment_key text;
begin
  perform app.lock_stripe_object(p_org_id, 'subscriptions');
  if p_offer ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    select o.id into v_offer_id from public.offers as o where o.id = p_offer::uuid and o.org_id = p_org_id;
  end if;
  insert into app.stripe_subscriptions as s (
    org_id, subscription_id, client_id, offer_id, customer_id, price_cents, started_at, first_seen_at, object_status,
    object_at, inferred_status, inferred_at
  )
  values (
    p_org_id, p_subscription_id,
    -- Subscriptions that were there before their events were kept.
    coalesce(p_client_id, (
      select r.client_id from public.subscriptions as r
       where r.org_id = p_org_id and r.stripe_subscription_id = p_subscription_id
    )),
    v_offer_id, p_customer_id, p_price_cents, p_started_at, p_at, p_object_status,
    case when p_object_status is not null then p_at end, p_inferred_status,
    case when p_inferred_status is not null then p_at end
  )
  on conflict (org_id, subscription_id) do update
     set client_id = coalesce(s.client_id, excluded.client_id),
         offer_id = coalesce(s.offer_id, excluded.offer_id),
         customer_id = coalesce(s.customer_id, excluded.customer_id),
         started_at = least(s.started_at, excluded.started_at),
         first_seen_at = least(s.first_seen_at, excluded.first_seen_at);
  -- The newest counts; of two of one second the one that cannot be followed by the other.
  update app.stripe_subscriptions as s
     set object_status = p_object_status, object_at = p_at, price_cents = coalesce(p_price_cents, s.price_cents)
   where s.org_id = p_org_id and s.subscription_id = p_subscription_id and p_object_status is not null
     and (p_at, array_position('{none,past_due,active,canceled}'::text[], p_object_status))
         > (coalesce(s.object_at, '-infinity'),
            coalesce(array_position('{none,past_due,active,canceled}'::text[], s.object_status), 0));
  update app.stripe_subscriptions as s
     set inferred_status = p_inferred_status, inferred_at = p_at
   where s.org_id = p_org_id and s.subscription_id = p_subscription_id and p_inferred_status is not null
     and (p_at, array_position('{past_due,active}'::text[], p_inferred_status))
         > (coalesce(s.inferred_at, '-infinity'), coalesce(array_position('{past_due,active}'::text[], s.inferred_status), 0));

  select s.client_id into v_client_id
    from app.stripe_subscriptions as s where s.org_id = p_org_id and s.subscription_id = p_subscription_id;
  if v_client_id is null then
    return;  -- whose it is, another event tells
  end if;
  perform app.show_subscription(p_org_id, v_client_id);
  -- Its invoices may have been paid before it was known whose they are.
  for v_payment_key in
    select p.payment_key from app.stripe_payments as p
     where p.org_id = p_org_id and p.subscription_id = p_subscription_id and p.client_id is null
     order by p.payment_key
  loop
    perform app.note_payment(p_org_id, v_payment_key, p_client_id => v_client_id);
  end loop;
end;
$$;
comment on function app.note_subscription(
  uuid, text, timestamptz, uuid, text, text, text, timestamptz, bigint, text
) is
  'Adds what an event of the instant p_at knows of a subscription, and shows the client''s: p_object_status is what the '
  'subscription says itself, p_inferred_status what a checkout or invoice makes of it. The same for every order.';
revoke all on function app.note_subscription(
  uuid, text, timestamptz, uuid, text, text, text, timestamptz, bigint, text
) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/note_subscription.sql

-- >>> functions_sql/money/prepare_purchase.sql
create or replace function app.prepare_purchase() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if new.amount_paid_cents < 0 or new.discount_cents < 0 then
    raise exception using errcode = 'PT400', message = 'price_below_zero',
      hint = 'The discount is larger than the price; sell it for nothing, or give less off.';
  end if;
  if tg_op = 'INSERT' and new.session_duration_mins is null then
    select o.session_duration_mins into new.session_duration_mins from public.offers as o where o.id = new.offer_id;
  end if;
  return new;
end;
$$;
comment on function app.prepare_purchase() is
  'A purchase is as long as its offer says when it does not say itself (the client page does not), and nothing is sold '
  'below zero. Raises PT400 price_below_zero.';
revoke all on function app.prepare_purchase() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_prepare before insert or update of amount_paid_cents, discount_cents
  on public.client_purchases
  for each row execute function app.prepare_purchase();
-- <<< functions_sql/money/prepare_purchase.sql

-- >>> functions_sql/money/price_of.sql
create or replace function app.price_of(
  p_org_id uuid, p_offer_id uuid, p_promo_code_id uuid,
  out list_cents bigint, out discount_cents bigint, out price_cents bigint, out surcharge_cents bigint,
  out total_cents bigint, out currency text
)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_code public.promo_codes;
  v_total bigint;
begin
  select o.price_cents, o.currency into list_cents, currency
    from public.offers as o where o.id = p_offer_id and o.org_id = p_org_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose an active offer.';
  end if;
  discount_cents := 0;
  if p_promo_code_id is not null then
    select k.* into v_code from public.promo_codes as k where k.id = p_promo_code_id and k.org_id = p_org_id;
    if not found then
      raise exception using errcode = 'PT404', message = 'promo_code_not_found',
        hint = 'Check how the code is written.';
    end if;
    discount_cents := least(list_cents, case v_code.discount_type
      when 'percentage' then round(list_cents * v_code.discount_value / 100)
      else round(v_code.discount_value * 10 ^ app.currency_exponent(currency))
    end);
  end if;
  price_cents := list_cents - discount_cents;
  total_cents := price_cents;
  if price_cents > 0 and exists (
    select from public.booking_settings as s where s.org_id = p_org_id and s.pass_stripe_fees
  ) then
    -- The smallest total that leaves the price after its own fee: each round adds the fee on the fee, and ends because
    -- a cent more costs less than a cent.
    loop
      v_total := price_cents + app.stripe_fee_estimate_cents(total_cents, currency);
      exit when v_total = total_cents;
      total_cents := v_total;
    end loop;
  end if;
  surcharge_cents := total_cents - price_cents;
end;
$$;
comment on function app.price_of(uuid, uuid, uuid) is
  'What an org''s offer costs, in the smallest unit of its currency: list price, discount by a promo code (null: none; '
  'per cent of the list price, half a cent up, or a fixed sum, never more than the list price), price = list - '
  'discount, surcharge (when booking_settings.pass_stripe_fees: so much that after app.stripe_fee_estimate_cents of the '
  'total the price is left), total = price + surcharge. Whether the code may be used now is app.promo_code_problem(). '
  'Raises PT404 offer_not_found, PT404 promo_code_not_found.';
revoke all on function app.price_of(uuid, uuid, uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/price_of.sql

-- >>> functions_sql/money/promo_code_problem.sql
create or replace function app.promo_code_problem(p_code public.promo_codes, p_now timestamptz) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_today date := (p_now at time zone (select o.timezone from public.orgs as o where o.id = p_code.org_id))::date;
begin
  return case
    when not p_code.is_active then 'promo_code_off'
    when v_today < p_code.valid_from then 'promo_code_not_started'
    when v_today > p_code.valid_until then 'promo_code_expired'
    when p_code.times_used >= p_code.max_uses then 'promo_code_used_up'
  end;
end;
$$;
comment on function app.promo_code_problem(public.promo_codes, timestamptz) is
  'Why a promo code cannot be used at p_now, null when it can: promo_code_off, promo_code_not_started, '
  'promo_code_expired (first and last day are the org''s, both included), promo_code_used_up.';
revoke all on function app.promo_code_problem(public.promo_codes, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/money/promo_code_problem.sql

-- >>> functions_sql/money/receive_stripe_event.sql
create or replace function app.receive_stripe_event(p_event jsonb, p_livemode boolean) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_event_id text := p_event ->> 'id';
  v_livemode_matches boolean := p_event -> 'livemode' is not distinct from to_jsonb(p_livemode);
  v_row app.webhook_events;
begin
  if jsonb_typeof(p_event -> 'id') is distinct from 'string' or length(v_event_id) not between 1 and 255
     or jsonb_typeof(p_event -> 'type') is distinct from 'string' or length(p_event ->> 'type') not between 1 and 255
     or jsonb_typeof(p_event #> '{data,object}') is distinct from 'object' then
    raise exception using errcode = 'PT400', message = 'event_malformed',
      hint = 'A Stripe event has an id, a type and data.object.';
  end if;
  -- A second delivery waits on the unique key for the first; it then finds the row and, unless the first one
  -- failed or found no org, has nothing to do. The row and what it causes commit together.
  insert into app.webhook_events as e (
    provider, event_id, event_type, account_id, payload, event_created_at, status, reason
  )
  values (
    'stripe', v_event_id, p_event ->> 'type', p_event ->> 'account', p_event,
    case when p_event ->> 'created' ~ '^\d{1,10}$' then to_timestamp((p_event ->> 'created')::bigint) end,
    'ignored', case when not v_livemode_matches then 'livemode_mismatch' end
  )
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
    -- Signed anew, so what it says now is Stripe's word, too.
    update app.webhook_events as e
       set payload = p_event, event_type = p_event ->> 'type', account_id = p_event ->> 'account'
     where e.id = v_row.id
    returning e.* into v_row;
  end if;
  if not v_livemode_matches then
    update app.webhook_events as e
       set status = 'ignored', reason = 'livemode_mismatch', next_attempt_at = null
     where e.id = v_row.id and e.status <> 'ignored';
    return 'ignored';
  end if;
  return app.apply_webhook_event(v_row, now());
end;
$$;
comment on function app.receive_stripe_event(jsonb, boolean) is
  'Stores a verified Stripe event and applies it, in one transaction, once per event id. Returns applied, '
  'duplicate, ignored, unmatched (no org owns the account) or failed (kept, with a reason, and tried again by '
  'app.retry_webhook_events()). p_livemode: what this endpoint is for; an event of the other mode books nothing. '
  'Raises PT400 event_malformed. Source: https://docs.stripe.com/webhooks';
revoke all on function app.receive_stripe_event(jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function app.receive_stripe_event(jsonb, boolean) to coach_os_sidecar;
-- <<< functions_sql/money/receive_stripe_event.sql

-- >>> functions_sql/money/replay_account_events.sql
create or replace function app.replay_account_events() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.stripe_account_id = old.stripe_account_id then
    return new;
  end if;
  new.stripe_updated_at := null;  -- said of another account
  -- Deliveries for an account that nobody owns share this lock: app.apply_webhook_event().
  perform pg_advisory_xact_lock(hashtextextended('stripe account ' || new.stripe_account_id, 0));
  update app.webhook_events as e
     set next_attempt_at = now()
   where e.account_id = new.stripe_account_id and e.status in ('failed', 'unmatched');
  return new;
end;
$$;
comment on function app.replay_account_events() is
  'What Stripe said of an account before an org was connected to it is applied with the worker''s next tick.';
revoke all on function app.replay_account_events() from public, anon, authenticated, service_role;

create or replace trigger stripe_accounts_replay_events
  before insert or update of stripe_account_id on public.stripe_accounts
  for each row execute function app.replay_account_events();
-- <<< functions_sql/money/replay_account_events.sql

-- >>> functions_sql/money/replay_my_webhook_event.sql
create or replace function app.replay_my_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (
    select
      from app.webhook_events as e
      join public.stripe_accounts as a on a.stripe_account_id = e.account_id
     where e.id = p_id and a.org_id = any (array(select app.my_owned_org_ids()))
  ) then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'Choose one of webhook_problems().';
  end if;
  return app.replay_webhook_event(p_id, p_now);
end;
$$;
comment on function app.replay_my_webhook_event(uuid, timestamptz) is 'What public.replay_webhook_event() promises.';
revoke all on function app.replay_my_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.replay_my_webhook_event(uuid, timestamptz) to authenticated;

create or replace function public.replay_webhook_event(p_id uuid) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.replay_my_webhook_event(p_id, now());
end;
comment on function public.replay_webhook_event(uuid) is
  'What could not be booked of the owner''s account (webhook_problems): applies it now. Returns its '
  'status. Raises PT404 webhook_event_not_found, also to who is not the owner.';
revoke all on function public.replay_webhook_event(uuid) from public, anon, authenticated, service_role;
grant execute on function public.replay_webhook_event(uuid) to authenticated;
-- <<< functions_sql/money/replay_my_webhook_event.sql

-- >>> functions_sql/money/replay_webhook_event.sql
create or replace function app.replay_webhook_event(p_id uuid, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row app.webhook_events;
begin
  select e.* into v_row from app.webhook_events as e where e.id = p_id for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'No event that was kept has this id.';
  end if;
  if v_row.status = 'applied' or v_row.reason = 'livemode_mismatch' then
    return v_row.status;
  end if;
  return app.apply_webhook_event(v_row, p_now);
end;
$$;
comment on function app.replay_webhook_event(uuid, timestamptz) is
  'Applies a kept event now, also one that is not tried again by itself any more, was ignored or discarded. One that is '
  'applied, or of the other mode, stays as it is. Returns its status. Raises PT404 webhook_event_not_found.';
revoke all on function app.replay_webhook_event(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.replay_webhook_event(uuid, timestamptz) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/money/replay_webhook_event.sql

-- >>> functions_sql/money/retry_delay.sql
create or replace function app.retry_delay(p_attempts integer) returns interval
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if p_attempts >= 30 then
    return null;
  end if;
  return least(interval '1 minute' * 2 ^ least(greatest(p_attempts, 1) - 1, 20), interval '6 hours');
end;
$$;
comment on function app.retry_delay(integer) is
  'How long to wait after so many attempts that failed: a minute, doubling, six hours at most; null after the thirtieth, '
  'some five days later: not again by itself.';
revoke all on function app.retry_delay(integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/retry_delay.sql

-- >>> functions_sql/money/retry_webhook_events.sql
-- Within the transaction of a batch an event may wait for somebody who waits for the batch; the timeout, shorter than
-- Postgres' own deadlock_timeout, makes it the one that gives way and is tried again.
create or replace function app.retry_webhook_events(p_now timestamptz, p_limit integer)
  returns table (applied integer, failed integer, unmatched integer)
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms'
as $$
declare
  v_row app.webhook_events;
  v_status text;
begin
  applied := 0;
  failed := 0;
  unmatched := 0;
  for v_row in
    select e.*
      from app.webhook_events as e
     where e.next_attempt_at <= p_now and e.status in ('failed', 'unmatched')
     order by e.event_created_at, e.received_at, e.id
     limit p_limit
       for update skip locked
  loop
    v_status := app.apply_webhook_event(v_row, p_now);
    if v_status = 'failed' then
      failed := failed + 1;
    elsif v_status = 'unmatched' then
      unmatched := unmatched + 1;
    else
      applied := applied + 1;
    end if;
  end loop;
  return next;
end;
$$;
comment on function app.retry_webhook_events(timestamptz, integer) is
  'Tries again the kept events that are due at p_now, p_limit at most, in the order in which Stripe made them, each in a '
  'subtransaction of its own; those that somebody else has are left. Returns how many were applied (or had nothing to '
  'do), failed again and still belong to nobody; all three 0: nothing is due.';
revoke all on function app.retry_webhook_events(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.retry_webhook_events(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/money/retry_webhook_events.sql

-- >>> functions_sql/money/settle_refund.sql
create or replace function app.settle_refund(
  p_refund_id uuid, p_stripe_refund_id text, p_status text, p_now timestamptz
)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- A refund that failed stays failed, whatever arrives after: https://docs.stripe.com/refunds#failed-refunds
  update app.refunds as r
     set status = p_status, stripe_refund_id = coalesce(p_stripe_refund_id, r.stripe_refund_id), settled_at = p_now
   where r.id = p_refund_id and r.status <> 'failed' and r.status <> p_status;
end;
$$;
comment on function app.settle_refund(uuid, text, text, timestamptz) is
  'Notes what became of a refund that was asked for: sent (Stripe has it, under p_stripe_refund_id) or failed (no money '
  'went, what was left of the payment is left again). Idempotent; for Stripe''s answer and its later events.';
revoke all on function app.settle_refund(uuid, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_refund(uuid, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/money/settle_refund.sql

-- >>> functions_sql/money/settle_stripe_pack.sql
create or replace function app.settle_stripe_pack(p_org_id uuid, p_payment_key text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_payment app.stripe_payments;
  v_taken_back boolean;
begin
  select p.* into v_payment
    from app.stripe_payments as p where p.org_id = p_org_id and p.payment_key = p_payment_key;
  with objects as (
    select f.object_id, max(f.amount_cents) as amount_cents,
           bool_or(f.fact = 'refund_succeeded') and not bool_or(f.fact = 'refund_failed') as refunded,
           bool_or(f.fact in ('dispute_withdrawn', 'dispute_lost'))
             and not bool_or(f.fact in ('dispute_reinstated', 'dispute_won')) as disputed
      from app.stripe_facts as f
     where f.org_id = p_org_id and f.payment_key = p_payment_key
     group by f.object_id
  )
  select coalesce(bool_or(o.disputed), false)
         or coalesce(v_payment.amount_cents > 0
                     and sum(o.amount_cents) filter (where o.refunded) >= v_payment.amount_cents, false)
    into v_taken_back
    from objects as o;
  if v_taken_back = v_payment.taken_back then
    return v_taken_back;
  end if;
  update app.stripe_payments as p
     set taken_back = v_taken_back
   where p.org_id = p_org_id and p.payment_key = p_payment_key;
  update public.client_purchases as p
     set payment_status = case when v_taken_back then 'refunded' else 'succeeded' end
   where p.org_id = p_org_id
     and (p.stripe_payment_intent_id = p_payment_key
          or (p.stripe_payment_intent_id is null and p.stripe_checkout_session_id = v_payment.checkout_session_id))
     and p.payment_status = case when v_taken_back then 'succeeded' else 'refunded' end;
  return v_taken_back;
end;
$$;
comment on function app.settle_stripe_pack(uuid, text) is
  'A pack whose payment was refunded in full, or taken by a dispute, is refunded: what is used stays used, the rest pays '
  'for nothing any more. It is paid again when a refund failed or the dispute was won. A partial refund changes no '
  'session. Acts only when that changes: what a coach sets by hand stays. '
  'Returns whether it is taken back.';
revoke all on function app.settle_stripe_pack(uuid, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/settle_stripe_pack.sql

-- >>> functions_sql/money/show_subscription.sql
create or replace function app.show_subscription(p_org_id uuid, p_client_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.subscriptions as r (
    org_id, client_id, offer_id, stripe_customer_id, stripe_subscription_id, status, price_cents
  )
  select s.org_id, s.client_id, s.offer_id, s.customer_id, s.subscription_id, t.status, s.price_cents
    from app.stripe_subscriptions as s
   cross join lateral (
           select case
             when s.object_status is null then coalesce(s.inferred_status, 'none')
             when s.object_status = 'canceled' or s.inferred_at is null or s.inferred_at <= s.object_at
             then s.object_status
             else s.inferred_status
           end as status
         ) as t
   where s.org_id = p_org_id and s.client_id = p_client_id
   -- One that runs before one that ended, the newest before an older one.
   order by t.status in ('active', 'past_due') desc, coalesce(s.started_at, s.first_seen_at) desc, s.subscription_id desc
   limit 1
  on conflict (org_id, client_id) do update
     set offer_id = coalesce(excluded.offer_id, r.offer_id),
         stripe_customer_id = coalesce(excluded.stripe_customer_id, r.stripe_customer_id),
         stripe_subscription_id = excluded.stripe_subscription_id,
         status = excluded.status,
         price_cents = coalesce(excluded.price_cents, r.price_cents)
   where (r.stripe_subscription_id, r.status) is distinct from (excluded.stripe_subscription_id, excluded.status)
      or excluded.offer_id <> r.offer_id or (r.offer_id is null and excluded.offer_id is not null)
      or excluded.stripe_customer_id is distinct from r.stripe_customer_id
      or excluded.price_cents is distinct from r.price_cents;
end;
$$;
comment on function app.show_subscription(uuid, uuid) is
  'Writes the one subscription that public.subscriptions shows for a client: of those Stripe told of, one that runs, else '
  'the newest. A canceled one stays so, whatever its invoices say later.';
revoke all on function app.show_subscription(uuid, uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/show_subscription.sql

-- >>> functions_sql/money/stripe_fee_estimate_cents.sql
create or replace function app.stripe_fee_estimate_cents(p_amount_cents bigint, p_currency text) returns bigint
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if p_amount_cents <= 0 then
    return 0;
  end if;
  return round(p_amount_cents * 0.017) + case app.currency_exponent(p_currency) when 3 then 300 else 30 end;
end;
$$;
comment on function app.stripe_fee_estimate_cents(bigint, text) is
  'What Stripe is likely to keep of a payment, both in the smallest unit: 1.7 % and 30 cents, the price of a domestic '
  'card in Australia, half a cent up. Whatever books it marks it (money_events.is_estimate), '
  'until the balance transaction says what it was. Source: https://stripe.com/au/pricing';
revoke all on function app.stripe_fee_estimate_cents(bigint, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/stripe_fee_estimate_cents.sql

-- >>> functions_sql/money/stripe_id.sql
create or replace function app.stripe_id(p_reference jsonb) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case jsonb_typeof(p_reference)
    when 'string' then nullif(p_reference #>> '{}', '')
    when 'object' then p_reference ->> 'id'
  end;
end;
$$;
comment on function app.stripe_id(jsonb) is
  'The id in a field of a Stripe object that refers to another one, expanded or not; null: it refers to none. '
  'Source: https://docs.stripe.com/api/expanding_objects';
revoke all on function app.stripe_id(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/stripe_id.sql

-- >>> functions_sql/money/subscription_of_invoice.sql
create or replace function app.subscription_of_invoice(p_invoice jsonb) returns text
  language plpgsql immutable parallel safe security definer set search_path = ''
as $$
begin
  return coalesce(
    app.stripe_id(p_invoice -> 'parent' -> 'subscription_details' -> 'subscription'),
    app.stripe_id(p_invoice -> 'subscription')
  );
end;
$$;
comment on function app.subscription_of_invoice(jsonb) is
  'The subscription an invoice is for, in API versions from 2025-03-31 on and before; null: none. Source: '
  'https://docs.stripe.com/changelog/basil/2025-03-31/adds-new-parent-field-to-invoicing-objects';
revoke all on function app.subscription_of_invoice(jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/subscription_of_invoice.sql

-- >>> functions_sql/money/take_promo_use.sql
create or replace function app.take_promo_use(p_promo_code_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_code public.promo_codes;
  v_problem text;
begin
  select k.* into v_code from public.promo_codes as k where k.id = p_promo_code_id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'promo_code_not_found', hint = 'Check how the code is written.';
  end if;
  v_problem := case
    when p_now is not null then app.promo_code_problem(v_code, p_now)
    when v_code.times_used >= v_code.max_uses then 'promo_code_used_up'
  end;
  if v_problem is not null then
    raise exception using errcode = 'PT409', message = v_problem,
      hint = 'This code cannot be used: it is switched off, outside its dates, or used up.';
  end if;
  update public.promo_codes as k set times_used = k.times_used + 1 where k.id = p_promo_code_id;
end;
$$;
comment on function app.take_promo_use(uuid, timestamptz) is
  'Counts one use of a promo code, one at a time. p_now null: the price was agreed before, only the number of uses still '
  'matters. Raises PT404 promo_code_not_found, PT409 with a code of app.promo_code_problem().';
revoke all on function app.take_promo_use(uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/money/take_promo_use.sql

-- >>> functions_sql/money/webhook_problems.sql
create or replace function app.webhook_problems(p_org_id uuid)
  returns table (
    id uuid, type text, status text, reason text, received_at timestamptz, attempts integer,
    next_attempt_at timestamptz
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select e.id, e.event_type, e.status, e.reason, e.received_at, e.attempts, e.next_attempt_at
      from public.stripe_accounts as a
      join app.webhook_events as e on e.account_id = a.stripe_account_id and e.status in ('failed', 'unmatched')
     where a.org_id = p_org_id and p_org_id = any (array(select app.my_owned_org_ids()))
     order by e.received_at, e.id;
end;
$$;
comment on function app.webhook_problems(uuid) is 'What public.webhook_problems() promises.';
revoke all on function app.webhook_problems(uuid) from public, anon, authenticated, service_role;
grant execute on function app.webhook_problems(uuid) to authenticated;

create or replace function public.webhook_problems(p_org_id uuid)
  returns table (
    id uuid, type text, status text, reason text, received_at timestamptz, attempts integer,
    next_attempt_at timestamptz
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select p.id, p.type, p.status, p.reason, p.received_at, p.attempts, p.next_attempt_at
    from app.webhook_problems(p_org_id) as p;
end;
comment on function public.webhook_problems(uuid) is
  'What Stripe told of the org''s account and could not be booked, oldest first: what kind of event, why not '
  '(docs/errors.md), how often it was tried and when it is tried next (null: not by itself). For the owner; nothing for '
  'anybody else.';
revoke all on function public.webhook_problems(uuid) from public, anon, authenticated, service_role;
grant execute on function public.webhook_problems(uuid) to authenticated;
-- <<< functions_sql/money/webhook_problems.sql

-- >>> functions_sql/orgs/record_audit.sql
-- Per statement, not per row: the worker completing 500 bookings costs one insert of 500 rows.
create or replace function app.record_audit() returns trigger
  language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
begin
  if tg_table_name = 'client_purchases' and coalesce(current_setting('coach_os.ledger_entry', true), '') <> '' then
    return null;  -- the entry that moved the counter says who, when and why, and is append-only itself
  end if;
  case tg_op
    when 'INSERT' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from new_rows as n, app.audit_entry(tg_table_name, null, to_jsonb(n)) as e
       where e.actor_role is not null;
    when 'DELETE' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from old_rows as o, app.audit_entry(tg_table_name, to_jsonb(o), null) as e
       where e.actor_role is not null;
    else
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      with before as materialized (select to_jsonb(o) as image from old_rows as o),
           after as materialized (select to_jsonb(n) as image from new_rows as n)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from before as b
        full join after as a  -- a row whose key changed meets no partner: one went, another came
          on coalesce(a.image ->> 'id', a.image ->> 'org_id') = coalesce(b.image ->> 'id', b.image ->> 'org_id')
       cross join lateral app.audit_entry(tg_table_name, b.image, a.image) as e
       where e.actor_role is not null;
  end case;
  return null;
end;
$$;
comment on function app.record_audit() is
  'Writes what a statement changed to public.audit_events, one row for each row that it really changed; '
  'not what a ledger entry did to its pack''s counter, which public.session_ledger tells.';
revoke all on function app.record_audit() from public, anon, authenticated, service_role;

-- The audited tables. Why the others are not: tests/sql/orgs/test_audit.sql.
do $$
declare
  v_table name;
begin
  foreach v_table in array '{
    orgs, org_members, branding, org_payout_settings,
    clients, client_invites, client_waivers, referral_links, referrals,
    offers, promo_codes, products, client_purchases,
    session_types, booking_settings, bookings, availability, blocked_times,
    stripe_accounts, subscriptions, org_payouts, money_events,
    sms_settings, sms_schedules, sms_templates, sms_suppression,
    automations
  }'::name[] loop
    execute format(
      'create or replace trigger %1$s_audit_insert after insert on public.%1$I
         referencing new table as new_rows for each statement execute function app.record_audit()', v_table);
    execute format(
      'create or replace trigger %1$s_audit_update after update on public.%1$I
         referencing old table as old_rows new table as new_rows
         for each statement execute function app.record_audit()', v_table);
    execute format(
      'create or replace trigger %1$s_audit_delete after delete on public.%1$I
         referencing old table as old_rows for each statement execute function app.record_audit()', v_table);
  end loop;
end;
$$;
-- <<< functions_sql/orgs/record_audit.sql

-- >>> functions_sql/sessions/hold_session.sql
create or replace function app.hold_session() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_holds_already boolean := tg_op = 'UPDATE' and old.status in ('pending', 'confirmed')
                             and new.purchase_id is not distinct from old.purchase_id;
  v_purchase public.client_purchases;
  v_left integer;
  v_problem text;
begin
  if new.purchase_id is null or new.status not in ('pending', 'confirmed')
     or (v_holds_already and new.client_id = old.client_id and new.start_time = old.start_time) then
    return null;
  end if;
  -- Those who book on one pack take turns. Not `for update`: the foreign key of a booking being inserted beside this
  -- one shares the row, and two would wait for each other.
  select p.* into v_purchase from public.client_purchases as p where p.id = new.purchase_id for no key update;
  v_problem := app.pack_problem(v_purchase, new.client_id, new.start_time);
  -- What the pack could not pay where it was, it need not pay where it is moved to: app.settle_booking() will tell.
  if v_holds_already and new.client_id = old.client_id
     and app.pack_problem(v_purchase, old.client_id, old.start_time) is not null then
    v_problem := null;
  end if;
  -- One that has its session from this pack gives it back (app.settle_booking, after this) and holds it from then on;
  -- but for what was given back by hand before.
  if v_problem is null and not v_holds_already then
    v_left := coalesce(v_purchase.sessions_remaining, 0);
    if app.paid_by(new.id) = new.purchase_id then
      v_left := v_left + least(1, v_purchase.sessions_used);
    end if;
    if v_left <= app.sessions_held(new.purchase_id, new.id) then
      v_problem := 'no_session_left';
    end if;
  end if;
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
  return null;
end;
$$;
comment on function app.hold_session() is
  'A booking on a pack holds one of its sessions until it is completed or cancelled; nobody, through any door, holds '
  'more than the pack has left, or on a pack that cannot pay. Raises the codes of app.raise_booking_problem().';
revoke all on function app.hold_session() from public, anon, authenticated, service_role;

create or replace trigger bookings_hold
  after insert or update of status, purchase_id, client_id, start_time on public.bookings
  for each row execute function app.hold_session();
-- <<< functions_sql/sessions/hold_session.sql

-- >>> functions_sql/sessions/pack_problem.sql
create or replace function app.pack_problem(p_purchase public.client_purchases, p_client_id uuid, p_at timestamptz)
  returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return case
    when p_purchase.client_id <> p_client_id then 'pack_not_the_clients'
    when p_purchase.payment_status = 'refunded' then 'pack_refunded'
    when p_purchase.payment_status <> 'succeeded' then 'pack_unpaid'
    when p_purchase.expires_at <= p_at then 'pack_expired'
  end;
end;
$$;
comment on function app.pack_problem(public.client_purchases, uuid, timestamptz) is
  'Why a pack cannot pay for a session of this client at the instant p_at, however many it has left, or null: '
  'pack_not_the_clients, pack_refunded, pack_unpaid, pack_expired. A null client: the pack''s own.';
revoke all on function app.pack_problem(public.client_purchases, uuid, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/pack_problem.sql

-- >>> functions_sql/sessions/recheck_holds.sql
create or replace function app.recheck_holds() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_packs uuid[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct n.purchase_id) into v_packs
      from new_rows as n where n.status in ('pending', 'confirmed') and n.purchase_id is not null;
  else
    select array_agg(distinct n.purchase_id) into v_packs
      from new_rows as n
      left join old_rows as o on o.id = n.id
     where n.status in ('pending', 'confirmed') and n.purchase_id is not null
       and (o.status in ('pending', 'confirmed') and o.purchase_id = n.purchase_id) is not true;
  end if;
  if v_packs is not null and exists (
       select from public.client_purchases as p
        where p.id = any (v_packs) and coalesce(p.sessions_remaining, 0) < app.sessions_held(p.id)
     ) then
    perform app.raise_booking_problem('no_session_left');
  end if;
  return null;
end;
$$;
comment on function app.recheck_holds() is
  'What app.hold_session() promises holds for all rows of a statement together: one may hold the session that the next '
  'one, completed already, then takes. The packs are locked by now.';
revoke all on function app.recheck_holds() from public, anon, authenticated, service_role;

create or replace trigger bookings_recheck_insert
  after insert on public.bookings
  referencing new table as new_rows
  for each statement execute function app.recheck_holds();
create or replace trigger bookings_recheck_update
  after update on public.bookings
  referencing old table as old_rows new table as new_rows
  for each statement execute function app.recheck_holds();
-- <<< functions_sql/sessions/recheck_holds.sql

-- >>> functions_sql/sessions/settle_booking.sql
create or replace function app.settle_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_took boolean := tg_op = 'UPDATE' and app.takes_session(old.status, old.forfeited);
  v_takes boolean := app.takes_session(new.status, new.forfeited);
  -- Another client's session is not paid by this one's pack, whichever it named.
  v_other_pack boolean := tg_op = 'UPDATE' and (new.purchase_id is distinct from old.purchase_id
                                                or new.client_id <> old.client_id);
  v_uncovered text;
begin
  if tg_op = 'UPDATE' and (v_other_pack or (v_took and not v_takes)
                           or (new.status <> old.status and new.status in ('cancelled', 'no_show') and not v_takes)) then
    perform app.give_back_session(new.id, case
      when v_other_pack then 'other_pack'
      when new.status in ('cancelled', 'no_show') then 'cancelled'
      else 'reopened'
    end);
  end if;
  -- Once it had its session, only leaving and coming back charges it again: a coach may have given one back by hand.
  if v_takes and new.purchase_id is not null and (not v_took or v_other_pack or new.uncovered_reason is not null) then
    -- A pack pays for a session held before it expired, also when the worker comes to it days later.
    v_uncovered := app.take_session(new.purchase_id, new.id, new.start_time);
  end if;
  if v_uncovered is distinct from new.uncovered_reason then
    update public.bookings as b set uncovered_reason = v_uncovered where b.id = new.id;
  end if;
  return null;
end;
$$;
comment on function app.settle_booking() is
  'Charging a booking and deducting its session are one: whoever completes it, in the same transaction. Leaving that '
  'state, or moving to another pack, gives the session back. What its pack could not pay is told in uncovered_reason.';
revoke all on function app.settle_booking() from public, anon, authenticated, service_role;

create or replace trigger bookings_settle
  after insert or update of status, purchase_id, client_id, forfeited on public.bookings
  for each row execute function app.settle_booking();
-- <<< functions_sql/sessions/settle_booking.sql

-- >>> functions_sql/sessions/take_completion_credit.sql
create or replace function app.take_completion_credit(p_purchase_id uuid, p_now timestamptz) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- In turns, and the look comes after the wait: another tab of the same user may take the credit that this one left and
  -- leave its own, which a look from before that would not show.
  perform from public.client_purchases as p where p.id = p_purchase_id for no key update;
  delete from app.completion_credits as c
   where c.id = (
     select k.id
       from app.completion_credits as k
      where k.purchase_id = p_purchase_id and k.user_id is not distinct from auth.uid()
        and k.created_at > p_now - interval '1 minute'
      order by k.id
      limit 1
        for update skip locked
   );
  return found;
end;
$$;
comment on function app.take_completion_credit(uuid, timestamptz) is
  'Takes one of the caller''s completion credits on a pack, not older than a minute at p_now. False: there is none.';
revoke all on function app.take_completion_credit(uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/take_completion_credit.sql

-- >>> functions_sql/sessions/take_session.sql
create or replace function app.take_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_at timestamptz default now()
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_org_id uuid;
  v_client_id uuid;
  v_status text;
  v_forfeited boolean;
  v_seq integer;
  v_problem text;
begin
  -- Lock order everywhere: booking, then purchase. Never `for update`: foreign keys share these rows.
  if p_booking_id is not null then
    select b.org_id, b.client_id, b.status, b.forfeited into v_org_id, v_client_id, v_status, v_forfeited
      from public.bookings as b where b.id = p_booking_id for no key update;
    if not found then
      return 'booking_not_found';
    end if;
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
  end if;
  -- From here on all others who want this pack wait, until commit: what can be known before was asked before.
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for no key update;
  if not found then
    return 'pack_not_found';
  elsif v_org_id <> v_purchase.org_id then
    return 'booking_not_found';
  elsif v_seq % 2 = 1 then
    return null;  -- this booking has its session already
  elsif v_status in ('cancelled', 'no_show') and not v_forfeited then
    return 'booking_not_charged';
  end if;
  v_problem := app.pack_problem(v_purchase, v_client_id, p_at);
  if v_problem is null and coalesce(v_purchase.sessions_remaining, 0) <= 0 then
    v_problem := 'no_session_left';
  end if;
  if v_problem is not null then
    return v_problem;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq, reason)
  values (p_purchase_id, p_booking_id, case when p_booking_id is null then 'manual' else 'booking' end,
          1, v_seq + 1, app.charge_reason(v_status));
  return null;
end;
$$;
comment on function app.take_session(uuid, uuid, timestamptz) is
  'Takes one session from a pack, for a booking once and never twice. Null: taken, now or before. Else why not: '
  'booking_not_found, pack_not_found, booking_not_charged (called off), no_session_left, or one of app.pack_problem() at the instant p_at. Asks nobody '
  'who they are.';
revoke all on function app.take_session(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/take_session.sql

-- >>> functions_sql/sessions/use_session.sql
create or replace function app.use_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
begin
  select p.org_id into v_org_id from public.client_purchases as p where p.id = p_purchase_id;
  -- A purchase of another org looks like one that does not exist.
  if v_org_id is null or not app.acts_for_org(v_org_id) then
    return false;
  end if;
  if p_booking_id is null and app.take_completion_credit(p_purchase_id, p_now) then
    return true;
  end if;
  return app.take_session(p_purchase_id, p_booking_id, p_now) is null;
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
  'Takes one session from a pack. True: taken (for a booking: taken now or before, never twice; without one, by the '
  'user who has just set a booking on this pack to completed: that booking''s, already taken). False: none left, '
  'expired, unpaid, unknown, or not the caller''s to use.';
revoke all on function public.use_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.use_session(uuid, uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/use_session.sql
