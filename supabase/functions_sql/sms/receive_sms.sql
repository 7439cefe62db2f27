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
