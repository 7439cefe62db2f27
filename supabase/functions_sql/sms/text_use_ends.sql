create or replace function app.text_use_ends(
  p_kind text, p_scheduled_for timestamptz, p_start timestamptz, p_end timestamptz
) returns timestamptz
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_kind in ('booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning',
                    'client_booked', 'client_cancelled') then p_start
    when p_kind = 'follow_up' then greatest(p_scheduled_for, p_end) + interval '48 hours'
  end;
end;
$$;
comment on function app.text_use_ends(text, timestamptz, timestamptz, timestamptz) is
  'From when on a text about a session from p_start to p_end is of no use: as the session starts; thanks for it 48 hours '
  'after they were due. Null: it is always of use.';
revoke all on function app.text_use_ends(text, timestamptz, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
