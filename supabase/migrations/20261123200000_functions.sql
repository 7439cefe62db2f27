-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

-- >>> functions_sql/bookings/book_for_client.sql
create or replace function app.book_for_client(
  p_client public.clients, p_start timestamptz, p_purchase_id uuid, p_offer_id uuid, p_notes text, p_now timestamptz
) returns public.bookings
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_purchase public.client_purchases;
  v_offer public.offers;
begin
  -- The lock that app.guard_booking() takes, taken before looking: what is free now is free when this commits.
  perform from public.orgs as o where o.id = p_client.org_id for no key update;
  select b.* into v_booking
    from public.bookings as b
   where b.client_id = p_client.id and b.start_time = p_start and b.booking_source = 'client'
     and b.status in ('pending', 'confirmed');
  if found then
    return v_booking;  -- asked for twice: a second click, or an answer that never arrived
  end if;
  if p_offer_id is not null then
    v_offer := app.offer_on_sale(p_client.org_id, p_offer_id);
  end if;
  v_purchase := app.pack_to_book(p_client, p_purchase_id, p_start, p_now);
  if v_purchase.id is null and p_purchase_id is not null then
    perform app.raise_booking_problem('pack_not_the_clients');
  elsif v_purchase.id is null and v_offer.id is null then
    perform app.raise_booking_problem('no_session_left');
  end if;
  return app.place_booking(p_client, p_start, v_purchase, v_offer, p_notes, p_now);
end;
$$;
comment on function app.book_for_client(public.clients, timestamptz, uuid, uuid, text, timestamptz) is
  'Books a session for a client at their own wish, by the org''s rules at the instant p_now: confirmed on a pack (the '
  'one given, else their bookable one that expires first), or, with an offer and no pack, pending until the coach '
  'accepts. Asked for again it returns the booking that is there. Raises the codes of app.raise_booking_problem(), '
  'PT404 offer_not_found, PT400 notes_too_long.';
revoke all on function app.book_for_client(public.clients, timestamptz, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/book_for_client.sql

-- >>> functions_sql/bookings/book_my_session.sql
create or replace function app.book_my_session(
  p_start timestamptz, p_purchase_id uuid, p_offer_id uuid, p_notes text, p_now timestamptz
) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(
    app.book_for_client(app.client_of_me(), p_start, p_purchase_id, p_offer_id, p_notes, p_now)
  );
$$;
comment on function app.book_my_session(timestamptz, uuid, uuid, text, timestamptz) is
  'What public.book_my_session() promises, at the instant p_now.';
revoke all on function app.book_my_session(timestamptz, uuid, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.book_my_session(timestamptz, uuid, uuid, text, timestamptz) to authenticated;

create or replace function public.book_my_session(
  p_start timestamptz, p_purchase_id uuid default null, p_offer_id uuid default null, p_notes text default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.book_my_session(p_start, p_purchase_id, p_offer_id, p_notes, now());
end;
comment on function public.book_my_session(timestamptz, uuid, uuid, text) is
  'Books a session for the signed-in client: confirmed on a pack, or, with an offer and no pack, pending until the '
  'coach accepts it. Returns it as the app shows it. Safe to call twice. Errors as portal_book(); PT403 not_a_client, '
  'PT404 offer_not_found, PT400 notes_too_long.';
revoke all on function public.book_my_session(timestamptz, uuid, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.book_my_session(timestamptz, uuid, uuid, text) to authenticated;
-- <<< functions_sql/bookings/book_my_session.sql

-- >>> functions_sql/bookings/booking_for_client.sql
create or replace function app.booking_for_client(p_booking public.bookings) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object(
    'id', p_booking.id, 'start_time', p_booking.start_time, 'end_time', p_booking.end_time,
    'duration_mins', p_booking.duration_mins, 'status', p_booking.status, 'session_type', p_booking.session_type,
    'location_type', p_booking.location_type, 'location_details', p_booking.location_details,
    'client_confirmed', coalesce(p_booking.client_confirmed, false), 'forfeited', p_booking.forfeited,
    'purchase_id', p_booking.purchase_id
  );
$$;
comment on function app.booking_for_client(public.bookings) is
  'A booking as its client may see it: nothing of the coach''s notes.';
revoke all on function app.booking_for_client(public.bookings) from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/booking_for_client.sql

-- >>> functions_sql/bookings/booking_page.sql
create or replace function app.booking_page(p_slug text) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
begin
  return jsonb_build_object(
    'org', app.org_for_visitor(v_org.id),
    'settings', (
      select jsonb_build_object('allow_client_booking', coalesce(s.allow_client_booking, true),
                                'max_advance_days', coalesce(s.max_advance_days, 30))
        from public.booking_settings as s where s.org_id = v_org.id
    ),
    'offers', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'id', o.id, 'name', o.name, 'description', o.description, 'offer_type', o.offer_type,
               'price_cents', o.price_cents, 'currency', o.currency, 'billing_period', o.billing_period,
               'sessions_included', o.sessions_included, 'bonus_sessions', o.bonus_sessions,
               'session_duration_mins', o.session_duration_mins, 'included_items', o.included_items,
               'is_featured', o.is_featured
             ) order by o.sort_order, o.name), '[]')
        from public.offers as o where o.org_id = v_org.id and o.is_active
    )
  );
end;
$$;
comment on function app.booking_page(text) is 'What public.booking_page() promises.';
revoke all on function app.booking_page(text) from public, anon, authenticated, service_role;
grant execute on function app.booking_page(text) to anon, authenticated, service_role;

create or replace function public.booking_page(p_slug text) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.booking_page(p_slug);
end;
comment on function public.booking_page(text) is
  'What the public booking page of an org shows: org (name, timezone, display_name, primary_color, logo_url), settings '
  '(allow_client_booking, max_advance_days), offers (the active ones; prices in the currency''s smallest unit). PT404 '
  'page_not_found.';
revoke all on function public.booking_page(text) from public, anon, authenticated, service_role;
grant execute on function public.booking_page(text) to anon, authenticated, service_role;
-- <<< functions_sql/bookings/booking_page.sql

-- >>> functions_sql/bookings/booking_page_slots.sql
create or replace function app.booking_page_slots(
  p_slug text, p_from date, p_to date, p_offer_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
  v_offer public.offers;
begin
  select o.* into v_offer
    from public.offers as o where o.id = p_offer_id and o.org_id = v_org.id and o.is_active;
  return query
  select s.slot_start, s.slot_end
    from app.free_slots(v_org.id, p_from, p_to, app.session_mins(v_org.id, null, v_offer), p_now) as s;
end;
$$;
comment on function app.booking_page_slots(text, date, date, uuid, timestamptz) is
  'What public.booking_page_slots() promises, at the instant p_now.';
revoke all on function app.booking_page_slots(text, date, date, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.booking_page_slots(text, date, date, uuid, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.booking_page_slots(
  p_slug text, p_from date, p_to date, p_offer_id uuid default null
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select s.slot_start, s.slot_end from app.booking_page_slots(p_slug, p_from, p_to, p_offer_id, now()) as s;
end;
comment on function public.booking_page_slots(text, date, date, uuid) is
  'The times a visitor of the public booking page can ask for on the org''s dates p_from to p_to (at most 32 days), for '
  'a session as long as the offer says. PT404 page_not_found.';
revoke all on function public.booking_page_slots(text, date, date, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.booking_page_slots(text, date, date, uuid) to anon, authenticated, service_role;
-- <<< functions_sql/bookings/booking_page_slots.sql

-- >>> functions_sql/bookings/busy_time.sql
create or replace function app.busy_time(
  p_org_id uuid, p_from timestamptz, p_to timestamptz, p_exclude_booking_id uuid default null
) returns tstzmultirange
  language sql stable security definer set search_path = ''
as $$
  select coalesce(range_agg(tstzrange(b.start_time - s.buffer, b.end_time + s.buffer)), '{}')
    from (
      select make_interval(mins => coalesce(
               (select s.buffer_between_mins from public.booking_settings as s where s.org_id = p_org_id), 0
             )) as buffer
    ) as s
    join public.bookings as b
      on b.org_id = p_org_id
     and b.status in ('pending', 'confirmed', 'completed')
     -- A booking lasts a day at most, so the index on the start finds all that reach into the range.
     and b.start_time > p_from - s.buffer - interval '24 hours'
     and b.start_time < p_to + s.buffer
     and b.end_time > p_from - s.buffer
     and b.id is distinct from p_exclude_booking_id;
$$;
comment on function app.busy_time(uuid, timestamptz, timestamptz, uuid) is
  'When an org is taken within [p_from, p_to): its bookings but for those cancelled or not shown up to, each with the '
  'org''s buffer before and after.';
revoke all on function app.busy_time(uuid, timestamptz, timestamptz, uuid)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/busy_time.sql

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
  -- The dates that four digits can say; and never a range without an end.
  if p_anchor is null or p_anchor not between date '0001-01-01' and date '9999-12-31' then
    raise exception using errcode = 'PT400', message = 'anchor_invalid',
      hint = 'p_anchor is a date of the range, from the year 1 to 9999.';
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
  range_start := app.day_start(v_first, p_timezone);
  range_end := app.day_start(v_after, p_timezone);
  return next;
end;
$$;
comment on function app.calendar_range(text, date, text, integer) is
  'The instants [range_start, range_end) of the local day, week or month that holds p_anchor, in an IANA zone; a '
  'day starts at its date''s first instant (app.day_start). Errors: PT400 view_invalid, PT400 week_start_invalid, '
  'PT400 anchor_invalid, PT400 timezone_unknown.';
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

-- >>> functions_sql/bookings/cancel_for_client.sql
create or replace function app.cancel_for_client(p_client public.clients, p_booking_id uuid, p_now timestamptz)
  returns public.bookings
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_settings public.booking_settings;
  v_problem text;
begin
  select b.* into v_booking
    from public.bookings as b where b.id = p_booking_id and b.client_id = p_client.id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'booking_not_found', hint = 'Choose one of the bookings shown.';
  end if;
  if v_booking.status = 'cancelled' then
    return v_booking;  -- asked for twice
  end if;
  select s.* into v_settings from public.booking_settings as s where s.org_id = p_client.org_id;
  v_problem := case when v_booking.status in ('pending', 'confirmed')
                    then app.cancel_problem(v_booking, v_settings, p_now) else 'booking_is_over' end;
  if v_problem is not null and not (v_problem = 'cancel_too_late' and v_settings.late_cancel = 'charge') then
    perform app.raise_booking_problem(v_problem);
  end if;
  update public.bookings as b
     set status = 'cancelled', cancelled_at = p_now, cancelled_by = auth.uid(), forfeited = v_problem is not null
   where b.id = p_booking_id
  returning b.* into v_booking;
  return v_booking;
end;
$$;
comment on function app.cancel_for_client(public.clients, uuid, timestamptz) is
  'Cancels a client''s booking at their own wish, by the org''s rules at the instant p_now (app.cancel_problem); too '
  'late it is refused or, where the org says so, charged. Asked for again it returns the cancelled booking. PT404 '
  'booking_not_found.';
revoke all on function app.cancel_for_client(public.clients, uuid, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/cancel_for_client.sql

-- >>> functions_sql/bookings/cancel_my_booking.sql
create or replace function app.cancel_my_booking(p_booking_id uuid, p_now timestamptz) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(app.cancel_for_client(app.client_of_me(), p_booking_id, p_now));
$$;
comment on function app.cancel_my_booking(uuid, timestamptz) is
  'What public.cancel_my_booking() promises, at the instant p_now.';
revoke all on function app.cancel_my_booking(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.cancel_my_booking(uuid, timestamptz) to authenticated;

create or replace function public.cancel_my_booking(p_booking_id uuid) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.cancel_my_booking(p_booking_id, now());
end;
comment on function public.cancel_my_booking(uuid) is
  'Cancels a booking of the signed-in client and returns it as the app shows it. Safe to call twice. PT403 '
  'not_a_client, client_cancel_off; PT404 booking_not_found; PT409 cancel_too_late, booking_is_over.';
revoke all on function public.cancel_my_booking(uuid) from public, anon, authenticated, service_role;
grant execute on function public.cancel_my_booking(uuid) to authenticated;
-- <<< functions_sql/bookings/cancel_my_booking.sql

-- >>> functions_sql/bookings/cancel_problem.sql
create or replace function app.cancel_problem(
  p_booking public.bookings, p_settings public.booking_settings, p_now timestamptz
) returns text
  language sql immutable security invoker set search_path = ''
as $$
  select case
    when p_booking.start_time <= p_now then 'booking_is_over'
    when p_settings.allow_client_cancel is false or p_settings.org_id is null then 'client_cancel_off'
    when p_booking.start_time < p_now + make_interval(hours => coalesce(p_settings.cancel_notice_hours, 24))
      then 'cancel_too_late'
  end;
$$;
comment on function app.cancel_problem(public.bookings, public.booking_settings, timestamptz) is
  'Why a client may not cancel or move this booking at the instant p_now, or null: booking_is_over, client_cancel_off, '
  'cancel_too_late (less than cancel_notice_hours before the start).';
revoke all on function app.cancel_problem(public.bookings, public.booking_settings, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/cancel_problem.sql

-- >>> functions_sql/bookings/complete_past_bookings.sql
create or replace function app.complete_past_bookings(
  p_now timestamptz default now(), p_limit integer default 500
) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_due uuid[];
  v_packs uuid[];
  v_short uuid[];
  v_completed integer;
  v_id uuid;
begin
  -- This waits for nobody: a booking, or a pack, that somebody is changing at this moment is left for the next call. So
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

-- >>> functions_sql/bookings/free_slots.sql
create or replace function app.free_slots(
  p_org_id uuid, p_from date, p_to date, p_duration_mins integer, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_timezone text;
  v_settings public.booking_settings;
  v_length interval := make_interval(mins => p_duration_mins);
  v_last date := least(p_to, p_from + 31);
  v_free tstzmultirange;
begin
  select o.timezone into v_timezone from public.orgs as o where o.id = p_org_id;
  select s.* into v_settings from public.booking_settings as s where s.org_id = p_org_id;
  if v_settings.org_id is null or v_settings.allow_client_booking is false or p_duration_mins not between 1 and 1440
     or not isfinite(p_from) then
    return;
  end if;
  -- A slot may begin on the last day and end a day later, or two, when the day between has 23 hours.
  v_free := app.open_time(p_org_id, p_from, v_last + 2);
  if isempty(v_free) then
    return;
  end if;
  v_free := v_free - app.busy_time(p_org_id, lower(v_free), upper(v_free));
  return query
  select g.starts, g.starts + v_length
    -- Quarters of an hour of elapsed time within each free stretch; no zone changes its clocks by less.
    from unnest(v_free) as f (stretch),
         generate_series(
           date_bin('15 minutes', lower(f.stretch) + interval '15 minutes' - interval '1 microsecond',
                    timestamptz '2000-01-01 00:00Z'),
           upper(f.stretch) - v_length, interval '15 minutes'
         ) as g (starts)
   where (g.starts at time zone v_timezone)::date between p_from and v_last
     and app.notice_problem(g.starts, v_settings, v_timezone, p_now) is null
   order by g.starts;
end;
$$;
comment on function app.free_slots(uuid, date, date, integer, timestamptz) is
  'The times a client could book at the instant p_now, on the local dates p_from to p_to (at most 32 days): every '
  'quarter of an hour at which a session of p_duration_mins fits. Just those that app.slot_problem() lets through.';
revoke all on function app.free_slots(uuid, date, date, integer, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/free_slots.sql

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
  if tg_op = 'UPDATE' and (new.purchase_id is distinct from old.purchase_id
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

-- >>> functions_sql/bookings/is_slot_available.sql
create or replace function app.is_slot_available(
  p_org_id uuid, p_start_time timestamptz, p_end_time timestamptz, p_exclude_booking_id uuid, p_now timestamptz
) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select app.acts_for_org(p_org_id)
     and app.slot_problem(p_org_id, p_start_time, p_end_time, p_exclude_booking_id, p_now) is null;
$$;
comment on function app.is_slot_available(uuid, timestamptz, timestamptz, uuid, timestamptz) is
  'What public.is_slot_available() promises, at the instant p_now.';
revoke all on function app.is_slot_available(uuid, timestamptz, timestamptz, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.is_slot_available(uuid, timestamptz, timestamptz, uuid, timestamptz)
  to authenticated, service_role;

create or replace function public.is_slot_available(
  p_org_id uuid, p_start_time timestamptz, p_end_time timestamptz, p_exclude_booking_id uuid default null
) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_slot_available(p_org_id, p_start_time, p_end_time, p_exclude_booking_id, now());
end;
comment on function public.is_slot_available(uuid, timestamptz, timestamptz, uuid) is
  'Whether a client of the org could book this time now: the org''s switches, notice, opening hours, blocked times, '
  'bookings and buffers, all in its own zone (app.slot_problem). False also for an org that is not the caller''s.';
revoke all on function public.is_slot_available(uuid, timestamptz, timestamptz, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.is_slot_available(uuid, timestamptz, timestamptz, uuid) to authenticated, service_role;
-- <<< functions_sql/bookings/is_slot_available.sql

-- >>> functions_sql/bookings/my_bookings.sql
create or replace function app.my_bookings(p_from timestamptz) returns table (
  id uuid, start_time timestamptz, end_time timestamptz, duration_mins integer, status text, session_type text,
  location text, client_confirmed boolean, offer_name text
)
  language sql stable security definer set search_path = ''
as $$
  select b.id, b.start_time, b.end_time, b.duration_mins, b.status, b.session_type,
         coalesce(b.location_details, replace(b.location_type, '_', ' ')),  -- as the texts say it
         coalesce(b.client_confirmed, false), o.name
    from public.bookings as b
    left join public.offers as o on o.id = b.offer_id
   where b.client_id = any (array(select app.my_client_ids()))
     and (p_from is null or b.start_time >= p_from)
   order by b.start_time, b.id;
$$;
comment on function app.my_bookings(timestamptz) is 'What public.my_bookings() promises.';
revoke all on function app.my_bookings(timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.my_bookings(timestamptz) to authenticated;

create or replace function public.my_bookings(p_from timestamptz default null) returns table (
  id uuid, start_time timestamptz, end_time timestamptz, duration_mins integer, status text, session_type text,
  location text, client_confirmed boolean, offer_name text
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_bookings(p_from);
end;
comment on function public.my_bookings(timestamptz) is
  'Bookings of the client that the signed-in user is, in any status, from p_from on (null: all), earliest first. '
  'No row when the user is no client.';
revoke all on function public.my_bookings(timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.my_bookings(timestamptz) to authenticated;
-- <<< functions_sql/bookings/my_bookings.sql

-- >>> functions_sql/bookings/my_slots.sql
create or replace function app.my_slots(
  p_from date, p_to date, p_purchase_id uuid, p_offer_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security definer set search_path = ''
as $$
  select s.slot_start, s.slot_end
    from app.slots_for_client(app.client_of_me(), p_from, p_to, p_purchase_id, p_offer_id, p_now) as s;
$$;
comment on function app.my_slots(date, date, uuid, uuid, timestamptz) is
  'What public.my_slots() promises, at the instant p_now.';
revoke all on function app.my_slots(date, date, uuid, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.my_slots(date, date, uuid, uuid, timestamptz) to authenticated;

create or replace function public.my_slots(
  p_from date, p_to date, p_purchase_id uuid default null, p_offer_id uuid default null
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select s.slot_start, s.slot_end from app.my_slots(p_from, p_to, p_purchase_id, p_offer_id, now()) as s;
end;
comment on function public.my_slots(date, date, uuid, uuid) is
  'The times the signed-in client can book on the org''s dates p_from to p_to (at most 32 days), for a session as long '
  'as the pack (without one: that which book_my_session() would choose) or else the offer says. PT403 not_a_client.';
revoke all on function public.my_slots(date, date, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.my_slots(date, date, uuid, uuid) to authenticated;
-- <<< functions_sql/bookings/my_slots.sql

-- >>> functions_sql/bookings/notice_problem.sql
create or replace function app.notice_problem(
  p_start timestamptz, p_settings public.booking_settings, p_timezone text, p_now timestamptz
) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_local timestamp := p_start at time zone p_timezone;
begin
  if p_start <= p_now then
    return 'slot_in_past';
  end if;
  if v_local::date - (p_now at time zone p_timezone)::date > coalesce(p_settings.max_advance_days, 30) then
    return 'slot_too_far_ahead';
  end if;
  -- min_notice_hours decides nothing: the existing screens write it and go by these.
  if p_start < p_now + make_interval(hours => coalesce(p_settings.late_notice_hours, 2)) then
    return 'slot_too_soon';
  end if;
  if extract(hour from v_local) < coalesce(p_settings.early_cutoff_before_hour, 9)
     and p_now > app.local_to_instant(
       v_local::date - 1 + coalesce(p_settings.early_cutoff_time, '20:00')::time, p_timezone
     ) then
    return 'slot_too_soon';
  end if;
  return null;
end;
$$;
comment on function app.notice_problem(timestamptz, public.booking_settings, text, timestamptz) is
  'Why a client may not book a session that starts at p_start, at the instant p_now, or null: slot_in_past; '
  'slot_too_far_ahead (max_advance_days, local dates); slot_too_soon (late_notice_hours before; for a start before '
  'early_cutoff_before_hour also early_cutoff_time of the day before, both in the org''s time).';
revoke all on function app.notice_problem(timestamptz, public.booking_settings, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/notice_problem.sql

-- >>> functions_sql/bookings/offer_on_sale.sql
create or replace function app.offer_on_sale(p_org_id uuid, p_offer_id uuid) returns public.offers
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_offer public.offers;
begin
  select o.* into v_offer
    from public.offers as o where o.id = p_offer_id and o.org_id = p_org_id and o.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose one of the offers shown.';
  end if;
  return v_offer;
end;
$$;
comment on function app.offer_on_sale(uuid, uuid) is 'An active offer of this org. PT404 offer_not_found.';
revoke all on function app.offer_on_sale(uuid, uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/offer_on_sale.sql

-- >>> functions_sql/bookings/open_time.sql
create or replace function app.open_time(p_org_id uuid, p_from date, p_to date) returns tstzmultirange
  language sql stable security definer set search_path = ''
as $$
  with days as (
    select d.day::date as day, extract(dow from d.day)::integer as dow, e.starts, e.ends, e.utc_offset
      from public.orgs as o,
           generate_series(p_from::timestamp, p_to::timestamp, interval '1 day') as d (day),
           app.even_time(d.day::date, o.timezone) as e
     where o.id = p_org_id
  ),
  hours as (
    select a.specific_date as day, a.day_of_week as dow, a.start_time, a.end_time, a.is_available
      from public.availability as a
     where a.org_id = p_org_id and (a.specific_date is null or a.specific_date between p_from and p_to)
  ),
  windows as (
    select true as opens, d, h.start_time, h.end_time
      from days as d
      join hours as h
        on h.is_available
       -- Hours given for one date stand in place of the weekday's.
       and (h.day = d.day
            or (h.day is null and h.dow = d.dow and not exists (select from hours as s where s.day = d.day)))
    union all
    select false, d, b.start_time, b.end_time
      from days as d
      join public.blocked_times as b
        on b.org_id = p_org_id and (b.date is null or b.date between p_from and p_to)
       and (b.date = d.day or b.day_of_week = d.dow)
  ),
  -- By the clock on the wall: hours that a change of clocks skips are not there, those it repeats are there twice.
  spans as (
    select w.opens,
           tstzrange(((w.d).day + w.start_time - (w.d).utc_offset) at time zone 'UTC',
                     ((w.d).day + w.end_time - (w.d).utc_offset) at time zone 'UTC')
             * tstzrange((w.d).starts, (w.d).ends) as span
      from windows as w
  )
  select coalesce(range_agg(s.span) filter (where s.opens), '{}')
       - coalesce(range_agg(s.span) filter (where not s.opens), '{}')
    from spans as s;
$$;
comment on function app.open_time(uuid, date, date) is
  'When an org can be booked on the local dates p_from to p_to (inclusive): its availability less its blocked times, '
  'bookings not considered. Times of day are the org''s.';
revoke all on function app.open_time(uuid, date, date) from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/open_time.sql

-- >>> functions_sql/bookings/org_of_booking_page.sql
create or replace function app.org_of_booking_page(p_slug text) returns public.orgs
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org public.orgs;
begin
  select o.* into v_org from public.orgs as o where o.slug = lower(btrim(p_slug));
  if not found then
    raise exception using errcode = 'PT404', message = 'page_not_found', hint = 'Check the address of the page.';
  end if;
  return v_org;
end;
$$;
comment on function app.org_of_booking_page(text) is
  'The org whose public booking page has this slug; exactly, without wildcards. PT404 page_not_found.';
revoke all on function app.org_of_booking_page(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/org_of_booking_page.sql

-- >>> functions_sql/bookings/pack_to_book.sql
create or replace function app.pack_to_book(
  p_client public.clients, p_purchase_id uuid, p_start timestamptz, p_now timestamptz
) returns public.client_purchases
  language sql stable security definer set search_path = ''
as $$
  select p
    from public.client_purchases as p
   where p.client_id = p_client.id
     and (p.id = p_purchase_id
          or (p_purchase_id is null
              and app.pack_problem(p, p_client.id, p_start) is null
              and app.bookable_sessions_remaining(p.id, p_now) > 0))
   order by p.expires_at nulls last, p.purchased_at, p.id
   limit 1;
$$;
comment on function app.pack_to_book(public.clients, uuid, timestamptz, timestamptz) is
  'The pack on which a client books a session at p_start: the one asked for, if it is theirs, else, of those bookable '
  'at the instant p_now, the one that expires first. Null: none.';
revoke all on function app.pack_to_book(public.clients, uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/pack_to_book.sql

-- >>> functions_sql/bookings/place_booking.sql
create or replace function app.place_booking(
  p_client public.clients, p_start timestamptz, p_purchase public.client_purchases, p_offer public.offers,
  p_notes text, p_now timestamptz
) returns public.bookings
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_mins integer := app.session_mins(p_client.org_id, p_purchase, p_offer);
  v_problem text;
begin
  if length(p_notes) > 2000 then
    raise exception using errcode = 'PT400', message = 'notes_too_long',
      hint = 'Keep the notes within 2000 characters.';
  end if;
  v_problem := app.slot_problem(p_client.org_id, p_start, p_start + make_interval(mins => v_mins), null, p_now);
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
  insert into public.bookings (
    org_id, client_id, start_time, end_time, duration_mins, purchase_id, offer_id, status, booking_source, booked_by,
    client_notes
  )
  values (
    p_client.org_id, p_client.id, p_start, p_start + make_interval(mins => v_mins), v_mins, p_purchase.id, p_offer.id,
    -- Without a pack nothing is paid yet: the coach accepts it, or not.
    case when p_purchase.id is null then 'pending' else 'confirmed' end, 'client', auth.uid(),
    nullif(btrim(p_notes), '')
  )
  returning * into v_booking;
  return v_booking;
end;
$$;
comment on function app.place_booking(
  public.clients, timestamptz, public.client_purchases, public.offers, text, timestamptz
) is
  'Puts a client''s own booking into the calendar when the time is free (app.slot_problem at the instant p_now): '
  'confirmed on a pack, pending without one. The caller holds the org''s row (app.guard_booking).';
revoke all on function app.place_booking(
  public.clients, timestamptz, public.client_purchases, public.offers, text, timestamptz
) from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/place_booking.sql

-- >>> functions_sql/bookings/portal_book.sql
create or replace function app.portal_book(p_token uuid, p_start timestamptz, p_purchase_id uuid, p_now timestamptz)
  returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(
    app.book_for_client(app.client_of_portal(p_token), p_start, p_purchase_id, null, null, p_now)
  );
$$;
comment on function app.portal_book(uuid, timestamptz, uuid, timestamptz) is
  'What public.portal_book() promises, at the instant p_now.';
revoke all on function app.portal_book(uuid, timestamptz, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.portal_book(uuid, timestamptz, uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_book(p_token uuid, p_start timestamptz, p_purchase_id uuid default null)
  returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.portal_book(p_token, p_start, p_purchase_id, now());
end;
comment on function public.portal_book(uuid, timestamptz, uuid) is
  'Books a session for the holder of a portal link on one of their packs (without one: the bookable pack that expires '
  'first) and returns it as the portal shows it. Safe to call twice. PT404 token_not_found; PT409 slot_taken, '
  'slot_not_open, slot_too_soon, slot_too_far_ahead, slot_in_past, no_session_left, pack_…; PT403 client_booking_off.';
revoke all on function public.portal_book(uuid, timestamptz, uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_book(uuid, timestamptz, uuid) to anon, authenticated, service_role;
-- <<< functions_sql/bookings/portal_book.sql

-- >>> functions_sql/bookings/portal_cancel.sql
create or replace function app.portal_cancel(p_token uuid, p_booking_id uuid, p_now timestamptz) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select app.booking_for_client(app.cancel_for_client(app.client_of_portal(p_token), p_booking_id, p_now));
$$;
comment on function app.portal_cancel(uuid, uuid, timestamptz) is
  'What public.portal_cancel() promises, at the instant p_now.';
revoke all on function app.portal_cancel(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.portal_cancel(uuid, uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_cancel(p_token uuid, p_booking_id uuid) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.portal_cancel(p_token, p_booking_id, now());
end;
comment on function public.portal_cancel(uuid, uuid) is
  'Cancels a booking of the holder of a portal link and returns it as the portal shows it. Safe to call twice. PT404 '
  'token_not_found, booking_not_found; PT403 client_cancel_off; PT409 cancel_too_late, booking_is_over.';
revoke all on function public.portal_cancel(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_cancel(uuid, uuid) to anon, authenticated, service_role;
-- <<< functions_sql/bookings/portal_cancel.sql

-- >>> functions_sql/bookings/portal_slots.sql
create or replace function app.portal_slots(
  p_token uuid, p_from date, p_to date, p_purchase_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security definer set search_path = ''
as $$
  select s.slot_start, s.slot_end
    from app.slots_for_client(app.client_of_portal(p_token), p_from, p_to, p_purchase_id, null, p_now) as s;
$$;
comment on function app.portal_slots(uuid, date, date, uuid, timestamptz) is
  'What public.portal_slots() promises, at the instant p_now.';
revoke all on function app.portal_slots(uuid, date, date, uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.portal_slots(uuid, date, date, uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_slots(p_token uuid, p_from date, p_to date, p_purchase_id uuid default null)
  returns table (slot_start timestamptz, slot_end timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select s.slot_start, s.slot_end from app.portal_slots(p_token, p_from, p_to, p_purchase_id, now()) as s;
end;
comment on function public.portal_slots(uuid, date, date, uuid) is
  'The times the holder of a portal link can book on the org''s dates p_from to p_to (at most 32 days), for a session '
  'as long as the pack says (without one: the pack that portal_book() would choose). PT404 token_not_found.';
revoke all on function public.portal_slots(uuid, date, date, uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_slots(uuid, date, date, uuid) to anon, authenticated, service_role;
-- <<< functions_sql/bookings/portal_slots.sql

-- >>> functions_sql/bookings/raise_booking_problem.sql
create or replace function app.raise_booking_problem(p_code text) returns void
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  raise exception using
    errcode = case p_code
      when 'slot_invalid' then 'PT400'
      when 'client_booking_off' then 'PT403'
      when 'client_cancel_off' then 'PT403'
      else 'PT409'
    end,
    message = p_code,
    hint = case p_code
      when 'slot_invalid' then 'Give a start and a later end, at most a day apart.'
      when 'client_booking_off' then 'Ask the coach: this business does not take bookings online.'
      when 'client_cancel_off' then 'Ask the coach to cancel: this business does not take cancellations online.'
      when 'slot_in_past' then 'Choose a time that has not begun.'
      when 'slot_too_far_ahead' then 'Choose an earlier date: bookings are not open that far ahead.'
      when 'slot_too_soon' then 'Choose a later time: this one needs more notice.'
      when 'slot_not_open' then 'Choose a time within the coach''s hours.'
      when 'slot_taken' then 'Choose another time: this one is taken.'
      when 'booking_is_over' then 'It has begun already; ask the coach.'
      when 'cancel_too_late' then 'It is too close to the session to change it online; ask the coach.'
      when 'booking_is_cancelled' then 'It was cancelled. If it took place after all, set it to confirmed first.'
      when 'pack_not_the_clients' then 'Choose a pack of this client.'
      when 'pack_unpaid' then 'Choose a paid pack, or record its payment first.'
      when 'pack_refunded' then 'Choose another pack: this one was refunded.'
      when 'pack_expired' then 'Choose a pack that is valid on that day, or extend this one.'
      when 'no_session_left' then 'The pack has no session left that is not booked already.'
    end;
end;
$$;
comment on function app.raise_booking_problem(text) is
  'Raises a booking''s problem as the error its caller sees: PT400, PT403 or PT409 with the code and what to do.';
revoke all on function app.raise_booking_problem(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/raise_booking_problem.sql

-- >>> functions_sql/bookings/request_session.sql
create or replace function app.request_session(
  p_slug text, p_start timestamptz, p_offer_id uuid, p_name text, p_email text, p_phone text, p_notes text,
  p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
  v_offer public.offers := app.offer_on_sale(v_org.id, p_offer_id);
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text := app.clean_phone(app.clean_text('phone', p_phone, 40));
  v_client public.clients;
  v_booking public.bookings;
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name.';
  end if;
  if v_email is null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Give an e-mail address.';
  end if;
  perform app.count_visitor(v_org.id, p_now);
  -- Taken before looking: a second click finds what the first one made.
  perform from public.orgs as o where o.id = v_org.id for no key update;
  select c.* into v_client
    from public.clients as c
   where c.org_id = v_org.id and lower(c.email) = lower(v_email)
   order by c.created_at, c.id
   limit 1;
  -- Only the same request, just made by the same signed-in user or by nobody who was, counts as this one: what else a
  -- client has booked is not told to whoever knows their e-mail address.
  select b.* into v_booking
    from public.bookings as b
   where b.client_id = v_client.id and b.start_time = p_start and b.status = 'pending'
     and b.offer_id = p_offer_id and b.purchase_id is null and b.booking_source = 'client'
     and b.booked_by is not distinct from auth.uid()
     and b.created_at > p_now - interval '10 minutes'
     and b.client_notes is not distinct from nullif(btrim(p_notes), '');
  if not found then
    -- Nobody proves here who they are: a request takes the time until the coach answers, so there are only so many. In
    -- all, not for each address: another limit for those who are clients would tell who is one.
    if (
         select count(*) >= 30
           from public.bookings as b
          where b.org_id = v_org.id and b.start_time > p_now and b.status = 'pending' and b.booking_source = 'client'
       ) then
      raise exception using errcode = 'PT429', message = 'too_many_requests',
        hint = 'Earlier requests wait for an answer; try again when the coach has answered.';
    end if;
    if v_client.id is null then
      insert into public.clients (org_id, full_name, email, phone, source)
      values (v_org.id, v_name, v_email, v_phone, 'online_booking')
      returning * into v_client;
    end if;
    v_booking := app.place_booking(v_client, p_start, null, v_offer, p_notes, p_now);
  end if;
  -- The same words for a client and a stranger: the page cannot be used to ask who is one.
  return jsonb_build_object('status', 'requested', 'start_time', v_booking.start_time, 'end_time', v_booking.end_time);
end;
$$;
comment on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz) is
  'What public.request_session() promises, at the instant p_now.';
revoke all on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.request_session(text, timestamptz, uuid, text, text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.request_session(
  p_slug text, p_start timestamptz, p_offer_id uuid, p_name text, p_email text, p_phone text default null,
  p_notes text default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.request_session(p_slug, p_start, p_offer_id, p_name, p_email, p_phone, p_notes, now());
end;
comment on function public.request_session(text, timestamptz, uuid, text, text, text, text) is
  'A visitor of the public booking page asks for a time: a pending booking, which takes the time until the coach '
  'accepts or cancels it, for the client with this e-mail address or a new one; the answer {status, start_time, '
  'end_time} is the same for both. Safe to call twice. PT404 page_not_found, offer_not_found; PT400 name_invalid, '
  'email_invalid, phone_invalid, notes_too_long; PT403 client_booking_off; PT409 slot_…; PT429 too_many_requests.';
revoke all on function public.request_session(text, timestamptz, uuid, text, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.request_session(text, timestamptz, uuid, text, text, text, text)
  to anon, authenticated, service_role;
-- <<< functions_sql/bookings/request_session.sql

-- >>> functions_sql/bookings/session_mins.sql
create or replace function app.session_mins(
  p_org_id uuid, p_purchase public.client_purchases, p_offer public.offers
) returns integer
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    p_purchase.session_duration_mins,
    (select o.session_duration_mins from public.offers as o where o.id = p_purchase.offer_id),
    p_offer.session_duration_mins,
    (select s.slot_duration_mins from public.booking_settings as s where s.org_id = p_org_id),
    60
  );
$$;
comment on function app.session_mins(uuid, public.client_purchases, public.offers) is
  'How many minutes a session lasts that a client books: as the pack says, its offer, the offer asked for, or the '
  'org''s slots; 60 when none does. Either row may be null.';
revoke all on function app.session_mins(uuid, public.client_purchases, public.offers)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/session_mins.sql

-- >>> functions_sql/bookings/slot_problem.sql
create or replace function app.slot_problem(
  p_org_id uuid, p_start timestamptz, p_end timestamptz, p_exclude_booking_id uuid default null,
  p_now timestamptz default now()
) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_timezone text;
  v_settings public.booking_settings;
  v_slot tstzrange;
  v_problem text;
begin
  select o.timezone into v_timezone from public.orgs as o where o.id = p_org_id;
  if not found or p_start is null or p_end is null or not isfinite(p_start) or not isfinite(p_end)
     or p_end <= p_start or p_end - p_start > interval '24 hours' then
    return 'slot_invalid';
  end if;
  select s.* into v_settings from public.booking_settings as s where s.org_id = p_org_id;
  if v_settings.org_id is null or v_settings.allow_client_booking is false then
    return 'client_booking_off';
  end if;
  v_problem := app.notice_problem(p_start, v_settings, v_timezone, p_now);
  if v_problem is not null then
    return v_problem;
  end if;
  v_slot := tstzrange(p_start, p_end);
  if app.open_time(
       p_org_id, (p_start at time zone v_timezone)::date, (p_end at time zone v_timezone)::date
     ) @> v_slot is not true then
    return 'slot_not_open';
  end if;
  if app.busy_time(p_org_id, p_start, p_end, p_exclude_booking_id) && v_slot then
    return 'slot_taken';
  end if;
  return null;
end;
$$;
comment on function app.slot_problem(uuid, timestamptz, timestamptz, uuid, timestamptz) is
  'Why a client may not take this time, at the instant p_now, or null when they may: slot_invalid, client_booking_off, '
  'those of app.notice_problem(), slot_not_open (outside availability, or blocked), slot_taken. The one rule that '
  'slots are listed, checked and taken by.';
revoke all on function app.slot_problem(uuid, timestamptz, timestamptz, uuid, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/slot_problem.sql

-- >>> functions_sql/bookings/slots_for_client.sql
create or replace function app.slots_for_client(
  p_client public.clients, p_from date, p_to date, p_purchase_id uuid, p_offer_id uuid, p_now timestamptz
) returns table (slot_start timestamptz, slot_end timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_first timestamptz;
  v_offer public.offers;
  v_mins integer;
begin
  -- As long as the session that app.book_for_client() would book on the first of these days.
  select greatest(p_now, app.day_start(p_from, o.timezone)) into v_first
    from public.orgs as o where o.id = p_client.org_id and isfinite(p_from);
  select o.* into v_offer
    from public.offers as o where o.id = p_offer_id and o.org_id = p_client.org_id and o.is_active;
  v_mins := app.session_mins(p_client.org_id, app.pack_to_book(p_client, p_purchase_id, v_first, p_now), v_offer);
  return query
  select s.slot_start, s.slot_end from app.free_slots(p_client.org_id, p_from, p_to, v_mins, p_now) as s;
end;
$$;
comment on function app.slots_for_client(public.clients, date, date, uuid, uuid, timestamptz) is
  'The times this client can book at the instant p_now, on the org''s dates p_from to p_to, for a session as long as '
  'the pack it would be on says, else the offer.';
revoke all on function app.slots_for_client(public.clients, date, date, uuid, uuid, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/bookings/slots_for_client.sql

-- >>> functions_sql/clients/capture_inquiry.sql
create or replace function app.capture_inquiry(
  p_org_slug text, p_name text, p_email text, p_phone text, p_message text, p_source text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text := app.clean_phone(app.clean_text('phone', p_phone, 40));
  v_message text := app.clean_text('message', p_message, 5000, true);
  v_source text := coalesce(app.clean_text('source', p_source, 50), 'website');
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name of 1 to 200 characters.';
  end if;
  select o.id into v_org_id from public.orgs as o where o.slug = p_org_slug;
  if not found then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'org_slug names no business.';
  end if;
  perform app.count_visitor(v_org_id, p_now);
  -- No other visitor is writing here now (count_visitor), so what is looked for cannot appear in between.
  if not exists (
    select from public.inquiries as i
     where i.org_id = v_org_id and i.status in ('NEW', 'CONTACTED', 'BOOKED')
       and lower(i.email) = lower(v_email)
  ) and not exists (
    select from public.inquiries as i  -- without an e-mail address only the very same form is the same person's
     where v_email is null
       and i.org_id = v_org_id and i.status in ('NEW', 'CONTACTED', 'BOOKED') and lower(i.email) is null
       and i.name = v_name and i.phone is not distinct from v_phone and i.message is not distinct from v_message
  ) then
    insert into public.inquiries (org_id, name, email, phone, message, source, created_at)
    values (v_org_id, v_name, v_email, v_phone, v_message, v_source, p_now);
  end if;
  return jsonb_build_object('success', true, 'message', 'Thank you! We will be in touch soon.');
end;
$$;
comment on function app.capture_inquiry(text, text, text, text, text, text, timestamptz) is
  'What public.capture_inquiry() promises, at the instant p_now.';
revoke all on function app.capture_inquiry(text, text, text, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.capture_inquiry(text, text, text, text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.capture_inquiry(
  p_org_slug text, p_name text, p_email text default null, p_phone text default null, p_message text default null,
  p_source text default 'website'
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.capture_inquiry(p_org_slug, p_name, p_email, p_phone, p_message, p_source, now());
end;
comment on function public.capture_inquiry(text, text, text, text, text, text) is
  'A visitor asks an org to get in touch: adds a lead, unless one of the same e-mail address is open (without an '
  'address: one that is the same altogether). The answer is the same either way, {success, message}: it does not say '
  'who is known. Errors: PT400 <name|email|phone|message|source>_invalid, PT404 org_not_found, PT429 too_many_requests.';
revoke all on function public.capture_inquiry(text, text, text, text, text, text)
  from public, anon, authenticated, service_role;
grant execute on function public.capture_inquiry(text, text, text, text, text, text)
  to anon, authenticated, service_role;
-- <<< functions_sql/clients/capture_inquiry.sql

-- >>> functions_sql/clients/check_own_event.sql
create or replace function app.check_own_event() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (
       select from public.activity_events as e where e.id = new.activity_event_id and e.client_id = new.client_id
     ) then
    -- As app.check_same_org() says it of an event that does not exist: nobody learns that it does.
    if current_setting('role') = 'authenticated' then
      raise exception using errcode = '42501',
        message = 'new row violates row-level security policy for table "checkin_photos"';
    end if;
    raise exception using errcode = 'PT404', message = 'activity_event_id_not_found',
      hint = 'activity_event_id names no row of the same business.';
  end if;
  return new;
end;
$$;
comment on function app.check_own_event() is
  'A photo belongs to a check-in of the same client. Raises PT404 activity_event_id_not_found; 42501, as row security '
  'does, to a signed-in user.';
revoke all on function app.check_own_event() from public, anon, authenticated, service_role;

create or replace trigger checkin_photos_own_event after insert or update of activity_event_id, client_id
  on public.checkin_photos
  for each row when (new.activity_event_id is not null) execute function app.check_own_event();
-- <<< functions_sql/clients/check_own_event.sql

-- >>> functions_sql/clients/clean_date.sql
create or replace function app.clean_date(p_field text, p_text text, p_latest date) returns date
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_text text := nullif(btrim(p_text), '');
  v_date date;
begin
  if v_text is null then
    return null;
  end if;
  if v_text ~ '^\d{4}-\d{2}-\d{2}$' then
    begin
      v_date := v_text::date;
    exception when datetime_field_overflow then
      v_date := null;  -- 30 February
    end;
  end if;
  if v_date is null or v_date not between '1900-01-01' and p_latest then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must be a date like 1990-12-31, from 1900 to today.', p_field);
  end if;
  return v_date;
end;
$$;
comment on function app.clean_date(text, text, date) is
  'A visitor''s date, YYYY-MM-DD; null when empty. Raises PT400 <p_field>_invalid when it is none, before 1900, or '
  'after p_latest.';
revoke all on function app.clean_date(text, text, date) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_date.sql

-- >>> functions_sql/clients/clean_email.sql
create or replace function app.clean_email(p_field text, p_email text) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  v_email text := app.clean_text(p_field, p_email, 254);  -- RFC 5321, 4.5.3.1.3, without the angle brackets
begin
  if v_email !~ '^[^\s@<>"(),;:]+@[^\s@<>"(),;:]+\.[^\s@<>"(),;:.]+$' then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must look like name@example.com.', p_field);
  end if;
  return v_email;
end;
$$;
comment on function app.clean_email(text, text) is
  'An e-mail address as it is stored: as given, without blanks around it, null when empty. Raises PT400 '
  '<p_field>_invalid when it does not look like one.';
revoke all on function app.clean_email(text, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_email.sql

-- >>> functions_sql/clients/clean_list.sql
create or replace function app.clean_list(p_field text, p_items text[], p_max_items integer, p_max_length integer)
  returns text[]
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if cardinality(p_items) > p_max_items then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s may have at most %s entries.', p_field, p_max_items);
  end if;
  return (
    select array_agg(c.item order by i.n)
      from unnest(p_items) with ordinality as i (item, n), app.clean_text(p_field, i.item, p_max_length) as c (item)
     where c.item is not null
  );
end;
$$;
comment on function app.clean_list(text, text[], integer, integer) is
  'A visitor''s list as it is stored: its texts clean, empty ones left out, null when none is left. Raises PT400 '
  '<p_field>_invalid when it has more than p_max_items entries, or one of more than p_max_length characters.';
revoke all on function app.clean_list(text, text[], integer, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_list.sql

-- >>> functions_sql/clients/clean_number.sql
create or replace function app.clean_number(p_field text, p_value jsonb, p_most numeric) returns numeric
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  v_text text := nullif(btrim(p_value #>> '{}'), '');
  v_number numeric;
begin
  -- A form field gives digits as text; the pattern also keeps a number of a thousand digits out.
  if jsonb_typeof(p_value) in ('number', 'string', 'null') and (v_text is null or v_text ~ '^\d{1,6}(\.\d{1,9})?$') then
    v_number := round(v_text::numeric, 2);
    if v_number is null or (v_number > 0 and v_number <= p_most) then
      return v_number;
    end if;
  end if;
  raise exception using errcode = 'PT400', message = p_field || '_invalid',
    hint = format('%s must be a number above 0, up to %s.', p_field, p_most);
end;
$$;
comment on function app.clean_number(text, jsonb, numeric) is
  'A visitor''s number, also as a text of digits, to two decimals; null when empty. Raises PT400 <p_field>_invalid when '
  'it is none, not above 0, or above p_most.';
revoke all on function app.clean_number(text, jsonb, numeric) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_number.sql

-- >>> functions_sql/clients/clean_onboarding.sql
create or replace function app.clean_onboarding(p_answers jsonb, p_today date) returns jsonb
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_clean jsonb := '{}';
  v_field text;
  v_value jsonb;
begin
  if jsonb_typeof(p_answers) is distinct from 'object' or octet_length(p_answers::text) > 65536 then
    raise exception using errcode = 'PT400', message = 'answers_invalid',
      hint = 'Send the answers as one JSON object of at most 64 KiB.';
  end if;
  for v_field, v_value in select a.key, a.value from jsonb_each(p_answers) as a loop
    case
      when v_field in ('full_name', 'address_line1', 'address_line2', 'emergency_contact_name') then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 200));
      when v_field in ('city', 'state') then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 100));
      when v_field = 'postcode' then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 20));
      when v_field = 'email' then
        v_value := to_jsonb(app.clean_email(v_field, app.json_text(v_field, v_value)));
      when v_field in ('phone', 'emergency_contact_phone') then
        v_value := to_jsonb(app.clean_phone(app.clean_text(v_field, app.json_text(v_field, v_value), 40)));
      when v_field = 'date_of_birth' then
        v_value := to_jsonb(app.clean_date(v_field, app.json_text(v_field, v_value), p_today));
      when v_field = 'gender' then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 20));
        if v_value not in ('"male"', '"female"', '"other"', '"prefer_not_to_say"') then
          raise exception using errcode = 'PT400', message = 'gender_invalid',
            hint = 'gender must be male, female, other or prefer_not_to_say.';
        end if;
      when v_field = 'height_cm' then
        v_value := to_jsonb(app.clean_number(v_field, v_value, 300));
      when v_field in ('weight_kg', 'target_weight_kg') then
        v_value := to_jsonb(app.clean_number(v_field, v_value, 700));
      when v_field in ('goals', 'health_conditions', 'injuries', 'medications', 'dietary_restrictions') then
        v_value := to_jsonb(app.clean_list(v_field, app.json_texts(v_field, v_value), 30, 300));
      else
        -- The name is the sender's own text: it is not repeated.
        raise exception using errcode = 'PT400', message = 'answer_unknown',
          hint = 'Send only full_name, email, phone, date_of_birth, gender, address_line1, address_line2, city, state, '
                 'postcode, height_cm, weight_kg, target_weight_kg, goals, health_conditions, injuries, medications, '
                 'dietary_restrictions, emergency_contact_name and emergency_contact_phone.';
    end case;
    v_clean := v_clean || jsonb_build_object(v_field, v_value);
  end loop;
  if v_clean -> 'full_name' = 'null' then
    raise exception using errcode = 'PT400', message = 'full_name_invalid',
      hint = 'full_name must be a name of 1 to 200 characters.';
  end if;
  return v_clean;
end;
$$;
comment on function app.clean_onboarding(jsonb, date) is
  'A client''s answers as they are stored in the columns of the same names: empty ones null, phones in E.164 where '
  'possible. p_today: the org''s date. Raises PT400 answers_invalid, answer_unknown, or <field>_invalid with a hint '
  'that says what is allowed.';
revoke all on function app.clean_onboarding(jsonb, date) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_onboarding.sql

-- >>> functions_sql/clients/clean_phone.sql
create or replace function app.clean_phone(p_phone text) returns text
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  select case
      when p.digits ~ '^04[0-9]{8}$' then '+61' || substr(p.digits, 2)
      when p.digits ~ '^(\+|0011)?610?4[0-9]{8}$' then '+61' || right(p.digits, 9)
      when p.digits ~ '^\+[1-9][0-9]{6,14}$' then p.digits
      else p_phone
    end
    from (select regexp_replace(p_phone, '[\s().\u2010-\u2015-]', '', 'g') as digits) as p;
$$;
comment on function app.clean_phone(text) is
  'A phone number in E.164, for example +61412345678. An Australian mobile number may be in any form it is written in; '
  'another one must begin with + and its country, or comes back as it was given: 0 and nine digits are also numbers in '
  'New Zealand. Source: Telecommunications Numbering Plan 2015, https://www.legislation.gov.au/Details/F2023C00152';
revoke all on function app.clean_phone(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_phone.sql

-- >>> functions_sql/clients/clean_text.sql
create or replace function app.clean_text(
  p_field text, p_text text, p_max_length integer, p_keep_lines boolean default false
) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  -- Without what no keyboard types: control characters, and marks that turn the text around them, here and where it is
  -- shown or sent on.
  v_text text := regexp_replace(
    p_text, '[\u0001-\u0008\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]', '', 'g');
begin
  v_text := case
    -- Nothing that can be seen is nothing.
    when v_text !~ '[^\s\u00AD\u034F\u061C\u180E\u200B-\u200F\u2060-\u2064\uFEFF]' then null
    when p_keep_lines then regexp_replace(v_text, '^\s+|\s+$', '', 'g')
    else btrim(regexp_replace(v_text, '\s+', ' ', 'g'))
  end;
  if length(v_text) > p_max_length then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s may have at most %s characters.', p_field, p_max_length);
  end if;
  return v_text;
end;
$$;
comment on function app.clean_text(text, text, integer, boolean) is
  'A visitor''s text as it is stored: without blanks around it, on one line unless p_keep_lines, without control '
  'characters and marks of direction, null when nothing in it can be seen. '
  'Raises PT400 <p_field>_invalid when it is longer than p_max_length characters; p_field is never the visitor''s.';
revoke all on function app.clean_text(text, text, integer, boolean) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_text.sql

-- >>> functions_sql/clients/client_of_me.sql
create or replace function app.client_of_me() returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  select c.* into v_client from public.clients as c where c.auth_user_id = auth.uid();
  if not found then
    raise exception using errcode = 'PT403', message = 'not_a_client',
      hint = 'Sign in as a client; an invite from the coach makes you one.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_of_me() is 'The client that the signed-in user is. PT403 not_a_client.';
revoke all on function app.client_of_me() from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/client_of_me.sql

-- >>> functions_sql/clients/client_of_portal.sql
create or replace function app.client_of_portal(p_token uuid) returns public.clients
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
begin
  select c.* into v_client from public.clients as c where c.portal_token = p_token;
  if not found then
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is no longer valid; ask for a new one.';
  end if;
  return v_client;
end;
$$;
comment on function app.client_of_portal(uuid) is 'The client whose portal link holds this token. PT404 token_not_found.';
revoke all on function app.client_of_portal(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/client_of_portal.sql

-- >>> functions_sql/clients/convert_referral.sql
create or replace function app.convert_referral() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_referral public.referrals;
begin
  update public.referrals as r
     set status = 'converted', referred_client_id = new.converted_client_id, converted_at = now()
   where r.inquiry_id = new.id and r.status in ('pending', 'signed_up')
  returning r.* into v_referral;
  if found then
    update public.referral_links as l
       set conversions = coalesce(l.conversions, 0) + 1
     where l.id = v_referral.referral_link_id;
    update public.clients as c
       set referral_id = v_referral.id, referral_code = new.referral_code
     where c.id = new.converted_client_id and c.referral_id is null;
  end if;
  return null;
end;
$$;
comment on function app.convert_referral() is
  'A lead that came through a referral link and becomes a client converts the referral and counts for the link, once.';
revoke all on function app.convert_referral() from public, anon, authenticated, service_role;

create or replace trigger inquiries_convert_referral after update of converted_client_id on public.inquiries
  for each row when (new.converted_client_id is not null) execute function app.convert_referral();
-- <<< functions_sql/clients/convert_referral.sql

-- >>> functions_sql/clients/count_visitor.sql
create or replace function app.count_visitor(p_org_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The row stays locked to the end of the transaction: visitors who write to one org do so one after the other. A
  -- transaction that began in an earlier minute and comes late counts in the newest one.
  insert into app.visitor_counts as v (org_id, minute, calls)
  values (p_org_id, date_trunc('minute', p_now, 'UTC'), 1)
  on conflict (org_id) do update
     set minute = greatest(v.minute, excluded.minute),
         calls = case when excluded.minute > v.minute then 1 else v.calls + 1 end
   where excluded.minute > v.minute or v.calls < 30;
  if not found then
    raise exception using errcode = 'PT429', message = 'too_many_requests',
      hint = 'Too many forms are being sent to this business; try again in a minute.';
  end if;
end;
$$;
comment on function app.count_visitor(uuid, timestamptz) is
  'Counts a form that somebody without a login sends to an org, and refuses the 31st of a minute (PT429 '
  'too_many_requests). What was already known counts like what is new. From here to the end of the transaction no '
  'other visitor writes to this org.';
revoke all on function app.count_visitor(uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/count_visitor.sql

-- >>> functions_sql/clients/end_client_access.sql
create or replace function app.end_client_access() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- redeemed_at stays, so the old code opens nothing; without redeemed_by the user may redeem another.
  update public.client_invites as i set redeemed_by = null
   where i.client_id = new.id and i.redeemed_by = old.auth_user_id;
  delete from public.push_tokens as t where t.client_id = new.id;
  return null;
end;
$$;
comment on function app.end_client_access() is
  'Once a user is no longer a client, their invite is used up without an owner and their devices get no more messages.';
revoke all on function app.end_client_access() from public, anon, authenticated, service_role;

create or replace trigger clients_end_client_access after update of auth_user_id on public.clients
  for each row when (old.auth_user_id is not null and new.auth_user_id is distinct from old.auth_user_id)
  execute function app.end_client_access();
-- <<< functions_sql/clients/end_client_access.sql

-- >>> functions_sql/clients/generate_referral_code.sql
create or replace function app.generate_referral_code(p_org_id uuid, p_length integer) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_code text;
begin
  if not exists (select from public.orgs as o where o.id = p_org_id) or not app.acts_for_org(p_org_id) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'p_org_id names no business of yours.';
  end if;
  if p_length is null or p_length not between 6 and 32 then
    raise exception using errcode = 'PT400', message = 'length_invalid', hint = 'A code has 6 to 32 characters.';
  end if;
  loop
    -- Two bytes a character: 65536 is so much more than 36 that no character is likelier than another by 0.1 %.
    select string_agg(
             substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',
                    1 + (get_byte(r.bytes, 2 * i) * 256 + get_byte(r.bytes, 2 * i + 1)) % 36, 1), '')
      into v_code
      from extensions.gen_random_bytes(2 * p_length) as r (bytes), generate_series(0, p_length - 1) as i;
    exit when not exists (select from public.referral_links as l where l.code = v_code);
  end loop;
  return v_code;
end;
$$;
comment on function app.generate_referral_code(uuid, integer) is 'What public.generate_referral_code() promises.';
revoke all on function app.generate_referral_code(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function app.generate_referral_code(uuid, integer) to authenticated, service_role;

create or replace function public.generate_referral_code(p_org_id uuid, p_length integer default 8) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.generate_referral_code(p_org_id, p_length);
end;
comment on function public.generate_referral_code(uuid, integer) is
  'A new code for a referral link: p_length random digits and upper-case letters that no link has. It is not reserved: '
  'the unique key decides when the link is inserted. Errors: PT404 org_not_found, PT400 length_invalid.';
revoke all on function public.generate_referral_code(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function public.generate_referral_code(uuid, integer) to authenticated, service_role;
-- <<< functions_sql/clients/generate_referral_code.sql

-- >>> functions_sql/clients/invite_page.sql
create or replace function app.invite_page(p_code text, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_page jsonb;
begin
  select jsonb_build_object('full_name', c.full_name, 'org_name', o.name, 'expires_at', i.expires_at) into v_page
    from public.client_invites as i
    join public.clients as c on c.id = i.client_id
    join public.orgs as o on o.id = i.org_id
   -- Of a client who has a user, no invite can be redeemed: nobody should sign up for it.
   where i.invite_code = p_code and i.redeemed_at is null and i.expires_at > p_now and c.auth_user_id is null;
  if not found then
    raise exception using errcode = 'PT404', message = 'invite_not_found',
      hint = 'The code is wrong, used or expired; ask your coach for a new one.';
  end if;
  return v_page;
end;
$$;
comment on function app.invite_page(text, timestamptz) is 'What public.invite_page() promises, at the instant p_now.';
revoke all on function app.invite_page(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.invite_page(text, timestamptz) to anon, authenticated;

create or replace function public.invite_page(p_code text) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.invite_page(p_code, now());
end;
comment on function public.invite_page(text) is
  'What a visitor with an invite''s code sees before they sign up: {full_name (the client''s), org_name, expires_at}. '
  'Error: PT404 invite_not_found, whether the code is unknown, used or expired.';
revoke all on function public.invite_page(text) from public, anon, authenticated, service_role;
grant execute on function public.invite_page(text) to anon, authenticated;
-- <<< functions_sql/clients/invite_page.sql

-- >>> functions_sql/clients/json_text.sql
create or replace function app.json_text(p_field text, p_value jsonb) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if jsonb_typeof(p_value) not in ('string', 'null') then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must be a text.', p_field);
  end if;
  return p_value #>> '{}';
end;
$$;
comment on function app.json_text(text, jsonb) is
  'A JSON value that must be a text or null. Raises PT400 <p_field>_invalid for another one.';
revoke all on function app.json_text(text, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/json_text.sql

-- >>> functions_sql/clients/json_texts.sql
create or replace function app.json_texts(p_field text, p_value jsonb) returns text[]
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  if jsonb_typeof(p_value) = 'null' then
    return null;
  end if;
  if jsonb_typeof(p_value) <> 'array'
     or exists (select from jsonb_path_query(p_value, 'strict $[*]') as i (item) where jsonb_typeof(i.item) <> 'string')
  then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = format('%s must be a list of texts.', p_field);
  end if;
  return array(select i.item from jsonb_array_elements_text(p_value) with ordinality as i (item, n) order by i.n);
end;
$$;
comment on function app.json_texts(text, jsonb) is
  'A JSON value that must be a list of texts or null. Raises PT400 <p_field>_invalid for another one.';
revoke all on function app.json_texts(text, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/json_texts.sql

-- >>> functions_sql/clients/keep_signed_waiver.sql
create or replace function app.keep_signed_waiver() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if new.status in (old.status, 'expired') and to_jsonb(new) - 'status' = to_jsonb(old) - 'status' then
      return new;
    end if;
  elsif not exists (select from public.orgs as o where o.id = old.org_id)
     or not exists (select from public.clients as c where c.id = old.client_id) then
    return old;  -- goes with its client, or the whole org
  end if;
  raise exception using errcode = 'PT403', message = 'waiver_is_signed',
    hint = 'A signed waiver stays as it was signed; it can only be revoked (status expired).';
end;
$$;
comment on function app.keep_signed_waiver() is
  'What was signed never changes, whoever asks, and stays as long as its client; the one thing left to do is to revoke '
  'it (status expired), for good. Raises PT403 waiver_is_signed.';
revoke all on function app.keep_signed_waiver() from public, anon, authenticated, service_role;

create or replace trigger client_waivers_keep_signed before update or delete on public.client_waivers
  for each row when (old.signed_at is not null) execute function app.keep_signed_waiver();
-- <<< functions_sql/clients/keep_signed_waiver.sql

-- >>> functions_sql/clients/my_client.sql
create or replace function app.my_client() returns table (
  id uuid, org_id uuid, full_name text, email text, weight_kg numeric, org_name text, display_name text,
  primary_color text, logo_url text, subscription_status text, manage_url text
)
  language sql stable security definer set search_path = ''
as $$
  select c.id, c.org_id, c.full_name, c.email, c.weight_kg, o.name, b.display_name,
         b.primary_color, b.logo_url, coalesce(s.status, 'none'), s.manage_url
    from public.clients as c
    join public.orgs as o on o.id = c.org_id
    left join public.branding as b on b.org_id = c.org_id
    left join public.subscriptions as s on s.client_id = c.id
   where c.auth_user_id = (select auth.uid());
$$;
comment on function app.my_client() is 'What public.my_client() promises.';
revoke all on function app.my_client() from public, anon, authenticated, service_role;
grant execute on function app.my_client() to authenticated;

create or replace function public.my_client() returns table (
  id uuid, org_id uuid, full_name text, email text, weight_kg numeric, org_name text, display_name text,
  primary_color text, logo_url text, subscription_status text, manage_url text
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_client();
end;
comment on function public.my_client() is
  'The client that the signed-in user is, with the business'' name and look and the state of their subscription '
  '(none when there is none): one row, or none when the user is no client.';
revoke all on function public.my_client() from public, anon, authenticated, service_role;
grant execute on function public.my_client() to authenticated;
-- <<< functions_sql/clients/my_client.sql

-- >>> functions_sql/clients/my_client_ids.sql
create or replace function app.my_client_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select c.id from public.clients as c where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_client_ids() is 'The client that the signed-in user is, if they are one (the mobile app''s user).';
revoke all on function app.my_client_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_client_ids() to authenticated;
-- <<< functions_sql/clients/my_client_ids.sql

-- >>> functions_sql/clients/my_habit_ids.sql
create or replace function app.my_habit_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select h.habit_id
      from public.client_habits as h
      join public.clients as c on c.id = h.client_id
     where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_habit_ids() is 'Habits that the client, whom the signed-in user is, follows.';
revoke all on function app.my_habit_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_habit_ids() to authenticated;
-- <<< functions_sql/clients/my_habit_ids.sql

-- >>> functions_sql/clients/my_thread_ids.sql
create or replace function app.my_thread_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select t.id
      from public.message_threads as t
      join public.clients as c on c.id = t.client_id
     where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_thread_ids() is 'Message threads of the client that the signed-in user is.';
revoke all on function app.my_thread_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_thread_ids() to authenticated;
-- <<< functions_sql/clients/my_thread_ids.sql

-- >>> functions_sql/clients/onboarding_form.sql
create or replace function app.onboarding_form(p_token uuid) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_org public.orgs;
begin
  select c.* into v_client from public.clients as c where c.onboarding_token = p_token;
  if not found then
    if exists (select from app.used_onboarding_tokens as u where u.token_sha256 = app.token_hash(p_token)) then
      return jsonb_build_object('status', 'completed');
    end if;
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is not, or no longer, valid; ask for a new one.';
  end if;
  select o.* into v_org from public.orgs as o where o.id = v_client.org_id;
  return jsonb_build_object(
    'status', 'open',
    'waiver_template', v_org.waiver_template,
    'waiver_version', app.text_version(v_org.waiver_template),
    'org', jsonb_build_object('name', v_org.name),
    'client', jsonb_build_object(
      'full_name', v_client.full_name, 'email', v_client.email, 'phone', v_client.phone,
      'date_of_birth', v_client.date_of_birth, 'gender', v_client.gender,
      'address_line1', v_client.address_line1, 'address_line2', v_client.address_line2, 'city', v_client.city,
      'state', v_client.state, 'postcode', v_client.postcode,
      'height_cm', v_client.height_cm, 'weight_kg', v_client.weight_kg, 'target_weight_kg', v_client.target_weight_kg,
      'goals', v_client.goals, 'health_conditions', v_client.health_conditions,
      'emergency_contact_name', v_client.emergency_contact_name,
      'emergency_contact_phone', v_client.emergency_contact_phone
    )
  );
end;
$$;
comment on function app.onboarding_form(uuid) is 'What public.onboarding_form() promises.';
revoke all on function app.onboarding_form(uuid) from public, anon, authenticated, service_role;
grant execute on function app.onboarding_form(uuid) to anon, authenticated, service_role;

create or replace function public.onboarding_form(p_token uuid) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.onboarding_form(p_token);
end;
comment on function public.onboarding_form(uuid) is
  'What the page of an onboarding link shows: {status: "open", waiver_template, waiver_version, org: {name}, client: '
  '{the fields that the form shows filled in}}. Once the form was sent: {status: "completed"} and nothing else. Errors: '
  'PT404 token_not_found.';
revoke all on function public.onboarding_form(uuid) from public, anon, authenticated, service_role;
grant execute on function public.onboarding_form(uuid) to anon, authenticated, service_role;
-- <<< functions_sql/clients/onboarding_form.sql

-- >>> functions_sql/clients/only_by_invite.sql
-- Invoker on purpose: current_user is then who runs the statement. A signed-in user's own statement runs as
-- authenticated, the one inside app.redeem_invite() as that function's owner; a caller cannot choose between them.
create or replace function app.only_by_invite() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if current_user in ('anon', 'authenticated') then
    raise exception using errcode = 'PT403', message = 'auth_user_is_by_invite',
      hint = 'Send the client an invite; who redeems it becomes the client''s user.';
  end if;
  return new;
end;
$$;
comment on function app.only_by_invite() is
  'Which user a client is, and who redeemed an invite, is written by app.redeem_invite() (and by no API user): '
  'raises PT403 auth_user_is_by_invite.';
revoke all on function app.only_by_invite() from public, anon, authenticated, service_role;

create or replace trigger clients_insert_only_by_invite before insert on public.clients
  for each row when (new.auth_user_id is not null) execute function app.only_by_invite();
-- To null is the coach's right: app.end_client_access() does the rest.
create or replace trigger clients_only_by_invite before update of auth_user_id on public.clients
  for each row when (new.auth_user_id is not null and new.auth_user_id is distinct from old.auth_user_id)
  execute function app.only_by_invite();
create or replace trigger client_invites_insert_only_by_invite before insert on public.client_invites
  for each row when (num_nonnulls(new.redeemed_at, new.redeemed_by) > 0) execute function app.only_by_invite();
create or replace trigger client_invites_only_by_invite before update of redeemed_at, redeemed_by on public.client_invites
  for each row when ((new.redeemed_at, new.redeemed_by) is distinct from (old.redeemed_at, old.redeemed_by))
  execute function app.only_by_invite();
-- <<< functions_sql/clients/only_by_invite.sql

-- >>> functions_sql/clients/open_referral_link.sql
create or replace function app.open_referral_link(p_code text, p_now timestamptz) returns public.referral_links
  language sql stable security definer set search_path = ''
as $$
  select l.*
    from public.referral_links as l
   where l.code = upper(btrim(p_code)) and l.is_active and coalesce(l.expires_at > p_now, true);
$$;
comment on function app.open_referral_link(text, timestamptz) is
  'The referral link of a code, typed in any case; null when there is none, or it is switched off or over at p_now.';
revoke all on function app.open_referral_link(text, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/open_referral_link.sql

-- >>> functions_sql/clients/portal_page.sql
create or replace function app.portal_page(p_token uuid, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients := app.client_of_portal(p_token);
begin
  return jsonb_build_object(
    'client', jsonb_build_object('full_name', v_client.full_name),
    'org', app.org_for_visitor(v_client.org_id),
    'settings', (
      select jsonb_build_object(
               'allow_client_booking', coalesce(s.allow_client_booking, true),
               'allow_client_cancel', coalesce(s.allow_client_cancel, true),
               'cancel_notice_hours', coalesce(s.cancel_notice_hours, 24), 'late_cancel', s.late_cancel,
               'max_advance_days', coalesce(s.max_advance_days, 30))
        from public.booking_settings as s where s.org_id = v_client.org_id
    ),
    'upcoming', (
      select coalesce(jsonb_agg(app.booking_for_client(b) order by b.start_time), '[]')
        from (
          select k.* from public.bookings as k
           where k.client_id = v_client.id and k.start_time > p_now and k.status in ('pending', 'confirmed')
           order by k.start_time limit 10
        ) as b
    ),
    'past', (
      select coalesce(jsonb_agg(app.booking_for_client(b) order by b.start_time desc), '[]')
        from (
          select k.* from public.bookings as k
           where k.client_id = v_client.id and k.start_time <= p_now
           order by k.start_time desc limit 10
        ) as b
    ),
    'packs', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'id', p.id, 'name', o.name, 'sessions_total', p.sessions_total, 'sessions_used', p.sessions_used,
               'sessions_remaining', p.sessions_remaining, 'expires_at', p.expires_at,
               'sessions_bookable', app.bookable_sessions_remaining(p.id, p_now)
             ) order by p.expires_at nulls last, p.purchased_at), '[]')
        from public.client_purchases as p join public.offers as o on o.id = p.offer_id
       where p.client_id = v_client.id and app.pack_problem(p, v_client.id, p_now) is null
    )
  );
end;
$$;
comment on function app.portal_page(uuid, timestamptz) is 'What public.portal_page() promises, at the instant p_now.';
revoke all on function app.portal_page(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.portal_page(uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_page(p_token uuid) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.portal_page(p_token, now());
end;
comment on function public.portal_page(uuid) is
  'What a client''s portal shows: client (full_name), org (name, timezone, display_name, primary_color, logo_url), '
  'settings, upcoming (the next 10 bookings), past (the last 10), packs (valid ones, with sessions_bookable). Instants '
  'in UTC, to be shown in org.timezone. PT404 token_not_found.';
revoke all on function public.portal_page(uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_page(uuid) to anon, authenticated, service_role;
-- <<< functions_sql/clients/portal_page.sql

-- >>> functions_sql/clients/process_referral_signup.sql
create or replace function app.process_referral_signup(p_code text, p_email text, p_name text, p_now timestamptz)
  returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- A lead has a name: without one the address stands for it.
  return app.submit_referral(p_code, coalesce(nullif(btrim(p_name), ''), left(p_email, 200)), p_email, null, null, null,
                             p_now);
end;
$$;
comment on function app.process_referral_signup(text, text, text, timestamptz) is
  'What public.process_referral_signup() promises, at the instant p_now.';
revoke all on function app.process_referral_signup(text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.process_referral_signup(text, text, text, timestamptz)
  to anon, authenticated, service_role;

create or replace function public.process_referral_signup(p_code text, p_email text, p_name text default null)
  returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.process_referral_signup(p_code, p_email, p_name, now());
end;
comment on function public.process_referral_signup(text, text, text) is
  'submit_referral() for somebody of whom no more is known: lead, referral and count, once per link and e-mail address. '
  'Returns the id of the sign-up, the same however often it is sent. Errors: those of submit_referral().';
revoke all on function public.process_referral_signup(text, text, text) from public, anon, authenticated, service_role;
grant execute on function public.process_referral_signup(text, text, text) to anon, authenticated, service_role;
-- <<< functions_sql/clients/process_referral_signup.sql

-- >>> functions_sql/clients/redeem_invite.sql
create or replace function app.redeem_invite(p_code text, p_now timestamptz)
  returns table (client_id uuid, org_id uuid)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
  v_client public.clients;
  v_invite public.client_invites;
begin
  if v_user_id is null then
    raise exception using errcode = 'PT401', message = 'sign_in_required',
      hint = 'Sign up or sign in first; the invite becomes that user''s.';
  end if;
  -- Lock order: client, then invite, as when a coach ends a client's access. Who waited here sees what the other did.
  select c.* into v_client
    from public.clients as c
   where c.id = (select i.client_id from public.client_invites as i where i.invite_code = p_code)
     for update;
  if v_client.auth_user_id = v_user_id then
    -- Done before: the same answer. A second code of the same client is used up with it.
    update public.client_invites as i set redeemed_at = p_now where i.invite_code = p_code and i.redeemed_at is null;
    return query select v_client.id, v_client.org_id;
    return;
  end if;
  select i.* into v_invite
    from public.client_invites as i
   where i.invite_code = p_code and i.client_id = v_client.id and i.redeemed_at is null and i.expires_at > p_now
     for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'invite_not_found',
      hint = 'The code is wrong, used or expired; ask your coach for a new one.';
  end if;
  if v_client.auth_user_id is not null then
    raise exception using errcode = 'PT409', message = 'client_has_user',
      hint = 'This client signs in already; the coach can take that back and send a new invite.';
  end if;
  begin
    update public.client_invites as i set redeemed_at = p_now, redeemed_by = v_user_id where i.id = v_invite.id;
    update public.clients as c
       set auth_user_id = v_user_id,
           email = coalesce(nullif(btrim(c.email), ''), (select u.email from auth.users as u where u.id = v_user_id))
     where c.id = v_client.id;
  exception when unique_violation then  -- the key decides, also between two codes redeemed at once
    raise exception using errcode = 'PT409', message = 'user_is_client',
      hint = 'You are a client already; sign up with another e-mail address for this coach.';
  end;
  return query select v_client.id, v_client.org_id;
end;
$$;
comment on function app.redeem_invite(text, timestamptz) is 'What public.redeem_invite() promises, at the instant p_now.';
revoke all on function app.redeem_invite(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.redeem_invite(text, timestamptz) to authenticated;

create or replace function public.redeem_invite(p_code text) returns table (client_id uuid, org_id uuid)
  language sql volatile security invoker set search_path = ''
begin atomic
  select * from app.redeem_invite(p_code, now());
end;
comment on function public.redeem_invite(text) is
  'Makes the signed-in user the client that the invite is for, once, and fills the client''s e-mail address if there is '
  'none. Safe to call twice: the same user gets the same answer. Errors: PT401 sign_in_required; PT404 invite_not_found '
  '(unknown, used by somebody else, or expired); PT409 client_has_user; PT409 user_is_client (of somebody else).';
revoke all on function public.redeem_invite(text) from public, anon, authenticated, service_role;
grant execute on function public.redeem_invite(text) to authenticated;
-- <<< functions_sql/clients/redeem_invite.sql

-- >>> functions_sql/clients/referral_page.sql
create or replace function app.referral_page(p_code text, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_link public.referral_links := app.open_referral_link(p_code, p_now);
begin
  if v_link.id is null then
    raise exception using errcode = 'PT404', message = 'referral_not_found',
      hint = 'This referral link is not, or no longer, valid; ask for a new one.';
  end if;
  return (
    select jsonb_build_object(
      'link', jsonb_build_object('reward_type', v_link.reward_type, 'reward_value', v_link.reward_value),
      'org', jsonb_build_object('name', o.name),
      'branding', jsonb_build_object('display_name', b.display_name, 'primary_color', b.primary_color),
      'offers', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', f.id, 'name', f.name, 'description', f.description, 'price_cents', f.price_cents,
          -- The page asks for columns that no screen fills: what the offer says under its own names counts.
          'session_count', coalesce(f.session_count, f.sessions_included + coalesce(f.bonus_sessions, 0)),
          'duration_minutes', coalesce(f.duration_minutes, f.session_duration_mins)
        ) order by f.price_cents, f.name, f.id)
          from public.offers as f
         where f.org_id = o.id and f.is_active
      ), '[]')
    )
      from public.orgs as o
      left join public.branding as b on b.org_id = o.id
     where o.id = v_link.org_id
  );
end;
$$;
comment on function app.referral_page(text, timestamptz) is 'What public.referral_page() promises, at the instant p_now.';
revoke all on function app.referral_page(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.referral_page(text, timestamptz) to anon, authenticated, service_role;

create or replace function public.referral_page(p_code text) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.referral_page(p_code, now());
end;
comment on function public.referral_page(text) is
  'What the page of a referral link shows: {link: {reward_type, reward_value}, org: {name}, branding: {display_name, '
  'primary_color}, offers: [{id, name, description, price_cents, session_count, duration_minutes}], cheapest first}. '
  'Errors: PT404 referral_not_found, also for a link that is switched off or over.';
revoke all on function public.referral_page(text) from public, anon, authenticated, service_role;
grant execute on function public.referral_page(text) to anon, authenticated, service_role;
-- <<< functions_sql/clients/referral_page.sql

-- >>> functions_sql/clients/request_ip.sql
create or replace function app.request_ip() returns text
  language plpgsql stable security invoker set search_path = ''
as $$
begin
  -- The first address of the header is what the outermost proxy was told. Source:
  -- https://docs.postgrest.org/en/stable/references/transactions.html#request-headers-cookies-and-jwt-claims
  return host(btrim(split_part(
    nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-forwarded-for', ',', 1))::inet);
exception when invalid_text_representation then
  return null;
end;
$$;
comment on function app.request_ip() is
  'Address of the visitor whom the API is serving, as its proxies tell it: a hint, no proof. Null when they do not.';
revoke all on function app.request_ip() from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/request_ip.sql

-- >>> functions_sql/clients/sign_waiver.sql
create or replace function app.sign_waiver(p_token uuid, p_waiver_version text, p_now timestamptz) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_waiver public.client_waivers;
  v_text text;
begin
  select w.* into v_waiver from public.client_waivers as w where w.token = p_token for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is not, or no longer, valid; ask for a new one.';
  end if;
  if v_waiver.status = 'expired' or (v_waiver.status = 'sent' and v_waiver.expires_at <= p_now) then
    raise exception using errcode = 'PT410', message = 'waiver_expired',
      hint = 'This waiver can no longer be signed; ask for a new one.';
  end if;
  if v_waiver.status = 'sent' then
    v_text := app.waiver_to_sign(v_waiver.org_id, p_waiver_version);
    update public.client_waivers as w
       set status = 'signed', signed_at = p_now, signed_text = v_text, signed_version = app.text_version(v_text),
           signed_ip = app.request_ip()
     where w.id = v_waiver.id
    returning w.* into v_waiver;
  end if;
  return jsonb_build_object('status', 'signed', 'signed_at', v_waiver.signed_at);
end;
$$;
comment on function app.sign_waiver(uuid, text, timestamptz) is 'What public.sign_waiver() promises, at the instant p_now.';
revoke all on function app.sign_waiver(uuid, text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.sign_waiver(uuid, text, timestamptz) to anon, authenticated, service_role;

create or replace function public.sign_waiver(p_token uuid, p_waiver_version text default null) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.sign_waiver(p_token, p_waiver_version, now());
end;
comment on function public.sign_waiver(uuid, text) is
  'Signs the waiver of a link and keeps the text that was signed. p_waiver_version: as waiver_form() told, so that '
  'nobody signs a text they were not shown. Returns {status: "signed", signed_at}; a second call answers with the first '
  'signature and changes nothing. Errors: PT404 token_not_found, PT409 waiver_changed, PT410 waiver_expired (revoked, '
  'or over).';
revoke all on function public.sign_waiver(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.sign_waiver(uuid, text) to anon, authenticated, service_role;
-- <<< functions_sql/clients/sign_waiver.sql

-- >>> functions_sql/clients/submit_onboarding.sql
create or replace function app.submit_onboarding(
  p_token uuid, p_answers jsonb, p_waiver_version text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_new public.clients;
  v_token_sha256 bytea := app.token_hash(p_token);
  v_answers_sha256 bytea := sha256(convert_to(p_answers::text, 'UTF8'));
  v_used app.used_onboarding_tokens;
  v_text text;
begin
  -- A second submission waits here for the first, and then finds the link used.
  select c.* into v_client from public.clients as c where c.onboarding_token = p_token for update;
  if not found then
    select u.* into v_used from app.used_onboarding_tokens as u where u.token_sha256 = v_token_sha256;
    if not found then
      raise exception using errcode = 'PT404', message = 'token_not_found',
        hint = 'This link is not, or no longer, valid; ask for a new one.';
    end if;
    -- Other answers are not stored, so it must not look as if they were.
    if v_used.answers_sha256 is distinct from v_answers_sha256 then
      raise exception using errcode = 'PT409', message = 'onboarding_already_completed',
        hint = 'This form was sent before; ask your coach to change what is not right.';
    end if;
    return jsonb_build_object('status', 'completed');
  end if;
  v_new := jsonb_populate_record(v_client, app.clean_onboarding(
    p_answers, (select app.format_local(p_now, o.timezone, 'YYYY-MM-DD')::date
                  from public.orgs as o where o.id = v_client.org_id)));
  v_text := app.waiver_to_sign(v_client.org_id, p_waiver_version);
  update public.clients as c
     set full_name = v_new.full_name, email = v_new.email, phone = v_new.phone,
         date_of_birth = v_new.date_of_birth, gender = v_new.gender,
         address_line1 = v_new.address_line1, address_line2 = v_new.address_line2, city = v_new.city,
         state = v_new.state, postcode = v_new.postcode,
         height_cm = v_new.height_cm, weight_kg = v_new.weight_kg, target_weight_kg = v_new.target_weight_kg,
         goals = v_new.goals, health_conditions = v_new.health_conditions, injuries = v_new.injuries,
         medications = v_new.medications, dietary_restrictions = v_new.dietary_restrictions,
         emergency_contact_name = v_new.emergency_contact_name,
         emergency_contact_phone = v_new.emergency_contact_phone,
         onboarding_completed_at = p_now, onboarding_token = null
   where c.id = v_client.id;
  insert into public.client_waivers (
    org_id, client_id, name, status, source, sent_at, signed_at, signed_text, signed_version, signed_ip, created_at
  )
  values (v_client.org_id, v_client.id, 'Onboarding Waiver', 'signed', 'onboarding', p_now, p_now,
          v_text, app.text_version(v_text), app.request_ip(), p_now);
  -- A coach may give out the same link again: then this use counts.
  insert into app.used_onboarding_tokens as u (token_sha256, client_id, answers_sha256, used_at)
  values (v_token_sha256, v_client.id, v_answers_sha256, p_now)
  on conflict (token_sha256) do update
     set client_id = excluded.client_id, answers_sha256 = excluded.answers_sha256, used_at = excluded.used_at;
  if app.queue_coach_sms(
       v_client.org_id, 'onboarding_completed', format('%s has completed the onboarding form.', v_new.full_name),
       'client', v_client.id, format('onboarding_completed:%s:%s', v_client.id, extract(epoch from p_now)), p_now
     ) is not null then
    insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
    values (v_client.org_id, v_client.id, 'sms', 'outbound', 'Onboarding Completed Notification',
            'The coach was told by text that the onboarding form is completed.', p_now);
  end if;
  return jsonb_build_object('status', 'completed');
end;
$$;
comment on function app.submit_onboarding(uuid, jsonb, text, timestamptz) is
  'What public.submit_onboarding() promises, at the instant p_now.';
revoke all on function app.submit_onboarding(uuid, jsonb, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.submit_onboarding(uuid, jsonb, text, timestamptz) to anon, authenticated, service_role;

create or replace function public.submit_onboarding(p_token uuid, p_answers jsonb, p_waiver_version text default null)
  returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.submit_onboarding(p_token, p_answers, p_waiver_version, now());
end;
comment on function public.submit_onboarding(uuid, jsonb, text) is
  'Stores a client''s answers, signs the org''s waiver, uses the link up and tells the coach by text where that is '
  'possible: all or nothing. A field that is left out stays as it is; an empty one becomes null. p_waiver_version: as '
  'onboarding_form() told, so that nobody signs a text they were not shown. Returns {status: "completed"}, also when '
  'the same answers come again, which changes nothing. Errors: PT404 token_not_found, PT400 answers_invalid, '
  'answer_unknown or <field>_invalid, PT409 waiver_changed, PT409 onboarding_already_completed (other answers).';
revoke all on function public.submit_onboarding(uuid, jsonb, text) from public, anon, authenticated, service_role;
grant execute on function public.submit_onboarding(uuid, jsonb, text) to anon, authenticated, service_role;
-- <<< functions_sql/clients/submit_onboarding.sql

-- >>> functions_sql/clients/submit_referral.sql
create or replace function app.submit_referral(
  p_code text, p_name text, p_email text, p_phone text, p_message text, p_services text[], p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_link public.referral_links;
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text := app.clean_phone(app.clean_text('phone', p_phone, 40));
  v_message text := app.clean_text('message', p_message, 5000, true);
  v_services text[] := app.clean_list('services', p_services, 20, 200);
  v_referral_id uuid;
  v_inquiry_id uuid;
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name of 1 to 200 characters.';
  end if;
  if v_email is null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Give an e-mail address.';
  end if;
  v_link := app.open_referral_link(p_code, p_now);
  if v_link.id is null then
    raise exception using errcode = 'PT404', message = 'referral_not_found',
      hint = 'This referral link is not, or no longer, valid; ask for a new one.';
  end if;
  perform app.count_visitor(v_link.org_id, p_now);
  insert into public.referrals as r (
    org_id, referral_link_id, referred_email, referred_name, clicked_at, signed_up_at, created_at
  )
  values (v_link.org_id, v_link.id, v_email, v_name, p_now, p_now, p_now)
  on conflict (referral_link_id, lower(referred_email)) do nothing
  returning r.id into v_referral_id;
  if not found then
    select r.id into v_referral_id
      from public.referrals as r
     where r.referral_link_id = v_link.id and lower(r.referred_email) = lower(v_email);
    return v_referral_id;
  end if;
  insert into public.inquiries as i (
    org_id, name, email, phone, message, source, referral_code, services_interested, created_at
  )
  values (v_link.org_id, v_name, v_email, v_phone, v_message, 'referral', v_link.code, v_services, p_now)
  returning i.id into v_inquiry_id;
  update public.referrals as r set inquiry_id = v_inquiry_id where r.id = v_referral_id;
  update public.referral_links as l set signups = coalesce(l.signups, 0) + 1 where l.id = v_link.id;
  return v_referral_id;
end;
$$;
comment on function app.submit_referral(text, text, text, text, text, text[], timestamptz) is
  'What public.submit_referral() promises, at the instant p_now. Returns the id of the sign-up, the same however often '
  'it is sent.';
revoke all on function app.submit_referral(text, text, text, text, text, text[], timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.submit_referral(text, text, text, text, text, text[], timestamptz)
  to anon, authenticated, service_role;

create or replace function public.submit_referral(
  p_code text, p_name text, p_email text, p_phone text default null, p_message text default null,
  p_services text[] default null
) returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select jsonb_build_object('status', 'received')
    from app.submit_referral(p_code, p_name, p_email, p_phone, p_message, p_services, now());
end;
comment on function public.submit_referral(text, text, text, text, text, text[]) is
  'Signs somebody up through a referral link: lead, referral (pending) and the link''s count, all or nothing, once per '
  'link and e-mail address. Sent again it changes nothing. The answer is always {status: "received"}. Errors: PT400 '
  '<name|email|phone|message|services>_invalid, PT404 referral_not_found, PT429 too_many_requests.';
revoke all on function public.submit_referral(text, text, text, text, text, text[])
  from public, anon, authenticated, service_role;
grant execute on function public.submit_referral(text, text, text, text, text, text[])
  to anon, authenticated, service_role;
-- <<< functions_sql/clients/submit_referral.sql

-- >>> functions_sql/clients/text_version.sql
create or replace function app.text_version(p_text text) returns text
  language sql stable parallel safe security invoker set search_path = ''
as $$
  select encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
$$;
comment on function app.text_version(text) is
  'SHA-256 of a text in UTF-8, as hexadecimal digits: says which version of it was meant.';
revoke all on function app.text_version(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/text_version.sql

-- >>> functions_sql/clients/token_hash.sql
create or replace function app.token_hash(p_token uuid) returns bytea
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  select sha256(uuid_send(p_token));
$$;
comment on function app.token_hash(uuid) is
  'By what a used token is recognised without being kept. Unsalted: a token is 122 random bits, nobody guesses one.';
revoke all on function app.token_hash(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/token_hash.sql

-- >>> functions_sql/clients/track_referral_click.sql
create or replace function app.track_referral_click(p_code text, p_now timestamptz) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  update public.referral_links as l
     set clicks = coalesce(l.clicks, 0) + 1
   where l.id = (select o.id from app.open_referral_link(p_code, p_now) as o)
  returning l.id;
$$;
comment on function app.track_referral_click(text, timestamptz) is
  'What public.track_referral_click() promises, at the instant p_now.';
revoke all on function app.track_referral_click(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.track_referral_click(text, timestamptz) to anon, authenticated, service_role;

create or replace function public.track_referral_click(p_code text) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.track_referral_click(p_code, now());
end;
comment on function public.track_referral_click(text) is
  'Counts a visit of a referral link, each time. Returns the link''s id, or null when the link is not valid.';
revoke all on function public.track_referral_click(text) from public, anon, authenticated, service_role;
grant execute on function public.track_referral_click(text) to anon, authenticated, service_role;
-- <<< functions_sql/clients/track_referral_click.sql

-- >>> functions_sql/clients/update_my_client.sql
create or replace function app.update_my_client(p_email text, p_weight_kg numeric)
  returns table (email text, weight_kg numeric)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_email text := app.clean_email('email', p_email);
  v_client_id uuid := (app.client_of_me()).id;
begin
  if v_email is null and p_email is not null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Write the whole address, name@example.com.';
  end if;
  -- NaN counts as greater than every number: the upper limit refuses it, too.
  if p_weight_kg <= 0 or p_weight_kg >= 1000 then
    raise exception using errcode = 'PT400', message = 'weight_invalid', hint = 'Give the weight in kg, above 0 and below 1000.';
  end if;
  return query
    update public.clients as c
       set email = coalesce(v_email, c.email), weight_kg = coalesce(p_weight_kg, c.weight_kg)
     where c.id = v_client_id
    returning c.email, c.weight_kg;
end;
$$;
comment on function app.update_my_client(text, numeric) is 'What public.update_my_client() promises.';
revoke all on function app.update_my_client(text, numeric) from public, anon, authenticated, service_role;
grant execute on function app.update_my_client(text, numeric) to authenticated;

create or replace function public.update_my_client(p_email text default null, p_weight_kg numeric default null)
  returns table (email text, weight_kg numeric)
  language sql volatile security invoker set search_path = ''
begin atomic
  select * from app.update_my_client(p_email, p_weight_kg);
end;
comment on function public.update_my_client(text, numeric) is
  'Changes the e-mail address the coach has of the signed-in client, and their weight in kg; null leaves a value as it '
  'is. Returns both as they now are. The address to sign in with is Supabase Auth''s and stays. '
  'Errors: PT400 email_invalid, PT400 weight_invalid, PT403 not_a_client.';
revoke all on function public.update_my_client(text, numeric) from public, anon, authenticated, service_role;
grant execute on function public.update_my_client(text, numeric) to authenticated;
-- <<< functions_sql/clients/update_my_client.sql

-- >>> functions_sql/clients/waiver_form.sql
create or replace function app.waiver_form(p_token uuid, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_waiver public.client_waivers;
  v_client public.clients;
  v_org public.orgs;
  v_text text;
begin
  select w.* into v_waiver from public.client_waivers as w where w.token = p_token;
  if not found then
    raise exception using errcode = 'PT404', message = 'token_not_found',
      hint = 'This link is not, or no longer, valid; ask for a new one.';
  end if;
  if v_waiver.status = 'expired' or (v_waiver.status = 'sent' and v_waiver.expires_at <= p_now) then
    return jsonb_build_object('status', 'expired');
  end if;
  select c.* into v_client from public.clients as c where c.id = v_waiver.client_id;
  select o.* into v_org from public.orgs as o where o.id = v_waiver.org_id;
  v_text := case v_waiver.status when 'signed' then v_waiver.signed_text else v_org.waiver_template end;
  return jsonb_build_object(
    'status', v_waiver.status,
    'name', v_waiver.name,
    'signed_at', v_waiver.signed_at,
    'waiver_template', v_text,
    'waiver_version', app.text_version(v_text),
    'org', jsonb_build_object('name', v_org.name),
    'client', jsonb_build_object(
      'full_name', v_client.full_name, 'email', v_client.email, 'phone', v_client.phone,
      'date_of_birth', v_client.date_of_birth, 'address_line1', v_client.address_line1,
      'address_line2', v_client.address_line2, 'city', v_client.city, 'state', v_client.state,
      'postcode', v_client.postcode
    )
  );
end;
$$;
comment on function app.waiver_form(uuid, timestamptz) is 'What public.waiver_form() promises, at the instant p_now.';
revoke all on function app.waiver_form(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.waiver_form(uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.waiver_form(p_token uuid) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.waiver_form(p_token, now());
end;
comment on function public.waiver_form(uuid) is
  'What the page of a waiver link shows. Sent or signed: {status, name, signed_at, waiver_template, waiver_version, org: '
  '{name}, client: {full_name, email, phone, date_of_birth, address_line1, address_line2, city, state, postcode}}; of a '
  'signed one the text as it was signed. Revoked or over: {status: "expired"} and nothing else. Errors: PT404 '
  'token_not_found.';
revoke all on function public.waiver_form(uuid) from public, anon, authenticated, service_role;
grant execute on function public.waiver_form(uuid) to anon, authenticated, service_role;
-- <<< functions_sql/clients/waiver_form.sql

-- >>> functions_sql/clients/waiver_to_sign.sql
create or replace function app.waiver_to_sign(p_org_id uuid, p_waiver_version text) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_text text := (select o.waiver_template from public.orgs as o where o.id = p_org_id);
begin
  if p_waiver_version is not null and p_waiver_version is distinct from app.text_version(v_text) then
    raise exception using errcode = 'PT409', message = 'waiver_changed',
      hint = 'The waiver was changed since it was shown; load the page again, read it and sign that.';
  end if;
  return v_text;
end;
$$;
comment on function app.waiver_to_sign(uuid, text) is
  'The text that a client of this org signs now, null when the org has none of its own. Raises PT409 waiver_changed '
  'when it is not the version that the client was shown; p_waiver_version null: not told.';
revoke all on function app.waiver_to_sign(uuid, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/waiver_to_sign.sql

-- >>> functions_sql/money/org_currency.sql
create or replace function app.org_currency(p_org_id uuid) returns text
  language sql stable security invoker set search_path = ''
as $$
  select e.currency
    from public.money_events as e
   where e.org_id = p_org_id
   group by e.currency
   order by count(*) desc, e.currency
   limit 1;
$$;
comment on function app.org_currency(uuid) is
  'The currency of an org''s totals: the one most of its money events are in, the alphabetically first of two equals. '
  'Null: none that the caller may read.';
revoke all on function app.org_currency(uuid) from public, anon, authenticated, service_role;
grant execute on function app.org_currency(uuid) to authenticated, service_role;
-- <<< functions_sql/money/org_currency.sql

-- >>> functions_sql/orgs/actor_role.sql
create or replace function app.actor_role(p_org_id uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  -- A definer function, a trigger and a foreign key's own action all keep the caller's `role` setting; `none` is a
  -- connection that never set one, known by whom it logged in as.
  v_role text := coalesce(nullif(current_setting('role'), 'none'), session_user);
  v_user_id uuid := auth.uid();
begin
  if not exists (select from public.orgs as o where o.id = p_org_id) then
    return null;
  end if;
  if v_role = 'authenticated' then
    return coalesce(
      (select m.role::text from public.org_members as m where m.org_id = p_org_id and m.user_id = v_user_id),
      (select 'platform_admin' from public.platform_admins as a where a.user_id = v_user_id and a.role = 'admin'),
      (select 'client' from public.clients as c where c.auth_user_id = v_user_id and c.org_id = p_org_id limit 1),
      'visitor'
    );
  end if;
  return case v_role
    when 'anon' then 'visitor'
    when 'service_role' then 'service_role'
    when 'coach_os_worker' then 'worker'
    when 'coach_os_sidecar' then 'sidecar'
    else 'system'
  end;
end;
$$;
comment on function app.actor_role(uuid) is
  'What the caller is to an org: owner, staff or accountant_readonly as its member; platform_admin; client; visitor '
  '(anyone else, signed in or not); service_role, worker, sidecar; system: any other login to the database, such as an '
  'operator''s, a migration''s or Supabase Auth''s. Null when there is no such org.';
revoke all on function app.actor_role(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/actor_role.sql

-- >>> functions_sql/orgs/acts_as_client.sql
create or replace function app.acts_as_client(p_org_id uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  -- The portal's routes come with the service key and act for whoever holds the portal link.
  select current_setting('role') in ('anon', 'service_role')
      or (current_setting('role') = 'authenticated' and p_org_id <> all (array(select app.my_staff_org_ids())));
$$;
comment on function app.acts_as_client(uuid) is
  'True when the caller may be acting for a client of this org: a visitor, a signed-in user who is not its staff, or a '
  'service key. The org''s own staff, the worker and the operator are not.';
revoke all on function app.acts_as_client(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/acts_as_client.sql

-- >>> functions_sql/orgs/acts_for_org.sql
create or replace function app.acts_for_org(p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  -- A definer function keeps the caller's `role` setting: an API request shows its role there, a connection of the
  -- worker or the sidecar shows none.
  return current_setting('role') in ('none', 'service_role', 'postgres', 'coach_os_worker', 'coach_os_sidecar')
      or p_org_id = any (array(select app.my_staff_org_ids()));
end;
$$;
comment on function app.acts_for_org(uuid) is
  'True when the caller may change rows of this org: the system, or a signed-in owner or staff member of it.';
revoke all on function app.acts_for_org(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/acts_for_org.sql

-- >>> functions_sql/orgs/add_default_session_types.sql
create or replace function app.add_default_session_types(p_org_id uuid) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.session_types (org_id, name, slug, duration_mins, color, sort_order)
  values (p_org_id, 'Session', 'pt_session', 60, '#3B82F6', 0),
         (p_org_id, 'Short session', 'short_session', 30, '#10B981', 1),
         (p_org_id, 'Consultation', 'consultation', 30, '#8B5CF6', 2)
  on conflict (org_id, slug) do nothing;
$$;
comment on function app.add_default_session_types(uuid) is
  'The session types an org starts with; one whose slug is there already stays as it is. Asks nobody whether they may.';
revoke all on function app.add_default_session_types(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/add_default_session_types.sql

-- >>> functions_sql/orgs/admin_org_members.sql
create or replace function app.admin_org_members(p_org_id uuid)
  returns table (id uuid, user_id uuid, role public.org_role, created_at timestamptz, email text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  perform app.require_platform_admin();
  return query
  select m.id, m.user_id, m.role, m.created_at, u.email::text
    from public.org_members as m
    join auth.users as u on u.id = m.user_id
   where m.org_id = p_org_id
   order by m.created_at, m.id;
end;
$$;
comment on function app.admin_org_members(uuid) is 'What public.admin_org_members() promises.';
revoke all on function app.admin_org_members(uuid) from public, anon, authenticated, service_role;
grant execute on function app.admin_org_members(uuid) to authenticated;

create or replace function public.admin_org_members(p_org_id uuid)
  returns table (id uuid, user_id uuid, role public.org_role, created_at timestamptz, email text)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.admin_org_members(p_org_id);
end;
comment on function public.admin_org_members(uuid) is
  'Who works in an org, oldest member first, with the e-mail they sign in with; for an admin of the platform. None: '
  'no such org. Raises PT403 platform_admin_required.';
revoke all on function public.admin_org_members(uuid) from public, anon, authenticated, service_role;
grant execute on function public.admin_org_members(uuid) to authenticated;
-- <<< functions_sql/orgs/admin_org_members.sql

-- >>> functions_sql/orgs/admin_orgs.sql
create or replace function app.admin_orgs()
  returns table (
    id uuid, name text, slug text, created_at timestamptz, commission_rate numeric, owner_email text,
    clients_count bigint, subscriptions_count bigint
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  perform app.require_platform_admin();
  return query
  select o.id, o.name, o.slug, o.created_at, o.commission_rate, w.email, coalesce(c.n, 0), coalesce(s.n, 0)
    from public.orgs as o
    left join lateral (
      select u.email::text as email
        from public.org_members as m
        join auth.users as u on u.id = m.user_id
       where m.org_id = o.id and m.role = 'owner'
       order by m.created_at, m.id
       limit 1
    ) as w on true
    left join (select r.org_id, count(*) as n from public.clients as r group by r.org_id) as c on c.org_id = o.id
    left join (select r.org_id, count(*) as n from public.subscriptions as r group by r.org_id) as s on s.org_id = o.id
   order by o.created_at desc, o.id;
end;
$$;
comment on function app.admin_orgs() is 'What public.admin_orgs() promises.';
revoke all on function app.admin_orgs() from public, anon, authenticated, service_role;
grant execute on function app.admin_orgs() to authenticated;

create or replace function public.admin_orgs()
  returns table (
    id uuid, name text, slug text, created_at timestamptz, commission_rate numeric, owner_email text,
    clients_count bigint, subscriptions_count bigint
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.admin_orgs();
end;
comment on function public.admin_orgs() is
  'Every org, newest first, with its first owner''s e-mail (null: it has none) and how many clients and '
  'subscriptions it has, for an admin of the platform: who may count another business''s clients, not read them. '
  'Raises PT403 platform_admin_required.';
revoke all on function public.admin_orgs() from public, anon, authenticated, service_role;
grant execute on function public.admin_orgs() to authenticated;
-- <<< functions_sql/orgs/admin_orgs.sql

-- >>> functions_sql/orgs/audit_entry.sql
create or replace function app.audit_entry(
  p_table name, p_old jsonb, p_new jsonb,
  out org_id uuid, out row_id uuid, out action text, out actor_role text, out changes jsonb
)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_row jsonb := coalesce(p_new, p_old);
  v_exceptions record := app.audit_exceptions(p_table);
begin
  action := case when p_old is null then 'insert' when p_new is null then 'delete' else 'update' end;
  select jsonb_object_agg(c.key, case
           when c.key = any (v_exceptions.secret) then '{"changed": true}'
           when action = 'update' then jsonb_build_object('from', p_old -> c.key, 'to', c.value)
           else c.value
         end)
    into changes
    from jsonb_each(v_row - v_exceptions.left_out) as c
   where c.value <> case action when 'update' then p_old -> c.key else 'null' end;
  if changes is null then
    return;
  end if;
  row_id := coalesce(v_row ->> 'id', v_row ->> 'org_id');
  org_id := coalesce(v_row ->> 'org_id', v_row ->> 'id');
  actor_role := app.actor_role(org_id);
  if actor_role is not null and p_table = 'org_members' and (p_old ->> 'user_id')::uuid = auth.uid() then
    actor_role := p_old ->> 'role';  -- who leaves, or becomes something else, did so as what they were
  end if;
end;
$$;
comment on function app.audit_entry(name, jsonb, jsonb) is
  'What public.audit_events says about one row written (p_old null: inserted, p_new null: deleted). actor_role is null '
  'when there is nothing to say: nothing changed that counts, or the whole org is gone.';
revoke all on function app.audit_entry(name, jsonb, jsonb) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/audit_entry.sql

-- >>> functions_sql/orgs/audit_exceptions.sql
-- plpgsql, here and in app.actor_role(): a SQL function is planned anew by every statement that calls it.
create or replace function app.audit_exceptions(p_table name, out secret text[], out left_out text[])
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  -- Whoever has one of these is let in by it, or paid by it.
  secret := case p_table
    when 'clients' then '{onboarding_token,portal_token}'
    when 'client_invites' then '{invite_code}'
    when 'client_waivers' then '{token}'
    when 'org_payout_settings' then '{bank_account_number,bank_bsb}'
    when 'subscriptions' then '{manage_url}'
    else '{}'
  end;
  left_out := case p_table
    when 'client_purchases' then '{sessions_remaining}'  -- generated
    when 'referral_links' then '{updated_at,clicks,signups}'  -- counters that visitors move
    else '{updated_at}'
  end;
end;
$$;
comment on function app.audit_exceptions(name) is
  'The columns that public.audit_events treats otherwise. secret: that they changed, never what they hold. left_out: '
  'not at all, because they only keep the books on others; an update of nothing else is none.';
revoke all on function app.audit_exceptions(name) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/audit_exceptions.sql

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
    -- What every booking and every ledger entry refers to is written out: its plan is kept, where the other one is made
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
  perform app.require_timezone(new.timezone);
  -- A zone that this server learned after the table was filled.
  insert into app.timezones (name) values (new.timezone) on conflict (name) do nothing;
  return new;
end;
$$;
comment on function app.check_timezone() is
  'Refuses an org time zone that is not an IANA name Postgres knows: see app.require_timezone.';
revoke all on function app.check_timezone() from public, anon, authenticated, service_role;

create or replace trigger orgs_timezone_is_known
  before insert or update of timezone on public.orgs
  for each row execute function app.check_timezone();
-- <<< functions_sql/orgs/check_timezone.sql

-- >>> functions_sql/orgs/clock_change.sql
create or replace function app.clock_change(p_after timestamptz, p_until timestamptz, p_timezone text)
  returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_offset interval := p_after at time zone p_timezone - p_after at time zone 'UTC';
  v_before bigint := floor(extract(epoch from p_after));
  v_after bigint := ceil(extract(epoch from p_until));
  v_middle bigint;
begin
  if p_until at time zone p_timezone - p_until at time zone 'UTC' = v_offset then
    return null;
  end if;
  -- Halved until one second is left: clocks change on a whole second.
  while v_after - v_before > 1 loop
    v_middle := (v_before + v_after) / 2;
    if to_timestamp(v_middle) at time zone p_timezone - to_timestamp(v_middle) at time zone 'UTC' = v_offset then
      v_before := v_middle;
    else
      v_after := v_middle;
    end if;
  end loop;
  return to_timestamp(v_after);
end;
$$;
comment on function app.clock_change(timestamptz, timestamptz, text) is
  'When the UTC offset of a zone changes, after p_after and not after p_until; null when it is the same at both. They '
  'are to be at most a day or two apart: nowhere has an offset changed twice within six days.';
revoke all on function app.clock_change(timestamptz, timestamptz, text)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/clock_change.sql

-- >>> functions_sql/orgs/create_default_session_types.sql
create or replace function app.create_default_session_types(p_org_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- An org of somebody else looks like one that does not exist.
  if app.acts_for_org(p_org_id) is not true or not exists (select from public.orgs as o where o.id = p_org_id) then
    raise exception using errcode = 'PT404', message = 'org_not_found',
      hint = 'Name a business whose owner or staff you are.';
  end if;
  perform app.add_default_session_types(p_org_id);
end;
$$;
comment on function app.create_default_session_types(uuid) is 'What public.create_default_session_types() promises.';
revoke all on function app.create_default_session_types(uuid) from public, anon, authenticated, service_role;
grant execute on function app.create_default_session_types(uuid) to authenticated, service_role;

create or replace function public.create_default_session_types(p_org_id uuid) returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.create_default_session_types(p_org_id);
end;
comment on function public.create_default_session_types(uuid) is
  'Gives an org the session types it was born with, as far as they are missing; those that are there stay as they '
  'are. For its owner and staff. Raises PT404 org_not_found.';
revoke all on function public.create_default_session_types(uuid) from public, anon, authenticated, service_role;
grant execute on function public.create_default_session_types(uuid) to authenticated, service_role;
-- <<< functions_sql/orgs/create_default_session_types.sql

-- >>> functions_sql/orgs/day_start.sql
create or replace function app.day_start(p_date date, p_timezone text) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_start timestamptz := app.local_to_instant(p_date::timestamp, p_timezone);
begin
  if v_start at time zone p_timezone <> p_date::timestamp then
    -- No midnight that day: the gap that swallows it may have begun the evening before.
    return app.clock_change(v_start - interval '24 hours', v_start, p_timezone);
  end if;
  return v_start;
end;
$$;
comment on function app.day_start(date, text) is
  'The first instant of a local date in an IANA zone: mostly midnight, where midnight is skipped the skip, where it '
  'repeats the first one. Of a date that a zone skipped (Pacific/Apia, 2011-12-30): where the next one starts. '
  'Null of null. Error: PT400 timezone_unknown.';
revoke all on function app.day_start(date, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/day_start.sql

-- >>> functions_sql/orgs/even_time.sql
create or replace function app.even_time(p_date date, p_timezone text)
  returns table (starts timestamptz, ends timestamptz, utc_offset interval)
  language plpgsql stable rows 1 security definer set search_path = ''
as $$
declare
  v_from timestamptz := app.day_start(p_date, p_timezone);
  v_to timestamptz := app.day_start(p_date + 1, p_timezone);
  v_last timestamptz := v_to - interval '1 microsecond';
  v_change timestamptz := case when v_from < v_to then app.clock_change(v_from, v_last, p_timezone) end;
begin
  starts := v_from;
  ends := coalesce(v_change, v_to);
  utc_offset := v_from at time zone p_timezone - v_from at time zone 'UTC';
  return next;
  if v_change is not null then
    starts := v_change;
    ends := v_to;
    utc_offset := v_last at time zone p_timezone - v_last at time zone 'UTC';
    return next;
  end if;
end;
$$;
comment on function app.even_time(date, text) is
  'The stretches [starts, ends) of a local date in which clocks run evenly, and what they are ahead of UTC: one, or '
  'two on a day on which clocks are changed. Of a date that the zone skipped: an empty one.';
revoke all on function app.even_time(date, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/even_time.sql

-- >>> functions_sql/orgs/forget_audit.sql
create or replace function app.forget_audit() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from public.audit_events as a using deleted_orgs as o where a.org_id = o.id;
  return null;
end;
$$;
comment on function app.forget_audit() is
  'The audit of an org goes with it. By now the keys'' cascades have taken the org''s other rows, and so have waited for '
  'everybody who was still changing one: whatever such a change recorded is there to be deleted.';
revoke all on function app.forget_audit() from public, anon, authenticated, service_role;

create or replace trigger orgs_forget_audit
  after delete on public.orgs
  referencing old table as deleted_orgs
  for each statement execute function app.forget_audit();
-- <<< functions_sql/orgs/forget_audit.sql

-- >>> functions_sql/orgs/format_local.sql
create or replace function app.format_local(p_at timestamptz, p_timezone text, p_pattern text) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  return to_char(p_at at time zone app.require_timezone(p_timezone), p_pattern);
end;
$$;
comment on function app.format_local(timestamptz, text, text) is
  'An instant as text in an IANA zone, with a to_char pattern; whatever the session''s own time zone. Null of null '
  'and of infinity. Error: PT400 timezone_unknown.';
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
  perform app.add_default_session_types(new.id);
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

-- >>> functions_sql/orgs/is_org_member.sql
create or replace function app.is_org_member(_org uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (select from app.my_org_ids() as m (org_id) where m.org_id = _org);
$$;
comment on function app.is_org_member(uuid) is 'What public.is_org_member() promises.';
revoke all on function app.is_org_member(uuid) from public, anon, authenticated, service_role;
grant execute on function app.is_org_member(uuid) to authenticated, service_role;

create or replace function public.is_org_member(_org uuid) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_org_member(_org);
end;
comment on function public.is_org_member(uuid) is
  'True when the signed-in user is a member of this org, in any role. False for everybody else, never null.';
revoke all on function public.is_org_member(uuid) from public, anon, authenticated, service_role;
grant execute on function public.is_org_member(uuid) to authenticated, service_role;
-- <<< functions_sql/orgs/is_org_member.sql

-- >>> functions_sql/orgs/is_platform_admin.sql
create or replace function app.is_platform_admin() returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select from public.platform_admins as a where a.user_id = (select auth.uid()) and a.role = 'admin'
  );
end;
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
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  v_hour integer := extract(hour from p_at at time zone app.require_timezone(p_timezone));
begin
  if p_start not between 0 and 23 or p_end not between 0 and 23 then
    raise exception using errcode = 'PT400', message = 'quiet_hours_invalid',
      hint = 'Quiet hours begin and end on 0 to 23.';
  end if;
  return case
    when p_at is null then null
    when p_start is null or p_end is null or p_start = p_end or not isfinite(p_at) then false
    when p_start < p_end then v_hour >= p_start and v_hour < p_end
    else v_hour >= p_start or v_hour < p_end
  end;
end;
$$;
comment on function app.is_quiet_time(timestamptz, text, integer, integer) is
  'True when the local wall clock is within quiet hours: p_start inclusive to p_end exclusive (hours 0-23), '
  'through midnight when p_start > p_end. Null or equal bounds: never quiet; nor is infinity. Null of a null instant. '
  'Errors: PT400 timezone_unknown, PT400 quiet_hours_invalid.';
revoke all on function app.is_quiet_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/is_quiet_time.sql

-- >>> functions_sql/orgs/limit_admin_writes.sql
create or replace function app.limit_admin_writes() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Row security lets staff and the platform's admins in; a column grant cannot tell one from the other.
  if current_setting('role') = 'authenticated' and not app.acts_for_org(old.id) then
    raise exception using errcode = 'PT403', message = 'org_is_the_coachs',
      hint = 'An admin of the platform changes what it earns; the rest is the owner''s and the staff''s to change.';
  end if;
  return new;
end;
$$;
comment on function app.limit_admin_writes() is
  'An admin of the platform changes an org''s commission_rate and nothing else: not its name, time zone or waiver. Raises '
  'PT403 org_is_the_coachs.';
revoke all on function app.limit_admin_writes() from public, anon, authenticated, service_role;

create or replace trigger orgs_limit_admin_writes before update on public.orgs
  for each row when (to_jsonb(old) - 'commission_rate' is distinct from to_jsonb(new) - 'commission_rate')
  execute function app.limit_admin_writes();
-- <<< functions_sql/orgs/limit_admin_writes.sql

-- >>> functions_sql/orgs/local_to_instant.sql
create or replace function app.local_to_instant(p_local timestamp, p_timezone text) returns timestamptz
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
declare
  -- Postgres reads a skipped wall time with the offset before the gap, as promised here, but takes the second
  -- of two passes (DetermineTimeZoneOffset in its datetime.c).
  v_last timestamptz := p_local at time zone app.require_timezone(p_timezone);
  v_before timestamptz := v_last - interval '24 hours';
  v_first timestamptz;
begin
  if not isfinite(p_local) then
    return v_last;
  end if;
  -- The same wall time read with the offset of a day before: the first pass, if there were two.
  v_first := (p_local - (v_before at time zone p_timezone - v_before at time zone 'UTC')) at time zone 'UTC';
  if v_first < v_last and v_first at time zone p_timezone = p_local then
    return v_first;
  end if;
  return v_last;
end;
$$;
comment on function app.local_to_instant(timestamp, text) is
  'The instant of a wall-clock time in an IANA zone. In a gap (clocks go forward): read with the offset before '
  'it. In a fold (clocks go back): the first occurrence. Null of null, infinity of infinity. '
  'Error: PT400 timezone_unknown.';
revoke all on function app.local_to_instant(timestamp, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/local_to_instant.sql

-- >>> functions_sql/orgs/lock_my_orgs.sql
create or replace function app.lock_my_orgs() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Before the statement, for a row trigger comes when its row is locked already.
  perform from public.orgs as o
    where o.id = any (array(select app.my_staff_org_ids()))
    order by o.id
      for no key update;
  return null;
end;
$$;
comment on function app.lock_my_orgs() is
  'Whoever writes a time zone, through the org or through a mirror of it, locks the org first and then the mirrors: so '
  'two who do it at once wait for each other in turn, and neither is refused.';
revoke all on function app.lock_my_orgs() from public, anon, authenticated, service_role;

create or replace trigger booking_settings_lock_org before insert or update of timezone on public.booking_settings
  for each statement execute function app.lock_my_orgs();
create or replace trigger sms_settings_lock_org before insert or update of timezone on public.sms_settings
  for each statement execute function app.lock_my_orgs();
-- <<< functions_sql/orgs/lock_my_orgs.sql

-- >>> functions_sql/orgs/my_org_ids.sql
-- Set-based on purpose: `org_id = any (array(select app.my_org_ids()))` runs once per query and uses the index.
-- In plpgsql, like all that policies call: it plans its query once per session, a function in SQL once per use, which
-- took longer than reading a week of bookings (`./just bench row_security`).
create or replace function app.my_org_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select m.org_id from public.org_members as m where m.user_id = (select auth.uid());
end;
$$;
comment on function app.my_org_ids() is 'Orgs the signed-in user is a member of, in any role: whose money they may read.';
revoke all on function app.my_org_ids() from public, anon, authenticated, service_role;
-- service_role has no org of its own, but reads a view that asks: org_earnings.
grant execute on function app.my_org_ids() to authenticated, service_role;
-- <<< functions_sql/orgs/my_org_ids.sql

-- >>> functions_sql/orgs/my_owned_org_ids.sql
create or replace function app.my_owned_org_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select m.org_id from public.org_members as m where m.user_id = (select auth.uid()) and m.role = 'owner';
end;
$$;
comment on function app.my_owned_org_ids() is 'Orgs the signed-in user owns: whose members and bank details they manage.';
revoke all on function app.my_owned_org_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_owned_org_ids() to authenticated;
-- <<< functions_sql/orgs/my_owned_org_ids.sql

-- >>> functions_sql/orgs/my_staff_org_ids.sql
create or replace function app.my_staff_org_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select m.org_id
      from public.org_members as m
     where m.user_id = (select auth.uid()) and m.role in ('owner', 'staff');
end;
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
  v_local timestamp;
  v_end timestamptz;
begin
  while app.is_quiet_time(v_at, p_timezone, p_start, p_end) loop
    v_local := v_at at time zone p_timezone;
    -- When this clock shows the end, if nobody changes it.
    v_end := v_at + (date_trunc('day', v_local) + make_interval(hours => p_end) - v_local);
    if v_end < v_at then
      v_end := v_end + interval '24 hours';
    end if;
    -- If somebody does, it may then be past the end, or before it again.
    v_at := coalesce(app.clock_change(v_at, v_end, p_timezone), v_end);
  end loop;
  return v_at;
end;
$$;
comment on function app.next_send_time(timestamptz, text, integer, integer) is
  'The first instant, not before p_at, outside quiet hours (see app.is_quiet_time), also where clocks change in '
  'between. Null of null, infinity of infinity. Errors: PT400 timezone_unknown, PT400 quiet_hours_invalid.';
revoke all on function app.next_send_time(timestamptz, text, integer, integer)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/next_send_time.sql

-- >>> functions_sql/orgs/org_for_visitor.sql
create or replace function app.org_for_visitor(p_org_id uuid) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('name', o.name, 'timezone', o.timezone, 'display_name', b.display_name,
                            'primary_color', b.primary_color, 'logo_url', b.logo_url)
    from public.orgs as o
    left join public.branding as b on b.org_id = o.id
   where o.id = p_org_id;
$$;
comment on function app.org_for_visitor(uuid) is 'What anybody may know of an org: its name, zone and looks.';
revoke all on function app.org_for_visitor(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/org_for_visitor.sql

-- >>> functions_sql/orgs/org_role.sql
create or replace function app.org_role(_org uuid) returns public.org_role
  language sql stable security definer set search_path = ''
as $$
  select m.role from public.org_members as m where m.org_id = _org and m.user_id = (select auth.uid());
$$;
comment on function app.org_role(uuid) is 'What public.org_role() promises.';
revoke all on function app.org_role(uuid) from public, anon, authenticated, service_role;
grant execute on function app.org_role(uuid) to authenticated, service_role;

create or replace function public.org_role(_org uuid) returns public.org_role
  language sql stable security invoker set search_path = ''
begin atomic
  select app.org_role(_org);
end;
comment on function public.org_role(uuid) is 'The signed-in user''s role in this org; null when they are no member.';
revoke all on function public.org_role(uuid) from public, anon, authenticated, service_role;
grant execute on function public.org_role(uuid) to authenticated, service_role;
-- <<< functions_sql/orgs/org_role.sql

-- >>> functions_sql/orgs/record_audit.sql
-- Per statement, not per row: the worker completing 500 bookings costs one insert of 500 rows.
create or replace function app.record_audit() returns trigger
  language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
begin
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
  'Writes what a statement changed to public.audit_events, one row for each row that it really changed.';
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

-- >>> functions_sql/orgs/refuse_audit_change.sql
create or replace function app.refuse_audit_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    if not exists (select from old_rows as r join public.orgs as o on o.id = r.org_id) then
      return null;  -- the whole org goes
    end if;
  end if;
  raise exception using errcode = 'PT403', message = 'audit_is_append_only',
    hint = 'What happened, happened: nobody changes or deletes a record of it.';
end;
$$;
comment on function app.refuse_audit_change() is
  'The audit is append-only, for everyone; it goes only with its org. Raises PT403 audit_is_append_only.';
revoke all on function app.refuse_audit_change() from public, anon, authenticated, service_role;

create or replace trigger audit_events_append_only
  before update or truncate on public.audit_events
  for each statement execute function app.refuse_audit_change();
create or replace trigger audit_events_no_delete
  after delete on public.audit_events
  referencing old table as old_rows
  for each statement execute function app.refuse_audit_change();
-- <<< functions_sql/orgs/refuse_audit_change.sql

-- >>> functions_sql/orgs/replace_furnished.sql
create or replace function app.replace_furnished() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The existing sign-up and the platform's admin page insert these right after the org, which has them from birth.
  -- A row is as it was born while it is as old as its org; then it makes way, and the insert goes on under the
  -- inserter's own rights: when those do not suffice, the statement fails and nothing is gone.
  execute format(
    'delete from public.%I as t using public.orgs as o'
    ' where t.org_id = $1 and o.id = t.org_id and t.updated_at = o.created_at', tg_table_name
  ) using new.org_id;
  return new;
end;
$$;
comment on function app.replace_furnished() is
  'A settings row that nobody has touched since app.furnish_org() made it gives way to one that is inserted; one that '
  'somebody has touched does not (23505).';
revoke all on function app.replace_furnished() from public, anon, authenticated, service_role;

create or replace trigger branding_replace_furnished before insert on public.branding
  for each row execute function app.replace_furnished();
create or replace trigger booking_settings_replace_furnished before insert on public.booking_settings
  for each row execute function app.replace_furnished();
-- <<< functions_sql/orgs/replace_furnished.sql

-- >>> functions_sql/orgs/require_platform_admin.sql
create or replace function app.require_platform_admin() returns void
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not app.is_platform_admin() then
    raise exception using errcode = 'PT403', message = 'platform_admin_required',
      hint = 'Only an admin of the platform may do this.';
  end if;
end;
$$;
comment on function app.require_platform_admin() is
  'Passes for an admin of the platform (role admin; not support, not readonly). Raises PT403 platform_admin_required.';
revoke all on function app.require_platform_admin() from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/require_platform_admin.sql

-- >>> functions_sql/orgs/require_timezone.sql
create or replace function app.require_timezone(p_timezone text) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  if exists (select from app.timezones as z where z.name = p_timezone) then
    return p_timezone;
  end if;
  -- Perhaps a zone newer than the table. Not capitalised are the server's own: localtime, posixrules, posix/…
  if p_timezone ~ '^[A-Z]' and exists (select from pg_catalog.pg_timezone_names as z where z.name = p_timezone) then
    return p_timezone;
  end if;
  -- `at time zone` takes more: abbreviations, any spelling, and POSIX strings such as 'UTC+3' or 'Mars/Phobos5', whose
  -- sign means the opposite of what it says and whose name means nothing.
  raise exception using errcode = 'PT400', message = 'timezone_unknown',
    hint = 'Use an IANA name, for example Australia/Brisbane.';
end;
$$;
comment on function app.require_timezone(text) is
  'The name itself, when it is that of an IANA zone this Postgres knows, spelled as IANA spells it. '
  'Error: PT400 timezone_unknown, also for null.';
revoke all on function app.require_timezone(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/orgs/require_timezone.sql

-- >>> functions_sql/orgs/take_org_timezone.sql
create or replace function app.take_org_timezone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- No org: the foreign key says so. Not null, so that row security speaks first.
  new.timezone := coalesce((select o.timezone from public.orgs as o where o.id = new.org_id), 'Australia/Brisbane');
  return new;
end;
$$;
comment on function app.take_org_timezone() is
  'A settings row that is inserted without a time zone takes its org''s; otherwise the column''s default would become '
  'everybody''s (app.mirror_timezone).';
revoke all on function app.take_org_timezone() from public, anon, authenticated, service_role;

create or replace trigger booking_settings_take_timezone before insert on public.booking_settings
  for each row when (new.timezone = '') execute function app.take_org_timezone();
create or replace trigger sms_settings_take_timezone before insert on public.sms_settings
  for each row when (new.timezone = '') execute function app.take_org_timezone();
-- <<< functions_sql/orgs/take_org_timezone.sql

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
  -- Whoever pays for it, the booking is covered from here on. Looked for first: an update has triggers of its own, also
  -- when it finds nothing.
  if new.delta > 0 and exists (
       select from public.bookings as b where b.id = new.booking_id and b.uncovered_reason is not null
     ) then
    update public.bookings as b set uncovered_reason = null where b.id = new.booking_id;
  end if;
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

-- >>> functions_sql/sessions/bookable_sessions_remaining.sql
create or replace function app.bookable_sessions_remaining(p_purchase_id uuid, p_now timestamptz default now())
  returns integer
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    (
      select greatest(0, p.sessions_remaining - app.sessions_held(p.id))
        from public.client_purchases as p
       where p.id = p_purchase_id and app.pack_problem(p, p.client_id, p_now) is null
    ),
    0
  );
$$;
comment on function app.bookable_sessions_remaining(uuid, timestamptz) is
  'Sessions of a pack that can still be booked at the instant p_now: remaining less held, never below 0; 0 for a pack '
  'that is unknown, unpaid, refunded or expired. Asks nobody who they are.';
revoke all on function app.bookable_sessions_remaining(uuid, timestamptz)
  from public, anon, authenticated, service_role;

create or replace function app.bookable_sessions_remaining_for_me(p_purchase_id uuid, p_now timestamptz)
  returns integer
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    (
      select app.bookable_sessions_remaining(p.id, p_now)
        from public.client_purchases as p
       where p.id = p_purchase_id
         and (app.acts_for_org(p.org_id) or p.client_id = any (array(select app.my_client_ids())))
    ),
    0
  );
$$;
comment on function app.bookable_sessions_remaining_for_me(uuid, timestamptz) is
  'What public.bookable_sessions_remaining() promises, at the instant p_now.';
revoke all on function app.bookable_sessions_remaining_for_me(uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.bookable_sessions_remaining_for_me(uuid, timestamptz) to authenticated, service_role;

create or replace function public.bookable_sessions_remaining(p_purchase_id uuid) returns integer
  language sql stable security invoker set search_path = ''
begin atomic
  select app.bookable_sessions_remaining_for_me(p_purchase_id, now());
end;
comment on function public.bookable_sessions_remaining(uuid) is
  'Sessions of a pack that can still be booked: remaining less those held by pending and confirmed bookings, never '
  'below 0. 0 for a pack that is unpaid, refunded, expired, unknown, or not the caller''s to see.';
revoke all on function public.bookable_sessions_remaining(uuid) from public, anon, authenticated, service_role;
grant execute on function public.bookable_sessions_remaining(uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/bookable_sessions_remaining.sql

-- >>> functions_sql/sessions/charge_reason.sql
-- plpgsql, as for everything that each completed booking calls: a SQL function is planned anew by every statement.
create or replace function app.charge_reason(p_status text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case p_status when 'no_show' then 'no_show' when 'cancelled' then 'late_cancellation'
                       when 'completed' then 'completed' end;
end;
$$;
comment on function app.charge_reason(text) is
  'What a booking in this state is charged for: completed, no_show, late_cancellation; null: in advance.';
revoke all on function app.charge_reason(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/charge_reason.sql

-- >>> functions_sql/sessions/client_statement.sql
create or replace function app.client_statement(p_client_id uuid, p_from date, p_to date, p_now timestamptz)
  returns table (
    entry_at timestamptz, kind text, sessions integer, balance integer, purchase_id uuid, pack_name text,
    booking_id uuid, session_start timestamptz, reason text
  )
  language sql stable security definer set search_path = ''
as $$
  with client as (
    select c.id,
           case when isfinite(p_from) then app.day_start(p_from, o.timezone) end as since,
           case when isfinite(p_to) then app.day_start(p_to + 1, o.timezone)
                else 'infinity' end as until
      from public.clients as c
      join public.orgs as o on o.id = c.org_id
     where c.id = p_client_id
       and (app.acts_for_org(c.org_id) or c.org_id = any (array(select app.my_org_ids()))
            or c.auth_user_id = auth.uid())
  ),
  packs as (
    select p.*, o.name
      from public.client_purchases as p
      join client as c on c.id = p.client_id
      join public.offers as o on o.id = p.offer_id
     where p.payment_status in ('succeeded', 'refunded') and p.sessions_total is not null
  ),
  entries as (
    select p.purchased_at as entry_at, 1 as rank, 'bought' as kind,
           p.sessions_total - coalesce(
             (select sum(l.total_delta) from public.session_ledger as l where l.purchase_id = p.id), 0
           )::integer as sessions,
           p.id as purchase_id, p.name, null::uuid as booking_id, null as reason, null::integer as seq,
           null::uuid as entry_id
      from packs as p
    union all
    select l.created_at, 2,
           case
             when l.entry_type = 'release' then 'given_back'
             when l.entry_type in ('adjustment', 'opening') then 'adjusted'
             when t.reason in ('no_show', 'late_cancellation') then 'forfeited'
             else 'used'
           end,
           l.total_delta - l.delta, p.id, p.name, l.booking_id, t.reason, l.booking_seq, l.id
      from packs as p
      join public.session_ledger as l on l.purchase_id = p.id
      left join public.bookings as b on b.id = l.booking_id
     cross join lateral (
             -- What the worker completed may turn out to be a no-show: the session is the same, what for is not.
             select case
               when l.entry_type = 'booking' and app.takes_session(b.status, b.forfeited)
                    and not exists (select from public.session_ledger as n
                                     where n.booking_id = l.booking_id and n.booking_seq > l.booking_seq)
               then app.charge_reason(b.status)
               else l.reason
             end as reason
           ) as t
    union all
    -- What lapsed is what is left by now: a session held before the pack expired may be taken after.
    select p.expires_at, 3, 'expired', -p.sessions_remaining, p.id, p.name, null, null, null, null
      from packs as p
     where p.payment_status = 'succeeded' and p.expires_at <= p_now
    union all
    select p.refunded_at, 3, 'refunded', -p.sessions_remaining, p.id, p.name, null, null, null, null
      from packs as p
     where p.payment_status = 'refunded'
  ),
  numbered as (
    select e.*, row_number() over (
             order by e.entry_at, e.rank, e.purchase_id, e.booking_id, e.seq, e.entry_id
           ) as n
      from entries as e
     where e.sessions <> 0
  ),
  running as (
    select e.*, sum(e.sessions) over (order by e.n)::integer as balance from numbered as e
  )
  select t.entry_at, t.kind, t.sessions, t.balance, t.purchase_id, t.name, t.booking_id, b.start_time, t.reason
    from (
      select c.since as entry_at, 'balance_forward' as kind, coalesce(sum(r.sessions), 0)::integer as sessions,
             coalesce(sum(r.sessions), 0)::integer as balance, null::uuid as purchase_id, null as name,
             null::uuid as booking_id, null as reason, 0 as n
        from client as c
        left join running as r on r.entry_at < c.since
       where c.since is not null
       group by c.since
      union all
      select r.entry_at, r.kind, r.sessions, r.balance, r.purchase_id, r.name, r.booking_id, r.reason, r.n
        from client as c
        join running as r on (c.since is null or r.entry_at >= c.since) and r.entry_at < c.until
    ) as t
    left join public.bookings as b on b.id = t.booking_id
   order by t.n;
$$;
comment on function app.client_statement(uuid, date, date, timestamptz) is
  'What public.client_statement() promises, at the instant p_now.';
revoke all on function app.client_statement(uuid, date, date, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.client_statement(uuid, date, date, timestamptz) to authenticated, service_role;

create or replace function public.client_statement(p_client_id uuid, p_from date default null, p_to date default null)
  returns table (
    entry_at timestamptz, kind text, sessions integer, balance integer, purchase_id uuid, pack_name text,
    booking_id uuid, session_start timestamptz, reason text
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select s.entry_at, s.kind, s.sessions, s.balance, s.purchase_id, s.pack_name, s.booking_id, s.session_start, s.reason
    from app.client_statement(p_client_id, p_from, p_to, now()) as s;
end;
comment on function public.client_statement(uuid, date, date) is
  'Every change of a client''s balance of sessions on the org''s dates p_from to p_to (both inclusive; null: open), in '
  'order: balance_forward, bought, used, forfeited (no-show or late cancellation), given_back, adjusted (by hand), '
  'expired, refunded. The sum of sessions is the last balance: what is left to use. For members of the org and the '
  'client; nothing for anybody else.';
revoke all on function public.client_statement(uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function public.client_statement(uuid, date, date) to authenticated, service_role;
-- <<< functions_sql/sessions/client_statement.sql

-- >>> functions_sql/sessions/cover_booking.sql
create or replace function app.cover_booking(p_booking_id uuid, p_purchase_id uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_problem text;
begin
  select b.* into v_booking
    from public.bookings as b
   where b.id = p_booking_id and app.acts_for_org(b.org_id)
     for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'booking_not_found',
      hint = 'Choose a booking of this business.';
  end if;
  if p_purchase_id is null then
    raise exception using errcode = 'PT400', message = 'pack_missing', hint = 'Say which pack pays.';
  end if;
  if not app.takes_session(v_booking.status, v_booking.forfeited) then
    raise exception using errcode = 'PT409', message = 'booking_not_charged',
      hint = 'Only a booking that took place, or was forfeited, takes a session.';
  end if;
  -- Charged by hand it may have been paid by another pack than it names. In the order of app.guard_booking().
  perform from public.client_purchases as p
    where p.org_id = v_booking.org_id
      and p.id = any (array[p_purchase_id, v_booking.purchase_id, app.paid_by(p_booking_id)])
    order by p.id
      for no key update;
  if app.paid_by(p_booking_id) <> p_purchase_id then
    perform app.give_back_session(p_booking_id, 'other_pack');
  end if;
  -- app.settle_booking() moves the charge from the pack before, or takes what that could not pay …
  update public.bookings as b set purchase_id = p_purchase_id where b.id = p_booking_id;
  -- … but not again what was given back by hand; and it says only in the row why it could not.
  v_problem := app.take_session(p_purchase_id, p_booking_id, v_booking.start_time);
  if v_problem is not null then
    perform app.raise_booking_problem(v_problem);
  end if;
end;
$$;
comment on function app.cover_booking(uuid, uuid) is 'What public.cover_booking() promises.';
revoke all on function app.cover_booking(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.cover_booking(uuid, uuid) to authenticated, service_role;

create or replace function public.cover_booking(p_booking_id uuid, p_purchase_id uuid) returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.cover_booking(p_booking_id, p_purchase_id);
end;
comment on function public.cover_booking(uuid, uuid) is
  'Pays a charged booking from this pack of the same client, in one step: another pack than it was on, a later one, or '
  'the same one topped up. Safe to repeat. When the pack cannot pay nothing changes: PT409 no_session_left, '
  'pack_unpaid, pack_refunded, pack_expired (before the session), pack_not_the_clients, booking_not_charged; PT404 '
  'booking_not_found, purchase_id_not_found; PT400 pack_missing. For the org''s staff.';
revoke all on function public.cover_booking(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.cover_booking(uuid, uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/cover_booking.sql

-- >>> functions_sql/sessions/give_back_session.sql
create or replace function app.give_back_session(p_booking_id uuid, p_reason text) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase_id uuid;
  v_seq integer;
  v_used integer;
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
  select p.sessions_used into v_used
    from public.client_purchases as p where p.id = v_purchase_id for no key update;
  -- A correction by hand may have given it back before: then the booking no longer has it, and nothing moves.
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq, reason)
  values (v_purchase_id, p_booking_id, 'release', -least(1, v_used), v_seq + 1, p_reason);
  return v_used - least(1, v_used);
end;
$$;
comment on function app.give_back_session(uuid, text) is
  'Gives back the session a booking took. Returns the pack''s new sessions_used, or -1 when the booking has none. Asks '
  'nobody who they are.';
revoke all on function app.give_back_session(uuid, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/give_back_session.sql

-- >>> functions_sql/sessions/hold_session.sql
create or replace function app.hold_session() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_holds_already boolean := tg_op = 'UPDATE' and old.status in ('pending', 'confirmed')
                             and new.purchase_id is not distinct from old.purchase_id;
  v_purchase public.client_purchases;
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
  -- One that has its session from this pack is used already, or gives back (app.settle_booking, after this) what it
  -- holds from then on.
  if v_problem is null and not v_holds_already and app.paid_by(new.id) is distinct from new.purchase_id
     and coalesce(v_purchase.sessions_remaining, 0) <= app.sessions_held(new.purchase_id, new.id) then
    v_problem := 'no_session_left';
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

-- >>> functions_sql/sessions/leave_completion_credit.sql
create or replace function app.leave_completion_credit() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Only who comes through the API makes the call that follows; the worker and the operator do not.
  if current_setting('role') in ('authenticated', 'service_role') then
    delete from app.completion_credits as c
     where c.id in (
       select k.id
         from app.completion_credits as k
        where k.purchase_id = new.purchase_id and k.created_at <= now() - interval '1 minute'
          for update skip locked
     );
    insert into app.completion_credits (purchase_id, user_id, created_at) values (new.purchase_id, auth.uid(), now());
  end if;
  return null;
end;
$$;
comment on function app.leave_completion_credit() is
  'Every update that sets a booking on a pack to completed, whether or not it changes anything, leaves one credit for '
  'the use_session() call with which the existing calendar follows it (app.completion_credits).';
revoke all on function app.leave_completion_credit() from public, anon, authenticated, service_role;

create or replace trigger bookings_leave_credit
  after update of status on public.bookings
  for each row when (new.status = 'completed' and new.purchase_id is not null)
  execute function app.leave_completion_credit();
-- <<< functions_sql/sessions/leave_completion_credit.sql

-- >>> functions_sql/sessions/my_offers.sql
create or replace function app.my_offers() returns table (
  id uuid, name text, description text, price_cents integer, currency text, session_duration_mins integer
)
  language sql stable security definer set search_path = ''
as $$
  select o.id, o.name, o.description, o.price_cents, o.currency, o.session_duration_mins
    from public.offers as o
    join public.clients as c on c.org_id = o.org_id
   where c.auth_user_id = (select auth.uid()) and o.is_active
   order by o.sort_order nulls last, o.name, o.id;
$$;
comment on function app.my_offers() is 'What public.my_offers() promises.';
revoke all on function app.my_offers() from public, anon, authenticated, service_role;
grant execute on function app.my_offers() to authenticated;

create or replace function public.my_offers() returns table (
  id uuid, name text, description text, price_cents integer, currency text, session_duration_mins integer
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_offers();
end;
comment on function public.my_offers() is
  'What the coach of the signed-in client sells at present, in the coach''s order. price_cents: smallest unit of '
  'currency. No row when the user is no client.';
revoke all on function public.my_offers() from public, anon, authenticated, service_role;
grant execute on function public.my_offers() to authenticated;
-- <<< functions_sql/sessions/my_offers.sql

-- >>> functions_sql/sessions/my_packages.sql
create or replace function app.my_packages(p_now timestamptz) returns table (
  id uuid, name text, sessions_total integer, sessions_used integer, sessions_remaining integer, sessions_bookable integer,
  expires_at timestamptz
)
  language sql stable security definer set search_path = ''
as $$
  select p.id, o.name, p.sessions_total, p.sessions_used, p.sessions_remaining,
         app.bookable_sessions_remaining(p.id, p_now), p.expires_at
    from public.client_purchases as p
    join public.offers as o on o.id = p.offer_id
   where p.client_id = any (array(select app.my_client_ids()))
     and p.payment_status = 'succeeded' and p.sessions_total > 0  -- a subscription is bought without a pack
   order by p.expires_at nulls last, p.purchased_at, p.id;
$$;
comment on function app.my_packages(timestamptz) is 'What public.my_packages() promises, at the instant p_now.';
revoke all on function app.my_packages(timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.my_packages(timestamptz) to authenticated;

create or replace function public.my_packages() returns table (
  id uuid, name text, sessions_total integer, sessions_used integer, sessions_remaining integer, sessions_bookable integer,
  expires_at timestamptz
)
  language sql stable security invoker set search_path = ''
begin atomic
  select * from app.my_packages(now());
end;
comment on function public.my_packages() is
  'Paid packs of the client that the signed-in user is, spent and expired ones too, the first to expire first. '
  'sessions_used: delivered; sessions_bookable: neither delivered nor booked. No row when the user is no client.';
revoke all on function public.my_packages() from public, anon, authenticated, service_role;
grant execute on function public.my_packages() to authenticated;
-- <<< functions_sql/sessions/my_packages.sql

-- >>> functions_sql/sessions/note_refund.sql
create or replace function app.note_refund() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.refunded_at := case when new.payment_status = 'refunded' then coalesce(old.refunded_at, now()) end;
  return new;
end;
$$;
comment on function app.note_refund() is 'Keeps client_purchases.refunded_at: since when the pack is refunded.';
revoke all on function app.note_refund() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_note_refund
  before insert or update of payment_status, refunded_at on public.client_purchases
  for each row execute function app.note_refund();
-- <<< functions_sql/sessions/note_refund.sql

-- >>> functions_sql/sessions/pack_problem.sql
create or replace function app.pack_problem(p_purchase public.client_purchases, p_client_id uuid, p_at timestamptz)
  returns text
  language sql immutable security invoker set search_path = ''
as $$
  select case
    when p_purchase.client_id <> p_client_id then 'pack_not_the_clients'
    when p_purchase.payment_status = 'refunded' then 'pack_refunded'
    when p_purchase.payment_status <> 'succeeded' then 'pack_unpaid'
    when p_purchase.expires_at <= p_at then 'pack_expired'
  end;
$$;
comment on function app.pack_problem(public.client_purchases, uuid, timestamptz) is
  'Why a pack cannot pay for a session of this client at the instant p_at, however many it has left, or null: '
  'pack_not_the_clients, pack_refunded, pack_unpaid, pack_expired. A null client: the pack''s own.';
revoke all on function app.pack_problem(public.client_purchases, uuid, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/pack_problem.sql

-- >>> functions_sql/sessions/paid_by.sql
create or replace function app.paid_by(p_booking_id uuid) returns uuid
  language sql stable security definer set search_path = ''
as $$
  -- A booking's entries alternate: taken, given back, taken again.
  select case when l.booking_seq % 2 = 1 then l.purchase_id end
    from public.session_ledger as l
   where l.booking_id = p_booking_id
   order by l.booking_seq desc
   limit 1;
$$;
comment on function app.paid_by(uuid) is
  'The pack a booking has taken its session from; null when it has taken none, or given it back.';
revoke all on function app.paid_by(uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/paid_by.sql

-- >>> functions_sql/sessions/record_direct_change.sql
create or replace function app.record_direct_change() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_delta integer := new.sessions_used - case when tg_op = 'INSERT' then 0 else old.sessions_used end;
  v_total_delta integer := case when tg_op = 'INSERT' then 0
                                else coalesce(new.sessions_total, 0) - coalesce(old.sessions_total, 0) end;
begin
  if (v_delta = 0 and v_total_delta = 0) or coalesce(current_setting('coach_os.ledger_entry', true), '') <> '' then
    return null;  -- unchanged, or changed by the ledger entry being inserted
  end if;
  -- What was never paid or used is still being written down: a coach may correct it, and delete it.
  if v_delta = 0 and tg_op = 'UPDATE' and new.payment_status in ('pending', 'failed')
     and old.payment_status in ('pending', 'failed')
     and not exists (select from public.session_ledger as l where l.purchase_id = new.id) then
    return null;
  end if;
  insert into public.session_ledger (org_id, purchase_id, entry_type, delta, total_delta, sessions_used_after)
  values (new.org_id, new.id, case when tg_op = 'INSERT' then 'opening' else 'adjustment' end,
          v_delta, v_total_delta, new.sessions_used);
  return null;
end;
$$;
comment on function app.record_direct_change() is
  'A direct write to sessions_used or sessions_total of a pack becomes a ledger entry with its actor; but for the total of '
  'one that was never paid and has no entry.';
revoke all on function app.record_direct_change() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_record_direct_change
  after insert or update of sessions_used, sessions_total on public.client_purchases
  for each row execute function app.record_direct_change();
-- <<< functions_sql/sessions/record_direct_change.sql

-- >>> functions_sql/sessions/release_session.sql
create or replace function app.release_session(p_purchase_id uuid, p_booking_id uuid default null) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_purchase public.client_purchases;
begin
  if p_booking_id is not null then
    perform from public.bookings as b where b.id = p_booking_id and app.acts_for_org(b.org_id) for no key update;
    if not found or app.paid_by(p_booking_id) <> p_purchase_id then
      return -1;
    end if;
    return app.give_back_session(p_booking_id, 'manual');
  end if;
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for no key update;
  if not found or not app.acts_for_org(v_purchase.org_id) or v_purchase.sessions_used = 0 then
    return -1;
  end if;
  insert into public.session_ledger (purchase_id, entry_type, delta) values (p_purchase_id, 'release', -1);
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
  'Gives one session back to a pack; with a booking, the one that booking took from it (with a null pack: from '
  'whichever it took it). Returns the new sessions_used, or -1 when there is nothing to give back.';
revoke all on function public.release_session(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.release_session(uuid, uuid) to authenticated, service_role;
-- <<< functions_sql/sessions/release_session.sql

-- >>> functions_sql/sessions/sessions_held.sql
create or replace function app.sessions_held(p_purchase_id uuid, p_except_booking_id uuid default null) returns integer
  language sql stable security definer set search_path = ''
as $$
  select count(*)::integer
    from public.bookings as b
   where b.purchase_id = p_purchase_id
     and b.status in ('pending', 'confirmed')
     and b.id is distinct from p_except_booking_id
     -- A coach may take the session before it is over: then it is used, not held.
     and app.paid_by(b.id) is null;
$$;
comment on function app.sessions_held(uuid, uuid) is
  'How many sessions of a pack are booked and not used yet: its pending and confirmed bookings, past or future, but '
  'for one if named.';
revoke all on function app.sessions_held(uuid, uuid) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/sessions_held.sql

-- >>> functions_sql/sessions/settle_booking.sql
create or replace function app.settle_booking() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_took boolean := tg_op = 'UPDATE' and app.takes_session(old.status, old.forfeited);
  v_takes boolean := app.takes_session(new.status, new.forfeited);
  v_other_pack boolean := tg_op = 'UPDATE' and new.purchase_id is distinct from old.purchase_id;
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
  language sql volatile security definer set search_path = ''
as $$
  -- Two calls at once take two credits: the second skips the one the first has locked.
  with taken as (
    delete from app.completion_credits as c
     where c.id = (
       select k.id
         from app.completion_credits as k
        where k.purchase_id = p_purchase_id and k.user_id is not distinct from auth.uid()
          and k.created_at > p_now - interval '1 minute'
        order by k.id
        limit 1
          for update skip locked
     )
    returning c.id
  )
  select exists (select from taken);
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
  v_booking public.bookings;
  v_seq integer;
  v_problem text;
begin
  -- Lock order everywhere: booking, then purchase. Never `for update`: foreign keys share these rows.
  if p_booking_id is not null then
    select b.* into v_booking from public.bookings as b where b.id = p_booking_id for no key update;
    if not found then
      return 'booking_not_found';
    end if;
  end if;
  select p.* into v_purchase from public.client_purchases as p where p.id = p_purchase_id for no key update;
  if not found then
    return 'pack_not_found';
  end if;
  if p_booking_id is not null then
    select coalesce(max(l.booking_seq), 0) into v_seq
      from public.session_ledger as l where l.booking_id = p_booking_id;
    if v_seq % 2 = 1 then
      return null;  -- this booking has its session already
    end if;
  end if;
  v_problem := app.pack_problem(v_purchase, v_booking.client_id, p_at);
  if v_problem is null and coalesce(v_purchase.sessions_remaining, 0) <= 0 then
    v_problem := 'no_session_left';
  end if;
  if v_problem is not null then
    return v_problem;
  end if;
  insert into public.session_ledger (purchase_id, booking_id, entry_type, delta, booking_seq, reason)
  values (p_purchase_id, p_booking_id, case when p_booking_id is null then 'manual' else 'booking' end,
          1, v_seq + 1, app.charge_reason(v_booking.status));
  return null;
end;
$$;
comment on function app.take_session(uuid, uuid, timestamptz) is
  'Takes one session from a pack, for a booking once and never twice. Null: taken, now or before. Else why not: '
  'booking_not_found, pack_not_found, no_session_left, or one of app.pack_problem() at the instant p_at. Asks nobody '
  'who they are.';
revoke all on function app.take_session(uuid, uuid, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/take_session.sql

-- >>> functions_sql/sessions/takes_session.sql
create or replace function app.takes_session(p_status text, p_forfeited boolean) returns boolean
  language sql immutable parallel safe security invoker set search_path = ''
as $$
  select p_status = 'completed' or (p_status in ('no_show', 'cancelled') and p_forfeited);
$$;
comment on function app.takes_session(text, boolean) is
  'Whether a booking in this state is charged a session: it took place, or it was forfeited.';
revoke all on function app.takes_session(text, boolean) from public, anon, authenticated, service_role;
-- <<< functions_sql/sessions/takes_session.sql

-- >>> functions_sql/sessions/use_session.sql
create or replace function app.use_session(
  p_purchase_id uuid, p_booking_id uuid default null, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- A purchase of another org looks like one that does not exist; a booking must be of the same one.
  if not exists (
       select from public.client_purchases as p where p.id = p_purchase_id and app.acts_for_org(p.org_id)
          and (p_booking_id is null or exists (
                 select from public.bookings as b where b.id = p_booking_id and b.org_id = p.org_id))
     ) then
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
               when app.is_phone_suppressed(m.org_id, m.to_phone) then 'number_suppressed'
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

-- >>> functions_sql/sms/insert_sms_direct.sql
create or replace function app.insert_sms_direct(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz, p_related_entity_type text,
  p_related_entity_id uuid, p_idempotency_key text, p_template_key text default null, p_template_id uuid default null,
  p_variables jsonb default null, out message_id uuid, out refusal text
)
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  refusal := case
    when coalesce(p_body, '') !~ '\S' or length(p_body) > 1600 then 'sms_body_invalid' -- Twilio's limit
    when app.is_phone_suppressed(
           p_org_id, (select c.phone from public.clients as c where c.id = p_client_id and c.org_id = p_org_id)
         ) then 'number_suppressed'
    when p_related_entity_type = 'booking' and not exists (
           select from public.bookings as b where b.id = p_related_entity_id and b.org_id = p_org_id
         ) then 'booking_not_found'
  end;
  if refusal is null then
    select q.message_id, q.refusal into message_id, refusal
      from app.queue_sms(p_org_id, p_client_id, p_body, p_scheduled_for, p_related_entity_type, p_related_entity_id,
                         p_idempotency_key, p_template_key, p_template_id, p_variables) as q;
  end if;
end;
$$;
comment on function app.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb) is
  'A text that somebody outside asks for: app.queue_sms(), and its refusals, after sms_body_invalid (blank, or longer '
  'than 1600 characters), number_suppressed, booking_not_found (related to a booking that is not the org''s).';
revoke all on function app.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function app.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb)
  to service_role;

create or replace function public.insert_sms_direct(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz default now(),
  p_related_entity_type text default null, p_related_entity_id uuid default null,
  p_idempotency_key text default null
) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select i.message_id
    from app.insert_sms_direct(p_org_id, p_client_id, p_body, coalesce(p_scheduled_for, now()), p_related_entity_type,
                               p_related_entity_id, p_idempotency_key) as i;
end;
comment on function public.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text) is
  'Queues a text to an org''s client, from p_scheduled_for on (default now). Its id; null when it was not queued: '
  'client missing or of another org, no phone, number suppressed, texting off or without a sender, body blank or '
  'longer than 1600 characters, a booking of another org, or p_idempotency_key used before.';
revoke all on function public.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.insert_sms_direct(uuid, uuid, text, timestamptz, text, uuid, text) to service_role;
-- <<< functions_sql/sms/insert_sms_direct.sql

-- >>> functions_sql/sms/insert_sms_from_service.sql
create or replace function app.insert_sms_from_service(
  p_org_id uuid, p_client_id uuid, p_template_key text, p_variables jsonb, p_scheduled_for timestamptz,
  p_related_entity_type text, p_related_entity_id uuid, p_idempotency_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_template public.sms_templates;
  v_message_id uuid;
  v_refusal text;
begin
  select t.* into v_template
    from public.sms_templates as t
   where t.org_id = p_org_id and t.template_key = p_template_key and t.is_active
   order by t.version desc
   limit 1;
  if not found then
    v_refusal := 'template_not_found';
  elsif exists (
    select from public.clients as c
     where c.id = p_client_id and c.org_id = p_org_id and c.phone ~ '\S' and c.phone !~ '^\+[0-9]{10,15}$'
  ) then
    v_refusal := 'phone_invalid';
  else
    select i.message_id, i.refusal into v_message_id, v_refusal
      from app.insert_sms_direct(
        p_org_id, p_client_id, app.render_sms_template(v_template.body, p_variables), p_scheduled_for,
        p_related_entity_type, p_related_entity_id, p_idempotency_key, p_template_key, v_template.id, p_variables
      ) as i;
  end if;
  if v_refusal is not null then
    raise exception using
      errcode = case
        when v_refusal like '%\_not\_found' then 'PT404'
        when v_refusal like '%\_invalid' then 'PT400'
        else 'PT409'
      end,
      message = v_refusal,
      hint = 'The text was not queued; docs/errors.md says what this code means.';
  end if;
  return v_message_id;
end;
$$;
comment on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text) is
  'What public.insert_sms_from_service() promises.';
revoke all on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function app.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;

create or replace function public.insert_sms_from_service(
  p_org_id uuid, p_client_id uuid, p_template_key text, p_variables jsonb default '{}',
  p_scheduled_for timestamptz default now(), p_related_entity_type text default null,
  p_related_entity_id uuid default null, p_idempotency_key text default null
) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.insert_sms_from_service(p_org_id, p_client_id, p_template_key, p_variables,
                                     coalesce(p_scheduled_for, now()), p_related_entity_type, p_related_entity_id,
                                     p_idempotency_key);
end;
comment on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text) is
  'Queues a text to an org''s client with the words of the newest active version of a template, from p_scheduled_for '
  'on (default now). Its id, always. Errors: PT404 template_not_found, client_not_found, booking_not_found; PT400 '
  'phone_invalid (the client''s number is not + and 10 to 15 digits), sms_body_invalid; PT409 phone_missing, '
  'number_suppressed, sms_disabled, sms_sender_missing, sms_already_queued (the key was used before).';
revoke all on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;
-- <<< functions_sql/sms/insert_sms_from_service.sql

-- >>> functions_sql/sms/is_phone_suppressed.sql
create or replace function app.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (select from public.sms_suppression as x where x.org_id = p_org_id and x.phone = p_phone);
$$;
comment on function app.is_phone_suppressed(uuid, text) is 'What public.is_phone_suppressed() promises.';
revoke all on function app.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.is_phone_suppressed(uuid, text) to service_role;

create or replace function public.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_phone_suppressed(p_org_id, p_phone);
end;
comment on function public.is_phone_suppressed(uuid, text) is
  'True when this org must not text this number (as written, E.164): the client said STOP, or it cannot be reached. '
  'Another org''s suppressions do not count.';
revoke all on function public.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.is_phone_suppressed(uuid, text) to service_role;
-- <<< functions_sql/sms/is_phone_suppressed.sql

-- >>> functions_sql/sms/queue_booking_sms.sql
create or replace function app.queue_booking_sms(
  p_booking public.bookings, p_kind text, p_body text, p_scheduled_for timestamptz, p_key text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_org public.orgs;
  v_message_id uuid;
begin
  select c.* into v_client from public.clients as c where c.id = p_booking.client_id and c.org_id = p_booking.org_id;
  select o.* into v_org from public.orgs as o where o.id = p_booking.org_id;
  select q.message_id into v_message_id from app.queue_sms(
    p_booking.org_id, p_booking.client_id,
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
    p_scheduled_for, 'booking', p_booking.id, p_key, p_kind
  ) as q;
  return v_message_id;
end;
$$;
comment on function app.queue_booking_sms(public.bookings, text, text, timestamptz, text) is
  'Writes a text about a booking to the outbox, once per key, with times in the org''s zone. Null: not queued, '
  'for a reason that app.queue_sms() knows.';
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
  if (tg_op = 'INSERT' or new.start_time <> old.start_time or old.status = 'pending')
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
  'A new booking, and one that the coach accepts, queues its confirmation, a completed one its follow-ups, a cancelled one takes back what has not '
  'been sent: in the transaction that causes it.';
revoke all on function app.queue_booking_texts() from public, anon, authenticated, service_role;

-- After bookings_settle (triggers fire by name), so that a follow-up counts the session just used.
create or replace trigger bookings_texts
  after insert or update of status, start_time on public.bookings
  for each row execute function app.queue_booking_texts();
-- <<< functions_sql/sms/queue_booking_texts.sql

-- >>> functions_sql/sms/queue_coach_sms.sql
create or replace function app.queue_coach_sms(
  p_org_id uuid, p_kind text, p_body text, p_entity_type text, p_entity_id uuid, p_key text, p_now timestamptz
) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  -- No client_id: it is not a text to the client, and does not count as one.
  insert into public.sms_messages as m (
    org_id, to_phone, from_phone, template_key, body, related_entity_type, related_entity_id, scheduled_for,
    idempotency_key
  )
  select s.org_id, p.phone, s.twilio_phone_number, p_kind, p_body, p_entity_type, p_entity_id, p_now, p_key
    from public.sms_settings as s
    join public.booking_settings as b on b.org_id = s.org_id
   cross join app.clean_phone(b.notify_phone) as p (phone)
   where s.org_id = p_org_id and s.enabled and s.twilio_phone_number is not null
     and p.phone ~ '^\+[1-9][0-9]{6,14}$'
  on conflict (idempotency_key) do nothing
  returning m.id;
$$;
comment on function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz) is
  'Writes a text to the coach''s own phone (booking_settings.notify_phone) to the outbox, once per key, due at p_now. '
  'Null: not queued (texting off, no sender, no phone of the coach''s, or queued before).';
revoke all on function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_coach_sms.sql

-- >>> functions_sql/sms/queue_pending_sms.sql
create or replace function app.queue_pending_sms(p_now timestamptz) returns integer
  language sql volatile security definer set search_path = ''
as $$
  with due as (
    select m.id
      from public.sms_messages as m
     where m.status = 'pending' and m.scheduled_for <= p_now
       for update skip locked  -- what a sender holds is on its way already
  ),
  queued as (
    update public.sms_messages as m set status = 'queued' from due as d where m.id = d.id returning m.id
  )
  select count(*)::integer from queued;
$$;
comment on function app.queue_pending_sms(timestamptz) is
  'What public.queue_pending_sms() promises, at the instant p_now.';
revoke all on function app.queue_pending_sms(timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.queue_pending_sms(timestamptz) to service_role;

create or replace function public.queue_pending_sms() returns integer
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.queue_pending_sms(now());
end;
comment on function public.queue_pending_sms() is
  'Marks the pending texts whose time has come as queued, and says how many. The worker sends due texts in either '
  'state; this is for whoever looks at the state.';
revoke all on function public.queue_pending_sms() from public, anon, authenticated, service_role;
grant execute on function public.queue_pending_sms() to service_role;
-- <<< functions_sql/sms/queue_pending_sms.sql

-- >>> functions_sql/sms/queue_sms.sql
create or replace function app.queue_sms(
  p_org_id uuid, p_client_id uuid, p_body text, p_scheduled_for timestamptz, p_related_entity_type text,
  p_related_entity_id uuid, p_idempotency_key text, p_template_key text default null, p_template_id uuid default null,
  p_variables jsonb default null, out message_id uuid, out refusal text
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_to text;
  v_from text;
begin
  -- Whether it may be sent is looked at again when it is (app.claim_sms): what changes until then is honoured there.
  select case
           when c.id is null then 'client_not_found'
           when coalesce(c.phone, '') !~ '\S' then 'phone_missing'
           when s.enabled is not true then 'sms_disabled'
           when s.twilio_phone_number is null then 'sms_sender_missing'
         end,
         c.phone, s.twilio_phone_number
    into refusal, v_to, v_from
    from (values (p_org_id)) as o (id)
    left join public.clients as c on c.id = p_client_id and c.org_id = o.id
    left join public.sms_settings as s on s.org_id = o.id;
  if refusal is not null then
    return;
  end if;
  insert into public.sms_messages as m (
    org_id, client_id, to_phone, from_phone, template_id, template_key, body, variables, related_entity_type,
    related_entity_id, scheduled_for, idempotency_key
  )
  values (
    p_org_id, p_client_id, v_to, v_from, p_template_id, p_template_key, p_body, p_variables, p_related_entity_type,
    p_related_entity_id, p_scheduled_for, p_idempotency_key
  )
  on conflict (idempotency_key) do nothing
  returning m.id into message_id;
  if message_id is null then
    refusal := 'sms_already_queued';
  end if;
end;
$$;
comment on function app.queue_sms(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb) is
  'The one way into the outbox: a text to an org''s client, from the org''s number, once per key (null: no key). '
  'Answers the message''s id, or why there is none: client_not_found (also another org''s), phone_missing, '
  'sms_disabled (or no settings), sms_sender_missing, sms_already_queued. Suppressed numbers are the sender''s to '
  'refuse: there the refusal stays visible, and a START in the meantime counts.';
revoke all on function app.queue_sms(uuid, uuid, text, timestamptz, text, uuid, text, text, uuid, jsonb)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_sms.sql

-- >>> functions_sql/sms/render_sms_template.sql
create or replace function app.render_sms_template(p_template_body text, p_variables jsonb) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  -- Nobody asks for a gigabyte by a long value that many placeholders name: past the 1600 characters that are sent, a
  -- value is cut, and a template past ten times as many.
  -- Cut at each opening once: a value that itself looks like a placeholder is text, not a placeholder.
  return (
    select coalesce(
             string_agg(
               case
                 when p.n = 1 then p.piece
                 when m.parts is null then '{{' || p.piece
                 else left(coalesce(p_variables ->> m.parts[1], ''), 1601) || m.parts[2]
               end,
               '' order by p.n
             ),
             '')
      from string_to_table(left(p_template_body, 16000), '{{') with ordinality as p (piece, n)
      left join lateral regexp_match(p.piece, '^\s*([A-Za-z0-9_]+)\s*\}\}(.*)$', 's') as m (parts) on p.n > 1
  );
end;
$$;
comment on function app.render_sms_template(text, jsonb) is
  'Fills {{placeholders}} from a JSON object; one that is missing there becomes empty.';
revoke all on function app.render_sms_template(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.render_sms_template(text, jsonb) to authenticated, service_role;

create or replace function public.render_sms_template(p_template_body text, p_variables jsonb) returns text
  language sql immutable security invoker set search_path = ''
begin atomic
  select app.render_sms_template(p_template_body, p_variables);
end;
comment on function public.render_sms_template(text, jsonb) is
  'Fills {{placeholders}} (letters, digits, underscores) from a JSON object; one that is missing there becomes empty.';
revoke all on function public.render_sms_template(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.render_sms_template(text, jsonb) to authenticated, service_role;
-- <<< functions_sql/sms/render_sms_template.sql

-- >>> functions_sql/sms/session_time.sql
create or replace function app.session_time(p_at timestamptz, p_timezone text) returns text
  language plpgsql stable parallel safe security invoker set search_path = ''
as $$
begin
  return app.format_local(p_at, p_timezone, 'FMDy FMDD FMMon "at" FMHH12:MI am');
end;
$$;
comment on function app.session_time(timestamptz, text) is
  'When a session is, as every text says it: "Mon 5 Jan at 9:00 am", in an IANA zone.';
revoke all on function app.session_time(timestamptz, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/session_time.sql

-- >>> functions_sql/sms/take_provider_id.sql
create or replace function app.take_provider_id() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  select a.provider_message_id into new.provider_message_id
    from public.sms_attempts as a
   where a.message_id = new.id and a.status = 'success'
   order by a.attempt_number desc
   limit 1;
  return new;
end;
$$;
comment on function app.take_provider_id() is
  'The sender of the existing functions keeps Twilio''s id with the attempt only; a text that it marks as sent gets it '
  'from there, so that Twilio''s reports find the text.';
revoke all on function app.take_provider_id() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_take_provider_id before update of status on public.sms_messages
  for each row when (new.status in ('sent', 'delivered') and new.provider_message_id is null)
  execute function app.take_provider_id();
-- <<< functions_sql/sms/take_provider_id.sql
