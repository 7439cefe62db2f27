create or replace function app.perform_action(
  p_run public.automation_runs, p_automation_name text, p_client_name text, p_variables jsonb, p_now timestamptz
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_type text := p_run.actions_left -> 0 ->> 'type';
  v_params jsonb := p_run.actions_left -> 0 -> 'params';
  v_body text := app.render_sms_template(v_params ->> 'body', p_variables);
  v_title text := app.render_sms_template(v_params ->> 'title', p_variables);
  -- The same however often it is tried.
  v_key text := format('automation:%s:%s', p_run.id, jsonb_array_length(p_run.actions_fired));
  v_thread_id uuid;
  v_refusal text;
begin
  if v_type <> 'tag_client' and v_body !~ '\S' then
    return 'it is empty';
  end if;
  case v_type
    when 'send_message' then
      insert into public.message_threads (org_id, client_id) values (p_run.org_id, p_run.client_id)
      on conflict (org_id, client_id) do nothing;
      select t.id into strict v_thread_id
        from public.message_threads as t where t.org_id = p_run.org_id and t.client_id = p_run.client_id;
      insert into public.messages (org_id, thread_id, created_at, sender_type, sender_user_id, body)
      values (p_run.org_id, v_thread_id, p_now, 'system', null, v_body);
    when 'send_sms' then
      if (select c.sms_opt_in from public.clients as c where c.id = p_run.client_id) is false then
        return 'the client does not want texts';
      end if;
      select i.refusal into v_refusal
        from app.insert_sms_direct(p_run.org_id, p_run.client_id, v_body, p_now, 'automation', p_run.automation_id,
                                   v_key, 'automation') as i;
      return case v_refusal
        when 'sms_body_invalid' then 'it is longer than 1600 characters'
        when 'number_suppressed' then 'the client''s number must not be texted'
        when 'phone_missing' then 'the client has no phone number'
        when 'sms_disabled' then 'texting is switched off'
        when 'sms_sender_missing' then 'there is no number to text from'
        when 'sms_already_queued' then null  -- by a try before this one
        -- Null, where it was not refused.
        else 'it was refused (' || v_refusal || ')'
      end;
    when 'notify_trainer' then
      -- Staff alone read these; the client's thread is the client's, too.
      insert into public.client_communications (org_id, client_id, type, direction, subject, content, created_at)
      values (p_run.org_id, p_run.client_id, 'note', 'inbound', coalesce(nullif(btrim(v_title), ''), p_automation_name),
              v_body, p_now);
      perform app.queue_sms(
        p_run.org_id, null,
        concat_ws(': ', btrim(p_client_name), coalesce(nullif(btrim(v_title), ''), p_automation_name), v_body),
        p_now, 'automation', p_run.automation_id, v_key, 'automation', p_to_coach => true
      );
    when 'tag_client' then
      update public.clients as c
         set tags = c.tags || btrim(v_params ->> 'tag')
       where c.id = p_run.client_id and btrim(v_params ->> 'tag') <> all (c.tags);
    else
      return 'there is no such action';  -- saved before app.check_actions() looked at it
  end case;
  return null;
end;
$$;
comment on function app.perform_action(public.automation_runs, text, text, jsonb, timestamptz) is
  'Does the next action of a run, all but send_push, in the caller''s transaction: a message of the system in the '
  'client''s thread; a text in the outbox; a note in the client''s communications, and a text to the coach where the org '
  'can text and has booking_settings.notify_phone; a tag. Null, or, as half a sentence, why not, having done nothing.';
revoke all on function app.perform_action(public.automation_runs, text, text, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
