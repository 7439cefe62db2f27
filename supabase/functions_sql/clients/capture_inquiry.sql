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
