create or replace function app.note_asked(p_message public.sms_messages, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_message.template_key in ('booking_confirmation', 'booking_moved') then
    update public.bookings as b
       set confirmation_sent_at = p_now
     where b.id = p_message.related_entity_id and b.status = 'confirmed'
       and b.text_version = coalesce(p_message.booking_version, b.text_version);
  end if;
end;
$$;
comment on function app.note_asked(public.sms_messages, timestamptz) is
  'Once the text that asks for it is sent, a booking waits for the client''s Y; not when it has changed meanwhile, since '
  'then that Y is not about it.';
revoke all on function app.note_asked(public.sms_messages, timestamptz) from public, anon, authenticated, service_role;
