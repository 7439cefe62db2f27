create or replace function app.open_referral_link(p_code text, p_now timestamptz) returns public.referral_links
  language sql stable security definer set search_path = ''
as $$
  select l.*
    from public.referral_links as l
   where l.code = upper(btrim(p_code)) and l.is_active and coalesce(l.expires_at > p_now, true);
$$;
comment on function app.open_referral_link(text, timestamptz) is
  'The referral link of a code, typed in any case; null when there is none, or it is switched off or over at p_now.';
revoke all on function app.open_referral_link(text, timestamptz) from public, anon, authenticated, service_role;
