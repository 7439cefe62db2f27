create or replace function app.booking_text_problem(p_message public.sms_messages, p_booking public.bookings) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_booking.id is null then 'booking_no_longer_stands'
    -- That it is off stays true for a client who had it, whatever becomes of it with another one.
    when p_message.template_key = 'booking_cancelled' and p_message.client_id <> p_booking.client_id then null
    when p_message.booking_version <> p_booking.text_version then
      case
        when p_booking.status = 'cancelled' then 'booking_cancelled'
        when p_message.client_id <> p_booking.client_id then 'booking_reassigned'
        when p_message.template_key in ('booking_cancelled', 'client_cancelled') then 'booking_reinstated'
        else 'booking_moved'
      end
    when p_message.template_key in ('booking_confirmation', 'booking_moved', 'reminder', 'unconfirmed_warning') then
      case
        when p_booking.status = 'cancelled' then 'booking_cancelled'
        when p_booking.status <> 'confirmed' then 'booking_no_longer_stands'
        when p_message.template_key = 'unconfirmed_warning' and p_booking.client_confirmed then 'already_confirmed'
      end
    when p_message.template_key = 'follow_up' and p_booking.status <> 'completed' then 'booking_no_longer_stands'
    when p_message.template_key = 'client_booked' and p_booking.status not in ('pending', 'confirmed')
      then 'booking_no_longer_stands'
    when p_message.template_key in ('booking_cancelled', 'client_cancelled') and p_booking.status <> 'cancelled'
      then 'booking_reinstated'
  end;
end;
$$;
comment on function app.booking_text_problem(public.sms_messages, public.bookings) is
  'Why what a text says about its booking no longer holds (docs/errors.md); null: it holds. p_booking is null where it '
  'has been deleted. A text without a booking_version, or of a kind that is not ours, is held to less.';
revoke all on function app.booking_text_problem(public.sms_messages, public.bookings)
  from public, anon, authenticated, service_role;
