create or replace function app.generate_referral_code(p_org_id uuid, p_length integer) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_code text;
begin
  if not exists (select from public.orgs as o where o.id = p_org_id) or not app.acts_for_org(p_org_id) then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'p_org_id names no business of yours.';
  end if;
  if p_length is null or p_length not between 6 and 32 then
    raise exception using errcode = 'PT400', message = 'length_invalid', hint = 'A code has 6 to 32 characters.';
  end if;
  loop
    -- Two bytes a character: 65536 is so much more than 36 that no character is likelier than another by 0.1 %.
    select string_agg(
             substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',
                    1 + (get_byte(r.bytes, 2 * i) * 256 + get_byte(r.bytes, 2 * i + 1)) % 36, 1), '')
      into v_code
      from extensions.gen_random_bytes(2 * p_length) as r (bytes), generate_series(0, p_length - 1) as i;
    exit when not exists (select from public.referral_links as l where l.code = v_code);
  end loop;
  return v_code;
end;
$$;
comment on function app.generate_referral_code(uuid, integer) is 'What public.generate_referral_code() promises.';
revoke all on function app.generate_referral_code(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function app.generate_referral_code(uuid, integer) to authenticated, service_role;

create or replace function public.generate_referral_code(p_org_id uuid, p_length integer default 8) returns text
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.generate_referral_code(p_org_id, p_length);
end;
comment on function public.generate_referral_code(uuid, integer) is
  'A new code for a referral link: p_length random digits and upper-case letters that no link has. It is not reserved: '
  'the unique key decides when the link is inserted. Errors: PT404 org_not_found, PT400 length_invalid.';
revoke all on function public.generate_referral_code(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function public.generate_referral_code(uuid, integer) to authenticated, service_role;
