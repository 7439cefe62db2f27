create or replace function app.settle_sms_batch(p_settled jsonb, p_now timestamptz) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_most_attempts constant integer := 10;
  c_looked_for constant interval := '24 hours';
  v_message public.sms_messages;
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
        join public.sms_messages as m on m.id = s.message_id and m.template_key in ('booking_confirmation', 'booking_moved')
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
    returning m.id, m.attempts, s.outcome, s.provider_message_id, s.error_code, s.http_status
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
  select array_agg(s.id) into v_settled from settled as s;
  -- Who is asked is waited for; not when the booking has changed since it was written, for then a Y is not about it.
  update public.bookings as b
     set confirmation_sent_at = p_now
    from public.sms_messages as m
   where m.id = any (v_settled) and m.status = 'sent' and m.template_key in ('booking_confirmation', 'booking_moved')
     and b.id = m.related_entity_id and b.status = 'confirmed'
     and b.text_version = coalesce(m.booking_version, b.text_version);
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
