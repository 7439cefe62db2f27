create or replace function app.track_referral_click(p_code text, p_now timestamptz) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  update public.referral_links as l
     set clicks = coalesce(l.clicks, 0) + 1
   where l.id = (select o.id from app.open_referral_link(p_code, p_now) as o)
  returning l.id;
$$;
comment on function app.track_referral_click(text, timestamptz) is
  'What public.track_referral_click() promises, at the instant p_now.';
revoke all on function app.track_referral_click(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.track_referral_click(text, timestamptz) to anon, authenticated, service_role;

create or replace function public.track_referral_click(p_code text) returns uuid
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.track_referral_click(p_code, now());
end;
comment on function public.track_referral_click(text) is
  'Counts a visit of a referral link, each time. Returns the link''s id, or null when the link is not valid.';
revoke all on function public.track_referral_click(text) from public, anon, authenticated, service_role;
grant execute on function public.track_referral_click(text) to anon, authenticated, service_role;
