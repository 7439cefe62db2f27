create or replace function app.send_portal_link(
  p_client_id uuid, p_portal_url text, p_renew boolean, p_now timestamptz
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_client public.clients;
  v_words record;
  v_message_id uuid;
  v_refusal text;
begin
  if p_portal_url is null or p_portal_url !~ '^https?://[^\s/?#]+(/[^\s?#]*)?$' or length(p_portal_url) > 200 then
    raise exception using errcode = 'PT400', message = 'portal_url_invalid',
      hint = 'Give the address of the portal without the token, for example https://app.example.com/portal.';
  end if;
  -- A double click waits here, and then finds what the first one wrote.
  select c.* into v_client
    from public.clients as c
   where c.id = p_client_id and c.org_id = any (array(select app.my_staff_org_ids()))
     for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'client_not_found', hint = 'Choose one of your clients.';
  end if;
  if v_client.portal_token is not null and p_renew is not true then
    select m.id into v_message_id
      from public.sms_messages as m
     where m.client_id = v_client.id and m.template_key = 'portal_link' and m.created_at > p_now - interval '1 minute'
       and m.status in ('pending', 'queued', 'sending', 'sent', 'delivered', 'unknown')
     order by m.created_at desc
     limit 1;
    if found then
      return v_message_id;
    end if;
  end if;
  if v_client.portal_token is null or p_renew then
    v_client.portal_token := gen_random_uuid();
    update public.clients as c set portal_token = v_client.portal_token where c.id = v_client.id;
  end if;
  v_words := app.sms_words(v_client.org_id, 'portal_link');
  select i.message_id, i.refusal into v_message_id, v_refusal
    from app.insert_sms_direct(
      v_client.org_id, v_client.id,
      app.render_sms_template(v_words.words, jsonb_build_object(
        'client_name', split_part(btrim(v_client.full_name), ' ', 1), 'coach_name', app.coach_name(v_client.org_id),
        'portal_link', rtrim(p_portal_url, '/') || '/' || v_client.portal_token
      )),
      p_now, 'client', v_client.id, null, 'portal_link', v_words.template_id
    ) as i;
  if v_refusal is not null then
    raise exception using errcode = case v_refusal when 'sms_body_invalid' then 'PT400' else 'PT409' end,
      message = v_refusal, hint = 'The text was not queued; docs/errors.md says what this code means.';
  end if;
  -- Whoever reads the record is not let in by it.
  insert into public.client_communications (org_id, client_id, user_id, type, direction, subject, content, created_at)
  values (v_client.org_id, v_client.id, auth.uid(), 'sms', 'outbound', 'Portal Link Sent',
          'The link to the client''s portal was sent by text.', p_now);
  return v_message_id;
end;
$$;
comment on function app.send_portal_link(uuid, text, boolean, timestamptz) is
  'What public.send_portal_link() promises, at the instant p_now.';
revoke all on function app.send_portal_link(uuid, text, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.send_portal_link(uuid, text, boolean, timestamptz) to authenticated;

create or replace function public.send_portal_link(p_client_id uuid, p_portal_url text, p_renew boolean default false)
  returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.send_portal_link(p_client_id, p_portal_url, p_renew, now());
end;
comment on function public.send_portal_link(uuid, text, boolean) is
  'Texts a client the link to their portal: p_portal_url (https://…/portal) and their token, which stays the same unless '
  'p_renew makes every earlier link invalid. Returns the text''s id, for a minute the same one. For owner and staff. '
  'PT404 client_not_found; PT400 portal_url_invalid, sms_body_invalid; PT409 phone_missing, number_suppressed, '
  'sms_disabled, sms_sender_missing.';
revoke all on function public.send_portal_link(uuid, text, boolean) from public, anon, authenticated, service_role;
grant execute on function public.send_portal_link(uuid, text, boolean) to authenticated;
