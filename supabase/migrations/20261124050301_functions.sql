-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.
set lock_timeout = '5s';
set check_function_bodies = off;

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
  v_phone text;
  v_client public.clients;
  v_booking public.bookings;
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name.';
  end if;
  if v_email is null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Give an e-mail address.';
  end if;
  v_phone := app.clean_phone('phone', p_phone, v_org.country_code);
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

-- >>> functions_sql/clients/capture_inquiry.sql
create or replace function app.capture_inquiry(
  p_org_slug text, p_name text, p_email text, p_phone text, p_message text, p_source text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
  v_country text;
  v_name text := app.clean_text('name', p_name, 200);
  v_email text := app.clean_email('email', p_email);
  v_phone text;
  v_message text := app.clean_text('message', p_message, 5000, true);
  v_source text := coalesce(app.clean_text('source', p_source, 50), 'website');
begin
  if v_name is null then
    raise exception using errcode = 'PT400', message = 'name_invalid', hint = 'Give a name of 1 to 200 characters.';
  end if;
  select o.id, o.country_code into v_org_id, v_country from public.orgs as o where o.slug = p_org_slug;
  if not found then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'org_slug names no business.';
  end if;
  v_phone := app.clean_phone('phone', p_phone, v_country);
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

-- >>> functions_sql/clients/clean_onboarding.sql
create or replace function app.clean_onboarding(p_answers jsonb, p_today date, p_country text) returns jsonb
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
        v_value := to_jsonb(app.clean_phone(v_field, app.json_text(v_field, v_value), p_country));
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
comment on function app.clean_onboarding(jsonb, date, text) is
  'A client''s answers as they are stored in the columns of the same names: empty ones null, phones in E.164. '
  'p_today: the org''s date; p_country: its country, for phones without one. Raises PT400 answers_invalid, answer_unknown, or <field>_invalid with a hint '
  'that says what is allowed.';
revoke all on function app.clean_onboarding(jsonb, date, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_onboarding.sql

-- >>> functions_sql/clients/clean_phone.sql
create or replace function app.clean_phone(p_field text, p_phone text, p_country text) returns text
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_typed text := app.clean_text(p_field, p_phone, 40);
  v_phone text := app.normal_phone(v_typed, p_country);
begin
  if v_typed is not null and v_phone is null then
    raise exception using errcode = 'PT400', message = p_field || '_invalid',
      hint = 'Give a whole phone number; one of another country begins with + and the country''s code.';
  end if;
  return v_phone;
end;
$$;
comment on function app.clean_phone(text, text, text) is
  'A phone number that a visitor types, in E.164 (app.normal_phone); null when empty. Raises PT400 <field>_invalid.';
revoke all on function app.clean_phone(text, text, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/clean_phone.sql

-- >>> functions_sql/clients/due_push_tickets.sql
create or replace function app.due_push_tickets(p_now timestamptz, p_limit integer) returns text[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tickets text[];
begin
  -- Expo keeps what became of a push for a day.
  delete from app.push_tickets as k
   where k.ticket_id in (
           select d.ticket_id
             from app.push_tickets as d
            where d.check_at <= p_now and d.sent_at < p_now - interval '24 hours'
              for update skip locked
         );
  with due as (
    select k.ticket_id
      from app.push_tickets as k
     where k.check_at <= p_now
     order by k.check_at
     limit p_limit
       for no key update skip locked
  ),
  handed as (
    update app.push_tickets as k
       set check_at = p_now + interval '15 minutes'
      from due as d
     where k.ticket_id = d.ticket_id
    returning k.ticket_id
  )
  select array_agg(h.ticket_id) into v_tickets from handed as h;
  return coalesce(v_tickets, '{}');
end;
$$;
comment on function app.due_push_tickets(timestamptz, integer) is
  'Pushes that Expo is to be asked about now, each to one caller; those without an answer yet come again in a quarter of '
  'an hour, for a day.';
revoke all on function app.due_push_tickets(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.due_push_tickets(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/clients/due_push_tickets.sql

-- >>> functions_sql/clients/normal_phone.sql
create or replace function app.normal_phone(p_phone text, p_country text) returns text
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  -- As hands and other programs write it: full-width or Arabic digits, blanks, dashes, dots, slashes, brackets, marks
  -- that nobody sees.
  v_dialled text := regexp_replace(
    translate(normalize(left(p_phone, 250), nfkc),
              U&'\0660\0661\0662\0663\0664\0665\0666\0667\0668\0669\06F0\06F1\06F2\06F3\06F4\06F5\06F6\06F7\06F8\06F9',
              '01234567890123456789'),
    '[-\s().\[\]/~\u00AD\u200B-\u200F\u2010-\u2015\u202A-\u202E\u2053\u2060-\u2069\u2212\u223C\u30FC\uFEFF]', '', 'g');
  v_has_plus boolean := starts_with(v_dialled, '+');
  v_home app.phone_regions;
  v_region app.phone_regions;
  v_number text;
  v_shorter text;
begin
  v_dialled := ltrim(v_dialled, '+');
  if v_dialled is null or length(p_phone) > 250 or v_dialled !~ '^[0-9]{3,20}$' then
    return null;
  end if;
  if v_has_plus then
    v_region := app.phone_region_of(v_dialled);
    v_number := substr(v_dialled, length(v_region.calling_code::text) + 1);
  end if;
  if v_region.region is null then  -- also with a + before what is no country's code
    select r.* into v_home from app.phone_regions as r where r.region = p_country;
    v_number := regexp_replace(v_dialled, '^(?:' || v_home.international_prefix || ')', '');
    if v_number <> v_dialled and not starts_with(v_number, '0') then
      v_region := app.phone_region_of(v_number);
      v_number := substr(v_number, length(v_region.calling_code::text) + 1);
    else
      -- The country's own code without +, if that makes a number of what was none, or was too long for one.
      v_number := app.strip_national_prefix(
        substr(v_dialled, length(v_home.calling_code::text) + 1), v_home);
      if starts_with(v_dialled, v_home.calling_code::text)
         and ((v_dialled !~ ('^(?:' || v_home.pattern || ')$') and v_number ~ ('^(?:' || v_home.pattern || ')$'))
              or (length(v_dialled) > v_home.lengths[cardinality(v_home.lengths)]
                  and length(v_dialled) <> all (v_home.local_lengths))) then
        v_region := app.phone_region_of(v_dialled);
      elsif not v_has_plus then
        v_region := v_home;
        v_number := v_dialled;
      end if;
    end if;
  end if;
  if v_region.region is null then
    return null;
  end if;
  v_shorter := app.strip_national_prefix(v_number, v_region);
  -- A prefix is only that if what is left can be a number.
  if length(v_shorter) = any (v_region.lengths)
     or length(v_shorter) > v_region.lengths[cardinality(v_region.lengths)] then
    v_number := v_shorter;
  end if;
  -- Countries that share a calling code share its numbers: somebody in Guernsey may write one of Great Britain's.
  select r.* into v_region from app.phone_regions as r where r.is_main and r.calling_code = v_region.calling_code;
  return case
    when length(v_number) = any (v_region.lengths) and v_number ~ ('^(?:' || v_region.pattern || ')$')
         and length(v_region.calling_code::text || v_number) between 7 and 15
      then '+' || v_region.calling_code || v_number
  end;
end;
$$;
comment on function app.normal_phone(text, text) is
  'A phone number in E.164 (+61412345678), read as libphonenumber reads it where somebody in p_country (ISO 3166-1, as '
  'orgs.country_code) wrote it; null when it is none: words, an extension, a length or beginning that the country''s '
  'numbers do not have. The one place that reads numbers; tests/py/clients/test_phones.py compares it with the library.';
revoke all on function app.normal_phone(text, text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/normal_phone.sql

-- >>> functions_sql/clients/phone_region_of.sql
create or replace function app.phone_region_of(p_digits text) returns app.phone_regions
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  v_region app.phone_regions;
begin
  -- No calling code begins with another one.
  select r.* into v_region
    from app.phone_regions as r
   where r.is_main and length(p_digits) > 2
     and r.calling_code in (left(p_digits, 1)::integer, left(p_digits, 2)::integer, left(p_digits, 3)::integer)
     and starts_with(p_digits, r.calling_code::text);
  return v_region;
end;
$$;
comment on function app.phone_region_of(text) is
  'Whose calling code these digits begin with, the code''s main country where several share it; null for nobody''s.';
revoke all on function app.phone_region_of(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/phone_region_of.sql

-- >>> functions_sql/clients/push_targets.sql
create or replace function app.push_targets(p_client_ids uuid[], p_user_id uuid default null)
  returns table (client_id uuid, push_token_id uuid, token text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select c.id, t.id, t.expo_token
    from public.clients as c
    left join public.push_tokens as t on t.client_id = c.id
   where c.id = any (p_client_ids)
     and (p_user_id is null or exists (
           select from public.org_members as m
            where m.org_id = c.org_id and m.user_id = p_user_id and m.role in ('owner', 'staff')
         ))
   order by c.id, t.created_at, t.id;
end;
$$;
comment on function app.push_targets(uuid[], uuid) is
  'The devices of clients: a row for each, one with nulls for a client without any, none for a client who does not '
  'exist or, with p_user_id, is not of an org in which that user (verified by the caller) is owner or staff.';
revoke all on function app.push_targets(uuid[], uuid) from public, anon, authenticated, service_role;
grant execute on function app.push_targets(uuid[], uuid) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/clients/push_targets.sql

-- >>> functions_sql/clients/read_client_phone.sql
create or replace function app.read_client_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.phone_e164 := app.normal_phone(
    new.phone, (select o.country_code from public.orgs as o where o.id = new.org_id));
  -- Whoever types it is told; what is brought over from elsewhere stays as it is, and is shown as not reachable.
  if new.phone_e164 is null and new.phone ~ '\S' and current_setting('role') = 'authenticated'
     and (tg_op = 'INSERT' or new.phone is distinct from old.phone) then
    raise exception using errcode = 'PT400', message = 'phone_invalid',
      hint = 'Give a whole phone number; one of another country begins with + and the country''s code.';
  end if;
  return new;
end;
$$;
comment on function app.read_client_phone() is
  'Keeps clients.phone_e164 what app.normal_phone() makes of clients.phone, whatever the caller sends. A number that '
  'cannot be read is refused (PT400 phone_invalid) from a signed-in user; from others it is stored without E.164.';
revoke all on function app.read_client_phone() from public, anon, authenticated, service_role;

create or replace trigger clients_read_phone before insert or update of phone, phone_e164 on public.clients
  for each row execute function app.read_client_phone();
-- <<< functions_sql/clients/read_client_phone.sql

-- >>> functions_sql/clients/record_pushes.sql
create or replace function app.record_pushes(p_taken jsonb, p_dead uuid[], p_sent_at timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into app.push_tickets (ticket_id, push_token_id, sent_at, check_at)
  select k.ticket_id, t.id, p_sent_at, p_sent_at + interval '15 minutes'
    from jsonb_to_recordset(p_taken) as k (ticket_id text, push_token_id uuid)
    join public.push_tokens as t on t.id = k.push_token_id
  on conflict (ticket_id) do nothing;
  delete from public.push_tokens as t where t.id = any (p_dead) and t.updated_at <= p_sent_at;
end;
$$;
comment on function app.record_pushes(jsonb, uuid[], timestamptz) is
  'After pushes sent at p_sent_at: p_taken, [{ticket_id, push_token_id}], are asked about a quarter of an hour later, as '
  'Expo advises; the devices p_dead are forgotten, unless the app has registered them anew since. '
  'Source: https://docs.expo.dev/push-notifications/sending-notifications/';
revoke all on function app.record_pushes(jsonb, uuid[], timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.record_pushes(jsonb, uuid[], timestamptz) to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/clients/record_pushes.sql

-- >>> functions_sql/clients/settle_push_tickets.sql
create or replace function app.settle_push_tickets(p_answered text[], p_dead text[]) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_forgotten integer;
begin
  with settled as (
    delete from app.push_tickets as k
     where k.ticket_id = any (p_answered)
    returning k.ticket_id, k.push_token_id, k.sent_at
  )
  delete from public.push_tokens as t
   using settled as s
   where s.ticket_id = any (p_dead) and t.id = s.push_token_id and t.updated_at <= s.sent_at;
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end;
$$;
comment on function app.settle_push_tickets(text[], text[]) is
  'What Expo says became of pushes: p_answered are asked about no more; of those, p_dead went to a device that is not '
  'registered any longer, which is forgotten unless the app has registered it anew since. Returns how many were.';
revoke all on function app.settle_push_tickets(text[], text[]) from public, anon, authenticated, service_role;
grant execute on function app.settle_push_tickets(text[], text[]) to coach_os_worker;
-- <<< functions_sql/clients/settle_push_tickets.sql

-- >>> functions_sql/clients/strip_national_prefix.sql
create or replace function app.strip_national_prefix(p_number text, p_region app.phone_regions) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_groups text[] := regexp_match(p_number, '^(' || p_region.national_prefix || ')');
  v_stripped text;
begin
  if v_groups is null then
    return p_number;
  end if;
  v_stripped := case
    when p_region.national_prefix_becomes is not null and v_groups[cardinality(v_groups)] is not null
         and cardinality(v_groups) > 1
      then regexp_replace(p_number, '^(?:' || p_region.national_prefix || ')', p_region.national_prefix_becomes)
    else substr(p_number, length(v_groups[1]) + 1)
  end;
  -- What looks like a prefix may be the beginning of a number that is one as it stands.
  return case
    when p_number ~ ('^(?:' || p_region.pattern || ')$') and v_stripped !~ ('^(?:' || p_region.pattern || ')$')
      then p_number
    else v_stripped
  end;
end;
$$;
comment on function app.strip_national_prefix(text, app.phone_regions) is
  'Digits as dialled within a country, without what is dialled before a number there, as libphonenumber strips it.';
revoke all on function app.strip_national_prefix(text, app.phone_regions)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/clients/strip_national_prefix.sql

-- >>> functions_sql/clients/submit_onboarding.sql
create or replace function app.submit_onboarding(
  p_token uuid, p_answers jsonb, p_waiver_version text, p_now timestamptz
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_new public.clients;
  v_org public.orgs;
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
  select o.* into v_org from public.orgs as o where o.id = v_client.org_id;
  v_new := jsonb_populate_record(v_client, app.clean_onboarding(
    p_answers, app.format_local(p_now, v_org.timezone, 'YYYY-MM-DD')::date, v_org.country_code));
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
  v_phone text;
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
  v_phone := app.clean_phone('phone', p_phone, (select o.country_code from public.orgs as o where o.id = v_link.org_id));
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

-- >>> functions_sql/orgs/check_owner.sql
create or replace function app.check_owner(p_user_id uuid, p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select from public.org_members as m where m.org_id = p_org_id and m.user_id = p_user_id and m.role = 'owner'
  ) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return true;
end;
$$;
comment on function app.check_owner(uuid, uuid) is
  'True when p_user_id (verified by the caller) is an owner of the org. Raises PT404 org_not_found.';
revoke all on function app.check_owner(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function app.check_owner(uuid, uuid) to coach_os_sidecar;
-- <<< functions_sql/orgs/check_owner.sql

-- >>> functions_sql/orgs/reread_phones.sql
create or replace function app.reread_phones() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.clients as c
     set phone = c.phone
   where c.org_id = new.id and c.phone is not null
     and c.phone_e164 is distinct from app.normal_phone(c.phone, new.country_code);
  return null;
end;
$$;
comment on function app.reread_phones() is
  'An org in another country: its clients'' numbers are read anew; those typed with their country stay the same.';
revoke all on function app.reread_phones() from public, anon, authenticated, service_role;

create or replace trigger orgs_reread_phones after update of country_code on public.orgs
  for each row when (old.country_code <> new.country_code) execute function app.reread_phones();
-- <<< functions_sql/orgs/reread_phones.sql

-- >>> functions_sql/sms/bookings_awaiting_reply.sql
create or replace function app.bookings_awaiting_reply(p_org_id uuid, p_phone text, p_now timestamptz)
  returns setof public.bookings
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select b.*
    from public.clients as c
    join public.bookings as b on b.client_id = c.id and b.org_id = p_org_id
   where c.org_id = p_org_id and c.phone_e164 = p_phone
     and b.status = 'confirmed' and b.client_confirmed is not true and b.confirmation_sent_at is not null
     and b.start_time >= p_now - interval '2 hours'
   order by b.start_time, b.id;
end;
$$;
comment on function app.bookings_awaiting_reply(uuid, text, timestamptz) is
  'The bookings that a "Y" from this number (E.164) can confirm, the nearest first: asked about, and begun at most two '
  'hours ago. Several clients may share a number (a parent''s): the nearest open question of any is meant.';
revoke all on function app.bookings_awaiting_reply(uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/bookings_awaiting_reply.sql

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

-- >>> functions_sql/sms/classify_reply.sql
create or replace function app.classify_reply(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_text text := app.clean_reply(p_body);
  -- At most one please or thanks on either side.
  v_bare text := regexp_replace(
    regexp_replace(v_text, '^(please|thanks|thank you)[ ,.!]+', ''), '[ ,.!]+(please|thanks|thank you)$', '');
begin
  return case
    -- https://help.twilio.com/articles/223134027 (opt-out keywords)
    when v_text in ('stop', 'stopall', 'stop all', 'unsubscribe', 'cancel', 'end', 'quit', 'revoke', 'optout',
                    'opt out', 'opt-out') then 'stop'
    when v_text in ('start', 'unstop') then 'start'
    when v_text in ('help', 'info') then 'help'
    -- nfkc makes "?" of most question marks that would be trimmed, but ";" of the Greek one.
    when normalize(p_body, nfkc) ~ '\?' or p_body ~ '\u037E' then 'other'
    when v_bare in ('y', 'yes', 'yep', 'yup', 'yeah', 'confirm', 'confirmed', 'i confirm', 'yes confirmed')
      then 'confirm'
    when v_bare in ('n', 'no', 'nope') then 'decline'
    else 'other'
  end;
end;
$$;
comment on function app.classify_reply(text) is
  'What a client''s text means, by the whole of it: stop, start, help, confirm, decline, or other. A wrong confirm is '
  'worse than a missed one, so whatever is not foreseen, questions and conditions too, is other.';
revoke all on function app.classify_reply(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/classify_reply.sql

-- >>> functions_sql/sms/clean_reply.sql
create or replace function app.clean_reply(p_body text) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return lower(regexp_replace(
    regexp_replace(
      regexp_replace(
        regexp_replace(normalize(coalesce(p_body, ''), nfkc),
          -- What a phone adds unseen: control characters, zero-width and bidi marks, fillers, variation selectors, tags.
          '[\u0001-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F'
          '\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFE00-\uFE0F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E01EF]', '', 'g'),
        -- Any dash as the one on a keyboard.
        '[\u2010-\u2015\u2212]', '-', 'g'),
      -- What a hand adds around it: space, quotes, punctuation. Question marks are no such thing, but ASCII's is, and
      -- app.classify_reply() looks for that one first.
      '^[\s!-/:-@\[-`{-~\u0085\u00A1\u00AB\u00B4\u00B7\u00BB\u2016-\u2027\u2030-\u203A\u3001-\u3003\u3008-\u3011]+'
      '|[\s!-/:-@\[-`{-~\u0085\u00A1\u00AB\u00B4\u00B7\u00BB\u2016-\u2027\u2030-\u203A\u3001-\u3003\u3008-\u3011]+$',
      '', 'g'),
    '\s+', ' ', 'g'));
end;
$$;
comment on function app.clean_reply(text) is
  'A client''s whole text as keywords are looked for in it: NFKC, without invisible characters and without space, quotes '
  'and punctuation around it, in lower case.';
revoke all on function app.clean_reply(text) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/clean_reply.sql

-- >>> functions_sql/sms/confirm_by_reply.sql
create or replace function app.confirm_by_reply(p_org public.orgs, p_phone text, p_now timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_booking public.bookings;
  v_next public.bookings;
begin
  loop
    select b.* into v_booking from app.bookings_awaiting_reply(p_org.id, p_phone, p_now) as b limit 1;
    if not found then
      return 'Thanks! There is no session waiting for your confirmation.';
    end if;
    -- Cancelled or moved since it was read: the next one is looked for.
    update public.bookings as b
       set client_confirmed = true
     where b.id = v_booking.id and b.status = 'confirmed' and b.client_confirmed is not true
       and b.start_time = v_booking.start_time;
    exit when found;
  end loop;
  select b.* into v_next from app.bookings_awaiting_reply(p_org.id, p_phone, p_now) as b limit 1;
  return format('Thanks! Your session on %s is confirmed.', app.session_time(v_booking.start_time, p_org.timezone))
    || case when v_next.id is null then ''
            else format(' Reply Y again to confirm %s.', app.session_time(v_next.start_time, p_org.timezone))
       end;
end;
$$;
comment on function app.confirm_by_reply(public.orgs, text, timestamptz) is
  'Confirms the nearest booking that a "Y" from this number answers, one per "Y"; returns the answer, which names the '
  'one confirmed and the one that another "Y" would confirm.';
revoke all on function app.confirm_by_reply(public.orgs, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/confirm_by_reply.sql

-- >>> functions_sql/sms/forget_twilio_account.sql
create or replace function app.forget_twilio_account(p_org_id uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_had boolean;
begin
  perform app.check_owner(auth.uid(), p_org_id);
  delete from app.twilio_accounts as a where a.org_id = p_org_id;
  v_had := found;
  if v_had then
    -- The number is the account's, not the platform's.
    update public.sms_settings as s
       set twilio_account_sid = null, twilio_phone_number = null
     where s.org_id = p_org_id;
  end if;
  return v_had;
end;
$$;
comment on function app.forget_twilio_account(uuid) is 'What public.forget_twilio_account() promises.';
revoke all on function app.forget_twilio_account(uuid) from public, anon, authenticated, service_role;
grant execute on function app.forget_twilio_account(uuid) to authenticated;

create or replace function public.forget_twilio_account(p_org_id uuid) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.forget_twilio_account(p_org_id);
end;
comment on function public.forget_twilio_account(uuid) is
  'For the owner: the org''s own Twilio account is forgotten, with its number; it texts again when the platform gives it '
  'one. False: it had none. Error: PT404 org_not_found.';
revoke all on function public.forget_twilio_account(uuid) from public, anon, authenticated, service_role;
grant execute on function public.forget_twilio_account(uuid) to authenticated;
-- <<< functions_sql/sms/forget_twilio_account.sql

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
     where c.id = p_client_id and c.org_id = p_org_id and c.phone ~ '\S' and c.phone_e164 is null
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
  'phone_invalid (the client''s number cannot be read), sms_body_invalid; PT409 phone_missing, '
  'number_suppressed, sms_disabled, sms_sender_missing, sms_already_queued (the key was used before).';
revoke all on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function public.insert_sms_from_service(uuid, uuid, text, jsonb, timestamptz, text, uuid, text)
  to service_role;
-- <<< functions_sql/sms/insert_sms_from_service.sql

-- >>> functions_sql/sms/is_phone_suppressed.sql
create or replace function app.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select from public.sms_suppression as x
     where x.org_id = p_org_id
       and x.phone = case
             when p_phone ~ '^\+[1-9][0-9]{6,14}$' then p_phone
             else coalesce(
               app.normal_phone(p_phone, (select o.country_code from public.orgs as o where o.id = p_org_id)), p_phone)
           end
  );
end;
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
  'True when this org must not text this number, however it is written: the client said STOP, or it cannot be reached. '
  'Another org''s suppressions do not count.';
revoke all on function public.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.is_phone_suppressed(uuid, text) to service_role;
-- <<< functions_sql/sms/is_phone_suppressed.sql

-- >>> functions_sql/sms/keep_reply.sql
create or replace function app.keep_reply(p_client_id uuid, p_org_id uuid, p_body text, p_now timestamptz)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.message_threads (org_id, client_id) values (p_org_id, p_client_id)
  on conflict (org_id, client_id) do nothing;
  insert into public.messages (org_id, thread_id, created_at, sender_type, body)
  select t.org_id, t.id, p_now, 'client', p_body
    from public.message_threads as t
   where t.org_id = p_org_id and t.client_id = p_client_id;
  insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
  values (p_org_id, p_client_id, 'sms', 'inbound', 'Text from the client', p_body, p_now);
end;
$$;
comment on function app.keep_reply(uuid, uuid, text, timestamptz) is
  'A client''s text where the coach reads it: unread in their conversation, and on the client''s page.';
revoke all on function app.keep_reply(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/keep_reply.sql

-- >>> functions_sql/sms/known_sms_ids.sql
create or replace function app.known_sms_ids(p_provider_message_ids text[]) returns text[]
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return array(
    select m.provider_message_id
      from public.sms_messages as m
     where m.provider_message_id = any (p_provider_message_ids)
  );
end;
$$;
comment on function app.known_sms_ids(text[]) is 'Those of Twilio''s message ids that a text of ours has already.';
revoke all on function app.known_sms_ids(text[]) from public, anon, authenticated, service_role;
grant execute on function app.known_sms_ids(text[]) to coach_os_worker;
-- <<< functions_sql/sms/known_sms_ids.sql

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
    join public.orgs as o on o.id = s.org_id
   cross join app.normal_phone(b.notify_phone, o.country_code) as p (phone)
   where s.org_id = p_org_id and s.enabled and s.twilio_phone_number is not null and p.phone is not null
  on conflict (idempotency_key) do nothing
  returning m.id;
$$;
comment on function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz) is
  'Writes a text to the coach''s own phone (booking_settings.notify_phone) to the outbox, once per key, due at p_now. '
  'Null: not queued (texting off, no sender, no phone of the coach''s, or queued before).';
revoke all on function app.queue_coach_sms(uuid, text, text, text, uuid, text, timestamptz)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/queue_coach_sms.sql

-- >>> functions_sql/sms/read_sms_phone.sql
create or replace function app.read_sms_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_phone text;
begin
  v_phone := app.normal_phone(new.to_phone, (select o.country_code from public.orgs as o where o.id = new.org_id));
  if v_phone is not null then
    new.to_phone := v_phone;
  elsif new.status in ('pending', 'queued') then
    -- Not refused: that would undo the booking which this text is about. It says why it is not sent.
    new.status := 'failed';
    new.error_code := 'phone_invalid';
    new.failed_at := now();
  end if;
  return new;
end;
$$;
comment on function app.read_sms_phone() is
  'Whatever queues a text, it goes to a number in E.164 (app.normal_phone); one that is none fails at once, with the '
  'reason phone_invalid.';
revoke all on function app.read_sms_phone() from public, anon, authenticated, service_role;

create or replace trigger sms_messages_read_phone before insert on public.sms_messages
  for each row when (new.to_phone !~ '^\+[1-9][0-9]{6,14}$') execute function app.read_sms_phone();
-- <<< functions_sql/sms/read_sms_phone.sql

-- >>> functions_sql/sms/read_suppressed_phone.sql
create or replace function app.read_suppressed_phone() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.phone := coalesce(
    app.normal_phone(new.phone, (select o.country_code from public.orgs as o where o.id = new.org_id)), new.phone);
  return new;
end;
$$;
comment on function app.read_suppressed_phone() is
  'A number that must not be texted is kept as texts are addressed, in E.164, however it was written down.';
revoke all on function app.read_suppressed_phone() from public, anon, authenticated, service_role;

create or replace trigger sms_suppression_read_phone before insert or update of phone on public.sms_suppression
  for each row when (new.phone !~ '^\+[1-9][0-9]{6,14}$') execute function app.read_suppressed_phone();
-- <<< functions_sql/sms/read_suppressed_phone.sql

-- >>> functions_sql/sms/receive_sms.sql
create or replace function app.receive_sms(
  p_message_sid text, p_from text, p_to text, p_body text, p_now timestamptz default now(),
  p_opt_out_type text default null, p_media integer default 0, p_account_sid text default null
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org public.orgs;
  v_name text;
  v_client_id uuid;
  v_opted_out boolean;
  v_kind text;
  v_answer text;
  -- With these Twilio itself answers and blocks or unblocks; with anything else it does not.
  -- https://help.twilio.com/articles/223134027
  v_twilio_answers constant boolean := coalesce(p_opt_out_type in ('STOP', 'START', 'HELP'), false)
    or upper(btrim(coalesce(p_body, ''))) in ('STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT', 'START',
                                'YES', 'UNSTOP', 'HELP', 'INFO');
begin
  select o.* into v_org
    from public.sms_settings as s
    join public.orgs as o on o.id = s.org_id
    left join app.twilio_accounts as a on a.org_id = s.org_id
   where s.twilio_phone_number = p_to and a.account_sid is not distinct from p_account_sid;
  if not found then
    return null;
  end if;
  -- Texts from one number are taken one after the other: each "Y" its own booking, and the last STOP or START counts.
  perform pg_advisory_xact_lock(hashtextextended('receive_sms ' || v_org.id || p_from, 0));
  v_opted_out := exists (
    select from public.sms_suppression as x where x.org_id = v_org.id and x.phone = p_from and x.reason = 'opt_out'
  );
  v_kind := case
    when p_opt_out_type in ('STOP', 'START', 'HELP') then lower(p_opt_out_type)
    when v_opted_out and app.clean_reply(p_body) = 'yes' then 'start'
    else app.classify_reply(p_body)
  end;
  insert into public.sms_events
    (org_id, provider_message_id, event_type, event_status, dedupe_key, processed_at)
  values (v_org.id, p_message_sid, 'inbound', v_kind, 'inbound:' || p_message_sid, p_now)
  on conflict (dedupe_key) do nothing;
  if not found then
    return null;  -- the same message again: Twilio repeats a webhook it did not hear answered
  end if;
  v_name := coalesce((select nullif(btrim(b.display_name), '') from public.branding as b where b.org_id = v_org.id),
                     v_org.name);
  -- Of several who share the number the one whom the org texted last, as far as it shows.
  select c.id into v_client_id
    from public.clients as c
   where c.org_id = v_org.id and c.phone_e164 = p_from
   order by (select max(m.created_at) from public.sms_messages as m where m.client_id = c.id and m.org_id = v_org.id)
              desc nulls last, c.created_at, c.id
   limit 1;

  case v_kind
    when 'stop' then
      insert into public.sms_suppression as x (org_id, phone, reason, source, client_id)
      values (v_org.id, p_from, 'opt_out', 'webhook', v_client_id)
      on conflict (org_id, phone) do update set reason = 'opt_out', source = 'webhook'
       where x.reason <> 'opt_out';
      return case when not v_opted_out and not v_twilio_answers
               then format('You will get no more texts from %s. Reply START to get them again.', v_name) end;
    when 'start' then
      delete from public.sms_suppression as x
       where x.org_id = v_org.id and x.phone = p_from and x.reason = 'opt_out';
      return case when v_opted_out and not v_twilio_answers
               then format('You will get texts from %s again. Reply STOP to end them.', v_name) end;
    when 'help' then
      return case when not v_opted_out and not v_twilio_answers
               then format('This is %s. We text about your sessions. Reply STOP to get no more texts.', v_name) end;
    else
      if v_client_id is null then
        return case when not v_opted_out
                 then format('Thanks for your message. %s does not know this number: please get in touch another way.',
                             v_name) end;
      end if;
  end case;
  if v_kind = 'confirm' then
    v_answer := app.confirm_by_reply(v_org, p_from, p_now);
    return case when not v_opted_out then v_answer end;
  end if;
  perform app.keep_reply(
    v_client_id, v_org.id,
    left(concat_ws(' ', case when p_body ~ '\S' then p_body end,
                   case when p_media > 0 then '[a picture or file, which is not kept]'
                        when coalesce(p_body, '') !~ '\S' then '[an empty text]' end), 10000),
    p_now);
  return null;
end;
$$;
comment on function app.receive_sms(text, text, text, text, timestamptz, text, integer, text) is
  'The one handler of a client''s text, once per MessageSid; returns the answer to send, or null. p_from, p_to: E.164; '
  'p_to decides the org. p_opt_out_type: Twilio''s own reading (STOP, START, HELP), which outweighs ours. p_media: how '
  'many files came with it. p_account_sid: the org''s own account whose signature it has, null for the platform''s: it '
  'speaks for its own numbers only. "Y" confirms the nearest booking that was asked about; STOP and START are kept for '
  'this org; anything else a client writes becomes a message that the coach reads; a number that is no client''s changes '
  'nothing. Where Twilio answers a keyword itself there is no second answer.';
revoke all on function app.receive_sms(text, text, text, text, timestamptz, text, integer, text)
  from public, anon, authenticated, service_role;
grant execute on function app.receive_sms(text, text, text, text, timestamptz, text, integer, text)
  to coach_os_sidecar;
-- <<< functions_sql/sms/receive_sms.sql

-- >>> functions_sql/sms/record_sms_status.sql
create or replace function app.record_sms_status(
  p_provider_message_id text, p_status text, p_error_code text default null, p_message_id uuid default null,
  p_now timestamptz default now(), p_account_sid text default null
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_message public.sms_messages;
begin
  -- Twilio can be quicker than our own note of its answer, or the only one to tell of a text whose answer was lost.
  perform app.settle_sms(m.id, 'sent', p_provider_message_id, null, p_now)
     from public.sms_messages as m
    where m.id = p_message_id and m.provider_message_id is null
      and m.account_sid is not distinct from p_account_sid;
  select m.* into v_message
    from public.sms_messages as m
   where m.provider_message_id = p_provider_message_id and m.account_sid is not distinct from p_account_sid
     for no key update;
  if not found then
    return false;
  end if;
  insert into public.sms_events
    (message_id, org_id, provider_message_id, event_type, event_status, error_code, dedupe_key, processed_at)
  values (v_message.id, v_message.org_id, p_provider_message_id, 'status', p_status, p_error_code,
          format('status:%s:%s', p_provider_message_id, p_status), p_now)
  on conflict (dedupe_key) do nothing;
  -- Upwards only: sent, failed, delivered. A receipt from the phone outweighs a failure, whichever is told first, so
  -- every order of the callbacks ends the same.
  if p_status in ('delivered', 'read') and v_message.status in ('sent', 'failed') then
    update public.sms_messages as m
       set status = 'delivered', delivered_at = p_now, failed_at = null, error_code = null
     where m.id = v_message.id;
  elsif p_status in ('undelivered', 'failed', 'canceled') and v_message.status = 'sent' then
    update public.sms_messages as m
       set status = 'failed', failed_at = p_now, error_code = p_error_code
     where m.id = v_message.id;
    perform app.suppress_phone(v_message, p_error_code, 'webhook');
  end if;
  return true;
end;
$$;
comment on function app.record_sms_status(text, text, text, uuid, timestamptz, text) is
  'Applies a Twilio status callback, once per message and status; the text ends in the same state for every order of '
  'them. p_message_id: our own id, as the callbacks address carries it. p_account_sid: the org''s own account whose '
  'signature the callback has, null for the platform''s: it speaks for its own texts only. False: no text of ours. '
  'Source: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values';
revoke all on function app.record_sms_status(text, text, text, uuid, timestamptz, text)
  from public, anon, authenticated, service_role;
grant execute on function app.record_sms_status(text, text, text, uuid, timestamptz, text)
  to coach_os_sidecar, coach_os_worker;
-- <<< functions_sql/sms/record_sms_status.sql

-- >>> functions_sql/sms/replace_twilio_secret.sql
create or replace function app.replace_twilio_secret(p_org_id uuid, p_old text, p_new text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update app.twilio_accounts as a set secret = p_new where a.org_id = p_org_id and a.secret = p_old;
  return found;
end;
$$;
comment on function app.replace_twilio_secret(uuid, text, text) is
  'The same token, encrypted with a newer key. False: the owner has brought another one meanwhile, which stays.';
revoke all on function app.replace_twilio_secret(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function app.replace_twilio_secret(uuid, text, text) to coach_os_sidecar;
-- <<< functions_sql/sms/replace_twilio_secret.sql

-- >>> functions_sql/sms/settle_sms.sql
create or replace function app.settle_sms(
  p_message_id uuid, p_outcome text, p_provider_message_id text default null, p_error_code text default null,
  p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return app.settle_sms_batch(
    jsonb_build_array(jsonb_build_object(
      'message_id', p_message_id, 'outcome', p_outcome, 'provider_message_id', p_provider_message_id,
      'error_code', p_error_code)),
    p_now) = 1;
end;
$$;
comment on function app.settle_sms(uuid, text, text, text, timestamptz) is
  'app.settle_sms_batch() for one text, whichever attempt is under way. False: the text was not being sent.';
revoke all on function app.settle_sms(uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.settle_sms(uuid, text, text, text, timestamptz) to coach_os_worker;
-- <<< functions_sql/sms/settle_sms.sql

-- >>> functions_sql/sms/settle_sms_batch.sql
create or replace function app.settle_sms_batch(p_settled jsonb, p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_most_attempts constant integer := 10;
  c_looked_for constant interval := '24 hours';
  v_message public.sms_messages;
  v_sent uuid[];
  v_settled uuid[];
begin
  if exists (
    select from jsonb_array_elements(p_settled) as s
     where coalesce(s ->> 'outcome', '') not in ('sent', 'failed', 'retry', 'deferred', 'unknown', 'absent', 'unclear')
  ) then
    raise exception using errcode = 'PT400', message = 'outcome_invalid',
      hint = 'An outcome is sent, failed, retry, deferred, unknown, absent or unclear.';
  end if;
  -- Bookings are locked before their texts, as whoever cancels or moves one does.
  perform from public.bookings as b
    where b.id in (
      select m.related_entity_id
        from jsonb_to_recordset(p_settled) as s (message_id uuid, outcome text)
        join public.sms_messages as m on m.id = s.message_id and m.template_key = 'booking_confirmation'
       where s.outcome = 'sent'
    )
    order by b.id
      for no key update;
  with settled as (
    update public.sms_messages as m
       set status = d.status,
           provider_message_id = coalesce(s.provider_message_id, m.provider_message_id),
           error_code = case when d.status <> 'sent' then coalesce(s.error_code, m.error_code) end,
           sent_at = case when d.status = 'sent' then p_now end,
           failed_at = case when d.status = 'failed' then p_now end,
           -- A call that was not made does not count.
           attempts = m.attempts - (s.outcome = 'deferred')::integer,
           scheduled_for = case
             when s.outcome = 'deferred' then p_now + make_interval(secs => least(coalesce(s.retry_after_s, 60), 3600))
             when s.outcome = 'absent' then p_now
             when d.status = 'queued' then p_now + app.sms_backoff(m.attempts, m.id, s.retry_after_s)
             else m.scheduled_for
           end,
           reconcile_at = case
             when s.outcome = 'unknown' then p_now + app.sms_backoff(m.attempts, m.id, s.retry_after_s)
             when s.outcome = 'unclear' and p_now < m.attempted_at + c_looked_for
               then p_now + least(greatest(p_now - m.attempted_at, '1 minute'), '1 hour')
           end,
           locked_until = null
      from jsonb_to_recordset(p_settled) as s (
             message_id uuid, attempt integer, outcome text, provider_message_id text, error_code text,
             retry_after_s integer, http_status integer)
     cross join lateral (
             select case
                      when s.outcome in ('sent', 'failed') then s.outcome
                      when s.outcome in ('unknown', 'unclear') then 'unknown'
                      when s.outcome in ('retry', 'absent') and o.attempts >= c_most_attempts then 'failed'
                      else 'queued'
                    end
               from public.sms_messages as o
              where o.id = s.message_id
           ) as d (status)
     where m.id = s.message_id
       and case
             -- Twilio has it: that is true whatever was thought of it since.
             when s.outcome = 'sent'
               then m.provider_message_id is null
                    and (m.status in ('sending', 'unknown') or m.attempts >= greatest(coalesce(s.attempt, 1), 1))
             -- The number of the attempt: a sender that comes back late does not settle another one's.
             when s.outcome in ('absent', 'unclear')
               then m.status = 'unknown' and m.attempts = coalesce(s.attempt, m.attempts)
             else m.status = 'sending' and m.attempts = coalesce(s.attempt, m.attempts)
           end
    returning m.id, m.attempts, m.related_entity_id, m.template_key, m.status, s.outcome, s.provider_message_id,
              s.error_code, s.http_status
  ),
  noted as (
    insert into public.sms_attempts as a (
      message_id, attempt_number, provider_message_id, response_status, status, error_code, created_at
    )
    select s.id, s.attempts, s.provider_message_id, s.http_status,
           case s.outcome when 'sent' then 'success' when 'failed' then 'permanent_error' else 'transient_error' end,
           s.error_code, p_now
      from settled as s
     where s.outcome in ('sent', 'failed', 'retry', 'unknown') and s.attempts > 0
    on conflict (message_id, attempt_number) do update
       set status = excluded.status, provider_message_id = excluded.provider_message_id,
           response_status = excluded.response_status, error_code = excluded.error_code
     where excluded.status = 'success'
  )
  select array_agg(s.id),
         array_agg(s.related_entity_id) filter (where s.outcome = 'sent' and s.template_key = 'booking_confirmation')
    into v_settled, v_sent
    from settled as s;
  if v_sent is not null then
    update public.bookings as b
       set confirmation_sent_at = p_now
     where b.id = any (v_sent) and b.status = 'confirmed';
  end if;
  for v_message in
    select m.* from public.sms_messages as m where m.id = any (v_settled) and m.status = 'failed' order by m.id
  loop
    perform app.suppress_phone(v_message, v_message.error_code, 'api_error');
  end loop;
  return coalesce(cardinality(v_settled), 0);
end;
$$;
comment on function app.settle_sms_batch(jsonb, timestamptz) is
  'Records what became of claimed texts; returns of how many. p_settled: an array of {message_id, attempt, outcome, '
  'provider_message_id, error_code, retry_after_s, http_status}. Outcomes: sent; failed (final; a number that must not '
  'be texted again is noted); retry (Twilio did not take it: again after app.sms_backoff(), ten times in all); deferred '
  '(it was not called: again in retry_after_s); unknown (it was called, and what it did is not known: its list is '
  'looked through at reconcile_at). Of an unknown text, after that look: sent; absent (not there: tried again); '
  'unclear (later once more, for a day). attempt: as app.take_sms() gave it, so that only that attempt is settled; '
  'null: whichever is under way. Raises PT400 outcome_invalid.';
revoke all on function app.settle_sms_batch(jsonb, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.settle_sms_batch(jsonb, timestamptz) to coach_os_worker;
-- <<< functions_sql/sms/settle_sms_batch.sql

-- >>> functions_sql/sms/sms_backoff.sql
create or replace function app.sms_backoff(p_attempts integer, p_message_id uuid, p_retry_after_s integer)
  returns interval
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return make_interval(secs => greatest(
    least(60 * 2 ^ least(greatest(p_attempts, 1) - 1, 6), 3600)
      -- Not all at once again: up to a quarter more, the same for the same text.
      * (1 + (hashtextextended(p_message_id::text, p_attempts) & 1023) / 4096.0),
    case when p_retry_after_s is not null then least(p_retry_after_s, 3600) end
  ));
end;
$$;
comment on function app.sms_backoff(integer, uuid, integer) is
  'How long to wait after so many attempts: a minute, doubling, at most an hour, and up to a quarter more; and at least '
  'what the provider asked for (Retry-After), within that hour.';
revoke all on function app.sms_backoff(integer, uuid, integer) from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/sms_backoff.sql

-- >>> functions_sql/sms/sms_in_doubt.sql
create or replace function app.sms_in_doubt(p_now timestamptz, p_limit integer)
  returns table (
    message_id uuid, attempt integer, to_phone text, from_phone text, body text, org_id uuid, account_sid text,
    secret text, attempted_at timestamptz
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Claimed long ago and never settled: its sender died. Twilio may have the text, so it is not sent again blindly.
  update public.sms_messages as m
     set status = 'unknown', error_code = 'interrupted', reconcile_at = p_now, locked_until = null
    from (
      select d.id
        from public.sms_messages as d
       where d.status = 'sending' and d.locked_until < p_now
       order by d.locked_until
       limit p_limit
         for no key update skip locked
    ) as died
   where m.id = died.id;
  return query
  with due as (
    select m.id
      from public.sms_messages as m
     where m.status = 'unknown' and m.reconcile_at <= p_now
     order by m.reconcile_at
     limit p_limit
       for no key update skip locked
  ),
  handed as (
    -- Nobody else looks for it meanwhile, and whoever dies looking is followed by another one.
    update public.sms_messages as m
       set reconcile_at = p_now + interval '5 minutes'
      from due as d
     where m.id = d.id
    returning m.id, m.attempts, m.to_phone, m.from_phone, m.body, m.org_id, m.account_sid,
              coalesce(m.attempted_at, m.created_at) as attempted_at
  )
  select h.id, h.attempts, h.to_phone, h.from_phone, h.body, h.org_id, h.account_sid, a.secret, h.attempted_at
    from handed as h
    left join app.twilio_accounts as a on a.org_id = h.org_id and a.account_sid = h.account_sid;
end;
$$;
comment on function app.sms_in_doubt(timestamptz, integer) is
  'Texts of which it is not known whether Twilio took them, each to one caller, who looks through Twilio''s list and '
  'settles them (app.settle_sms_batch): those whose sender died, and those it gave no clear answer about. secret: null '
  'with an account_sid when the org has that account no more.';
revoke all on function app.sms_in_doubt(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.sms_in_doubt(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/sms_in_doubt.sql

-- >>> functions_sql/sms/store_twilio_account.sql
create or replace function app.store_twilio_account(
  p_user_id uuid, p_org_id uuid, p_account_sid text, p_secret text, p_phone text, p_now timestamptz default now()
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.check_owner(p_user_id, p_org_id);
  insert into app.twilio_accounts as a (org_id, account_sid, secret, updated_at)
  values (p_org_id, p_account_sid, p_secret, p_now)
  on conflict (org_id) do update
     set account_sid = excluded.account_sid, secret = excluded.secret, updated_at = excluded.updated_at;
  update public.sms_settings as s
     set twilio_account_sid = p_account_sid, twilio_phone_number = p_phone
   where s.org_id = p_org_id;
  return true;
exception when unique_violation then
  raise exception using errcode = 'PT409', message = 'number_taken',
    hint = 'Another business texts from this number; choose another one of your account.';
end;
$$;
comment on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz) is
  'From now on the org texts through its own Twilio account and from p_phone, a number of that account. The caller has '
  'checked both with Twilio, and p_secret is the auth token, encrypted. Raises PT404 org_not_found unless p_user_id is '
  'an owner; PT409 number_taken.';
revoke all on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.store_twilio_account(uuid, uuid, text, text, text, timestamptz) to coach_os_sidecar;
-- <<< functions_sql/sms/store_twilio_account.sql

-- >>> functions_sql/sms/suppress_phone.sql
create or replace function app.suppress_phone(p_message public.sms_messages, p_error_code text, p_source text)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_error_code in ('21610', '21211', '21614') then
    insert into public.sms_suppression (org_id, phone, reason, source, client_id)
    values (p_message.org_id, p_message.to_phone,
            case p_error_code when '21610' then 'opt_out' else 'invalid_number' end, p_source, p_message.client_id)
    on conflict (org_id, phone) do nothing;
  end if;
end;
$$;
comment on function app.suppress_phone(public.sms_messages, text, text) is
  'After an error that says never to text this number again: 21610 (it opted out), 21211 (no number), 21614 (no mobile). '
  'Of any other the number is not to blame. p_source: api_error or webhook. Source: https://www.twilio.com/docs/api/errors';
revoke all on function app.suppress_phone(public.sms_messages, text, text)
  from public, anon, authenticated, service_role;
-- <<< functions_sql/sms/suppress_phone.sql

-- >>> functions_sql/sms/take_sms.sql
create or replace function app.take_sms(p_now timestamptz, p_limit integer)
  returns table (
    message_id uuid, attempt integer, to_phone text, from_phone text, body text, org_id uuid, account_sid text,
    secret text
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_claimed uuid[] := array(select c.message_id from app.claim_sms(p_now, p_limit) as c);
begin
  return query
  update public.sms_messages as m
     set attempts = m.attempts + 1,
         attempted_at = p_now,
         account_sid = a.account_sid,
         -- The number may have changed since it was queued; it must be one of the account's.
         from_phone = coalesce(s.twilio_phone_number, m.from_phone)
    from unnest(v_claimed) as c (id)
    join public.sms_messages as t on t.id = c.id
    left join public.sms_settings as s on s.org_id = t.org_id
    left join app.twilio_accounts as a on a.org_id = t.org_id
   where m.id = c.id
  returning m.id, m.attempts, m.to_phone, m.from_phone, m.body, m.org_id, a.account_sid, a.secret;
end;
$$;
comment on function app.take_sms(timestamptz, integer) is
  'What app.claim_sms() hands out, with the number of the attempt and the account to send it through: account_sid with '
  'its encrypted token, or null for the platform''s. Whoever takes a text sends it within two minutes or not at all: '
  'after five it counts as interrupted (app.sms_in_doubt).';
revoke all on function app.take_sms(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.take_sms(timestamptz, integer) to coach_os_worker;
-- <<< functions_sql/sms/take_sms.sql

-- >>> functions_sql/sms/twilio_secrets.sql
create or replace function app.twilio_secrets(p_account_sid text default null)
  returns table (org_id uuid, account_sid text, secret text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
  select a.org_id, a.account_sid, a.secret
    from app.twilio_accounts as a
   where p_account_sid is null or a.account_sid = p_account_sid
   order by a.updated_at desc, a.org_id;
end;
$$;
comment on function app.twilio_secrets(text) is
  'The encrypted auth tokens of an account that orgs have brought, each org''s own; null: of all accounts.';
revoke all on function app.twilio_secrets(text) from public, anon, authenticated, service_role;
grant execute on function app.twilio_secrets(text) to coach_os_sidecar;
-- <<< functions_sql/sms/twilio_secrets.sql
