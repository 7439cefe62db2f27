create or replace function app.referral_page(p_code text, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_link public.referral_links := app.open_referral_link(p_code, p_now);
begin
  if v_link.id is null then
    raise exception using errcode = 'PT404', message = 'referral_not_found',
      hint = 'This referral link is not, or no longer, valid; ask for a new one.';
  end if;
  return (
    select jsonb_build_object(
      'link', jsonb_build_object('reward_type', v_link.reward_type, 'reward_value', v_link.reward_value),
      'org', jsonb_build_object('name', o.name),
      'branding', jsonb_build_object('display_name', b.display_name, 'primary_color', b.primary_color),
      'offers', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', f.id, 'name', f.name, 'description', f.description, 'price_cents', f.price_cents,
          -- The page asks for columns that no screen fills: what the offer says under its own names counts.
          'session_count', coalesce(f.session_count, f.sessions_included + coalesce(f.bonus_sessions, 0)),
          'duration_minutes', coalesce(f.duration_minutes, f.session_duration_mins)
        ) order by f.price_cents, f.name, f.id)
          from public.offers as f
         where f.org_id = o.id and f.is_active
      ), '[]')
    )
      from public.orgs as o
      left join public.branding as b on b.org_id = o.id
     where o.id = v_link.org_id
  );
end;
$$;
comment on function app.referral_page(text, timestamptz) is 'What public.referral_page() promises, at the instant p_now.';
revoke all on function app.referral_page(text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.referral_page(text, timestamptz) to anon, authenticated, service_role;

create or replace function public.referral_page(p_code text) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.referral_page(p_code, now());
end;
comment on function public.referral_page(text) is
  'What the page of a referral link shows: {link: {reward_type, reward_value}, org: {name}, branding: {display_name, '
  'primary_color}, offers: [{id, name, description, price_cents, session_count, duration_minutes}], cheapest first}. '
  'Errors: PT404 referral_not_found, also for a link that is switched off or over.';
revoke all on function public.referral_page(text) from public, anon, authenticated, service_role;
grant execute on function public.referral_page(text) to anon, authenticated, service_role;
