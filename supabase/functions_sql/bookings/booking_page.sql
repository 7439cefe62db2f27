create or replace function app.booking_page(p_slug text) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org public.orgs := app.org_of_booking_page(p_slug);
begin
  return jsonb_build_object(
    'org', app.org_for_visitor(v_org.id),
    'settings', (
      select jsonb_build_object('allow_client_booking', coalesce(s.allow_client_booking, true),
                                'max_advance_days', coalesce(s.max_advance_days, 30))
        from public.booking_settings as s where s.org_id = v_org.id
    ),
    'offers', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'id', o.id, 'name', o.name, 'description', o.description, 'offer_type', o.offer_type,
               'price_cents', o.price_cents, 'currency', o.currency, 'billing_period', o.billing_period,
               'sessions_included', o.sessions_included, 'bonus_sessions', o.bonus_sessions,
               'session_duration_mins', o.session_duration_mins, 'included_items', o.included_items,
               'is_featured', o.is_featured
             ) order by o.sort_order, o.name), '[]')
        from public.offers as o where o.org_id = v_org.id and o.is_active
    )
  );
end;
$$;
comment on function app.booking_page(text) is 'What public.booking_page() promises.';
revoke all on function app.booking_page(text) from public, anon, authenticated, service_role;
grant execute on function app.booking_page(text) to anon, authenticated, service_role;

create or replace function public.booking_page(p_slug text) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.booking_page(p_slug);
end;
comment on function public.booking_page(text) is
  'What the public booking page of an org shows: org (name, timezone, display_name, primary_color, logo_url), settings '
  '(allow_client_booking, max_advance_days), offers (the active ones; prices in the currency''s smallest unit). PT404 '
  'page_not_found.';
revoke all on function public.booking_page(text) from public, anon, authenticated, service_role;
grant execute on function public.booking_page(text) to anon, authenticated, service_role;
