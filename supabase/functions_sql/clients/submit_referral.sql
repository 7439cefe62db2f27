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
