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
  -- This waits for nobody: a booking, a pack or an org that somebody is changing at this moment is left for the next call. So
  -- a transaction that hangs holds up what it holds, not every org's bookings, and no two callers ever deadlock.
  select array_agg(d.id) into v_due
    from (
      select b.id
        from public.bookings as b
       where b.status = 'confirmed' and b.end_time <= p_now
       order by b.end_time, b.id
       limit p_limit
         for no key update skip locked
    ) as d;
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
