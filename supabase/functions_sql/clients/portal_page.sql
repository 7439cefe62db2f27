create or replace function app.portal_page(p_token uuid, p_now timestamptz) returns jsonb
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_client public.clients := app.client_of_portal(p_token);
begin
  return jsonb_build_object(
    'client', jsonb_build_object('full_name', v_client.full_name),
    'org', app.org_for_visitor(v_client.org_id),
    'settings', (
      select jsonb_build_object(
               'allow_client_booking', coalesce(s.allow_client_booking, true),
               'allow_client_cancel', coalesce(s.allow_client_cancel, true),
               'cancel_notice_hours', coalesce(s.cancel_notice_hours, 24), 'late_cancel', s.late_cancel,
               'max_advance_days', coalesce(s.max_advance_days, 30))
        from public.booking_settings as s where s.org_id = v_client.org_id
    ),
    'upcoming', (
      select coalesce(jsonb_agg(app.booking_for_client(b) order by b.start_time), '[]')
        from (
          select k.* from public.bookings as k
           where k.client_id = v_client.id and k.start_time > p_now and k.status in ('pending', 'confirmed')
           order by k.start_time limit 10
        ) as b
    ),
    'past', (
      select coalesce(jsonb_agg(app.booking_for_client(b) order by b.start_time desc), '[]')
        from (
          select k.* from public.bookings as k
           where k.client_id = v_client.id and k.start_time <= p_now
           order by k.start_time desc limit 10
        ) as b
    ),
    'packs', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'id', p.id, 'name', o.name, 'sessions_total', p.sessions_total, 'sessions_used', p.sessions_used,
               'sessions_remaining', p.sessions_remaining, 'expires_at', p.expires_at,
               'sessions_bookable', app.bookable_sessions_remaining(p.id, p_now)
             ) order by p.expires_at nulls last, p.purchased_at), '[]')
        from public.client_purchases as p join public.offers as o on o.id = p.offer_id
       where p.client_id = v_client.id and app.pack_problem(p, v_client.id, p_now) is null
    )
  );
end;
$$;
comment on function app.portal_page(uuid, timestamptz) is 'What public.portal_page() promises, at the instant p_now.';
revoke all on function app.portal_page(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.portal_page(uuid, timestamptz) to anon, authenticated, service_role;

create or replace function public.portal_page(p_token uuid) returns jsonb
  language sql stable security invoker set search_path = ''
begin atomic
  select app.portal_page(p_token, now());
end;
comment on function public.portal_page(uuid) is
  'What a client''s portal shows: client (full_name), org (name, timezone, display_name, primary_color, logo_url), '
  'settings, upcoming (the next 10 bookings), past (the last 10), packs (valid ones, with sessions_bookable). Instants '
  'in UTC, to be shown in org.timezone. PT404 token_not_found.';
revoke all on function public.portal_page(uuid) from public, anon, authenticated, service_role;
grant execute on function public.portal_page(uuid) to anon, authenticated, service_role;
