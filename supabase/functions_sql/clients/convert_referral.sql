create or replace function app.convert_referral() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_referral public.referrals;
begin
  update public.referrals as r
     set status = 'converted', referred_client_id = new.converted_client_id, converted_at = now()
   where r.inquiry_id = new.id and r.status in ('pending', 'signed_up')
  returning r.* into v_referral;
  if found then
    update public.referral_links as l
       set conversions = coalesce(l.conversions, 0) + 1
     where l.id = v_referral.referral_link_id;
    update public.clients as c
       set referral_id = v_referral.id, referral_code = new.referral_code
     where c.id = new.converted_client_id and c.referral_id is null;
  end if;
  return null;
end;
$$;
comment on function app.convert_referral() is
  'A lead that came through a referral link and becomes a client converts the referral and counts for the link, once.';
revoke all on function app.convert_referral() from public, anon, authenticated, service_role;

create or replace trigger inquiries_convert_referral after update of converted_client_id on public.inquiries
  for each row when (new.converted_client_id is not null) execute function app.convert_referral();
