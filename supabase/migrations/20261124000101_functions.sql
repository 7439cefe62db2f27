-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/orgs/acts_for_org.sql
create or replace function app.acts_for_org(p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  -- A definer function keeps the caller's `role` setting: an API request shows its role there, a connection of the
  -- worker or the sidecar shows none.
  return current_setting('role') in ('none', 'service_role', 'postgres', 'coach_os_worker', 'coach_os_sidecar')
      or exists (select from public.org_members as m
                  where m.org_id = p_org_id and m.user_id = auth.uid() and m.role in ('owner', 'staff'));
end;
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
    -- What every booking refers to is written out: its plan is kept, where the other one is made
    -- anew for each row, at ten times the cost.
    case v_table
      when 'clients' then
        select r.org_id into v_org_id from public.clients as r where r.id = v_id;
      when 'client_purchases' then
        select r.org_id into v_org_id from public.client_purchases as r where r.id = v_id;
      when 'bookings' then
        select r.org_id into v_org_id from public.bookings as r where r.id = v_id;
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
-- <<< functions_sql/orgs/check_same_org.sql

-- >>> functions_sql/orgs/record_audit.sql
-- Per statement, not per row: the worker completing 500 bookings costs one insert of 500 rows.
create or replace function app.record_audit() returns trigger
  language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
begin
  case
    when tg_level = 'ROW' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from app.audit_entry(tg_table_name, to_jsonb(old), to_jsonb(new)) as e
       where e.actor_role is not null;
    when tg_op = 'INSERT' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from new_rows as n, app.audit_entry(tg_table_name, null, to_jsonb(n)) as e
       where e.actor_role is not null;
    when tg_op = 'DELETE' then
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
  'not a move of a pack''s counter alone, which public.session_ledger tells.';
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

-- A pack's counter moves with every session, and the entry that says who, when and why is append-only itself. Triggers of
-- some columns are per row: those of a statement collect every row before they can look at it.
create or replace trigger client_purchases_audit_update
  after update of id, org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
                  stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, promo_code_id,
                  discount_cents, session_duration_mins, created_at, refunded_at
  on public.client_purchases
  for each row execute function app.record_audit();
-- <<< functions_sql/orgs/record_audit.sql

-- >>> functions_sql/sessions/explain_counter.sql
create or replace function app.explain_counter(
  p_entry_type text default null, p_booking_id uuid default null, p_booking_seq integer default null,
  p_reason text default null
) returns text
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  return set_config('coach_os.counter_cause', concat(p_entry_type, '|', p_booking_id, '|', p_booking_seq, '|', p_reason), true);
end;
$$;
comment on function app.explain_counter(text, uuid, integer, text) is
  'Says what the next change of a pack''s counter in this transaction is for: the entry type, the booking and the number of '
  'its entry, and the reason. That change uses it up (app.write_ledger_entry); call it with nothing when there was none.';
revoke all on function app.explain_counter(text, uuid, integer, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/explain_counter.sql

-- >>> functions_sql/sessions/give_back_session.sql
create or replace function app.give_back_session(p_booking_id uuid, p_reason text) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase_id uuid;
  v_seq integer;
  v_used integer;
  v_cause text;
begin
  perform from public.bookings as b where b.id = p_booking_id for no key update;
  -- It goes back to the pack it was taken from, also when the booking names another by now.
  select l.booking_seq, l.purchase_id into v_seq, v_purchase_id
    from public.session_ledger as l
   where l.booking_id = p_booking_id
   order by l.booking_seq desc
   limit 1;
  if v_seq is null or v_seq % 2 = 0 then
    return -1;
  end if;
  v_cause := app.explain_counter('release', p_booking_id, v_seq + 1, p_reason);
  -- A correction by hand may have given it back before: then the booking no longer has it, and nothing moves.
  update public.client_purchases as p
     set sessions_used = greatest(p.sessions_used - 1, 0)
   where p.id = v_purchase_id
  returning p.sessions_used into v_used;
  return v_used;
end;
$$;
comment on function app.give_back_session(uuid, text) is
  'Gives back the session a booking took. Returns the pack''s new sessions_used, or -1 when the booking has none. Asks '
  'nobody who they are.';
revoke all on function app.give_back_session(uuid, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/give_back_session.sql

-- >>> functions_sql/sessions/ledger_entry_is_sound.sql
create or replace function app.ledger_entry_is_sound(p_entry public.session_ledger) returns boolean
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  return p_entry.entry_type in ('booking', 'manual', 'release', 'adjustment', 'opening')
     and p_entry.sessions_used_after >= 0
     and (p_entry.total_delta = 0 or p_entry.entry_type = 'adjustment')
     and (p_entry.delta <> 0 or p_entry.total_delta <> 0
          or (p_entry.entry_type = 'release' and p_entry.booking_id is not null))
     -- A booking's entries are numbered 1, 2, 3 … and alternate: taken, given back, taken again. So whatever writes them,
     -- a booking has taken either one session or none. What a correction by hand gave back before moves nothing.
     and ((p_entry.booking_id is null and p_entry.booking_seq is null)
          or (p_entry.booking_seq >= 1
              and case when p_entry.booking_seq % 2 = 1 then p_entry.delta = 1 else p_entry.delta in (-1, 0) end));
end;
$$;
comment on function app.ledger_entry_is_sound(public.session_ledger) is
  'The check of session_ledger: each entry moves something, in the way its type may, and a booking''s entries alternate between '
  'taken (odd booking_seq, +1) and given back (even, -1 or 0). A function, since Postgres reads the text of an ordinary check anew '
  'in each statement: five of them took a fifth of using a session.';
revoke all on function app.ledger_entry_is_sound(public.session_ledger) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/ledger_entry_is_sound.sql

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
comment on function app.refuse_ledger_change() is
  'The session ledger is append-only, for everyone; it goes only with its org. And only a change of a pack''s counter adds to it.';
revoke all on function app.refuse_ledger_change() from public, anon, authenticated, service_role;

create or replace trigger session_ledger_append_only
  before update or delete on public.session_ledger
  for each row execute function app.refuse_ledger_change();
create or replace trigger session_ledger_no_truncate
  before truncate on public.session_ledger
  for each statement execute function app.refuse_ledger_change();
-- An entry written by hand would explain a change that never was. Depth 0: not from within app.write_ledger_entry().
create or replace trigger session_ledger_by_counter_only
  before insert on public.session_ledger
  for each row when (pg_trigger_depth() = 0) execute function app.refuse_ledger_change();
-- <<< functions_sql/sessions/refuse_ledger_change.sql

-- >>> functions_sql/sessions/release_session.sql
create or replace function app.release_session(p_purchase_id uuid, p_booking_id uuid default null) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_used integer;
  v_cause text;
begin
  if p_booking_id is not null then
    perform from public.bookings as b where b.id = p_booking_id and app.acts_for_org(b.org_id) for no key update;
    if not found or app.paid_by(p_booking_id) <> p_purchase_id then
      return -1;
    end if;
    return app.give_back_session(p_booking_id, 'manual');
  end if;
  v_cause := app.explain_counter('release');
  update public.client_purchases as p
     set sessions_used = p.sessions_used - 1
   where p.id = p_purchase_id and p.sessions_used > 0 and app.acts_for_org(p.org_id)
  returning p.sessions_used into v_used;
  if not found then
    v_cause := app.explain_counter();
    return -1;
  end if;
  return v_used;
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
  'Gives one session back to a pack; with a booking, the one that booking took from it (with a null pack: from '
  'whichever it took it). Returns the new sessions_used, or -1 when there is nothing to give back.';
revoke all on function public.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.release_session(uuid, uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/release_session.sql

-- >>> functions_sql/sessions/take_session.sql
create or replace function app.take_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_at timestamptz default now(), p_for_caller boolean default false
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
  v_org_id uuid;
  v_client_id uuid;
  v_status text;
  v_forfeited boolean;
  v_uncovered text;
  v_seq integer;
  v_cause text;
  v_problem text;
begin
  -- Lock order everywhere: booking, then purchase. Never `for update`: foreign keys share these rows.
  if p_booking_id is not null then
    select b.org_id, b.client_id, b.status, b.forfeited, b.uncovered_reason
      into v_org_id, v_client_id, v_status, v_forfeited, v_uncovered
      from public.bookings as b
     where b.id = p_booking_id and (not p_for_caller or app.acts_for_org(b.org_id))
       for no key update;
    if not found then
      return 'booking_not_found';
    end if;
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
    if v_seq % 2 = 1 then
      return case when exists (select from public.client_purchases as p where p.id = p_purchase_id and p.org_id = v_org_id)
                  then null else 'pack_not_found' end;  -- this booking has its session already
    elsif v_status in ('cancelled', 'no_show') and not v_forfeited then
      return 'booking_not_charged';
    end if;
  end if;
  loop
    v_cause := app.explain_counter(case when p_booking_id is null then 'manual' else 'booking' end,
                                   p_booking_id, v_seq + 1, app.charge_reason(v_status));
    -- Check and change are one statement; from here on all others who want this pack wait, until commit.
    update public.client_purchases as p
       set sessions_used = p.sessions_used + 1
     where p.id = p_purchase_id
       and (p.org_id = v_org_id or p_booking_id is null)
       and p.sessions_remaining > 0
       and app.pack_problem(p, v_client_id, p_at) is null;
    exit when found;
    v_cause := app.explain_counter();
    select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for no key update;
    if not found or v_purchase.org_id <> v_org_id then
      return 'pack_not_found';
    end if;
    v_problem := app.pack_problem(v_purchase, v_client_id, p_at);
    if v_problem is null and coalesce(v_purchase.sessions_remaining, 0) <= 0 then
      v_problem := 'no_session_left';
    end if;
    if v_problem is not null then
      return v_problem;
    end if;
    -- Somebody has just paid it or given a session back: once more, and now the pack is locked.
  end loop;
  -- Whoever pays for it, the booking is covered from here on: app.settle_booking() looks again. It may be who asks.
  if v_uncovered is not null and pg_trigger_depth() = 0 then
    update public.bookings as b set forfeited = b.forfeited where b.id = p_booking_id;
  end if;
  return null;
end;
$$;
comment on function app.take_session(uuid, uuid, timestamptz, boolean) is
  'Takes one session from a pack, for a booking once and never twice; whoever pays for it, the booking is covered from then '
  'on. Null: taken, now or before. Else why not: booking_not_found, pack_not_found (in the booking''s org), '
  'booking_not_charged (called off), no_session_left, or one of app.pack_problem() at the instant p_at. With p_for_caller '
  'a booking of an org that the caller does not act for is not found; else it asks nobody who they are.';
revoke all on function app.take_session(uuid, uuid, timestamptz, boolean) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/take_session.sql

-- >>> functions_sql/sessions/use_session.sql
create or replace function app.use_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_booking_id is null then
    -- A purchase of another org looks like one that does not exist.
    perform from public.client_purchases as p where p.id = p_purchase_id and app.acts_for_org(p.org_id);
    if not found then
      return false;
    end if;
    if app.take_completion_credit(p_purchase_id, p_now) then
      return true;
    end if;
  end if;
  return app.take_session(p_purchase_id, p_booking_id, p_now, true) is null;
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

-- >>> functions_sql/sessions/write_ledger_entry.sql
create or replace function app.write_ledger_entry() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_delta integer := new.sessions_used - case when tg_op = 'INSERT' then 0 else old.sessions_used end;
  v_total_delta integer := case when tg_op = 'INSERT' then 0
                                else coalesce(new.sessions_total, 0) - coalesce(old.sessions_total, 0) end;
  -- Entry type, booking, number of the booking's entry, reason: set by app.explain_counter(), empty after a direct write.
  v_cause text[] := string_to_array(current_setting('coach_os.counter_cause', true), '|', '');
  v_used_up text;
begin
  if v_cause[1] is null then
    if v_delta = 0 and v_total_delta = 0 then
      return null;
    end if;
    -- What was never paid or used is still being written down: a coach may correct it, and delete it.
    if v_delta = 0 and tg_op = 'UPDATE' and new.payment_status in ('pending', 'failed')
       and old.payment_status in ('pending', 'failed')
       and not exists (select from public.session_ledger as l where l.purchase_id = new.id) then
      return null;
    end if;
    v_cause[1] := case when tg_op = 'INSERT' then 'opening' else 'adjustment' end;
  end if;
  v_used_up := set_config('coach_os.counter_cause', '', true);
  insert into public.session_ledger (
    org_id, purchase_id, booking_id, entry_type, delta, total_delta, sessions_used_after, booking_seq, actor_id, reason
  ) values (
    new.org_id, new.id, v_cause[2]::uuid, v_cause[1], v_delta, v_total_delta, new.sessions_used, v_cause[3]::integer,
    auth.uid(), v_cause[4]
  );
  return null;
end;
$$;
comment on function app.write_ledger_entry() is
  'Every change of a pack''s sessions_used or sessions_total, through any door, becomes one ledger entry with its actor; '
  'nothing else writes entries, so the counter is always their sum. A change that no function of ours explains '
  '(app.explain_counter) is an adjustment. No entry: the total of a pack that was never paid and has none.';
revoke all on function app.write_ledger_entry() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_write_ledger_entry
  after insert or update of sessions_used, sessions_total on public.client_purchases
  for each row execute function app.write_ledger_entry();
-- <<< functions_sql/sessions/write_ledger_entry.sql
