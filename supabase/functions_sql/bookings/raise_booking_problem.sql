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
