create or replace function app.promo_code_problem(p_code public.promo_codes, p_now timestamptz) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_today date := (p_now at time zone (select o.timezone from public.orgs as o where o.id = p_code.org_id))::date;
begin
  return case
    when not p_code.is_active then 'promo_code_off'
    when v_today < p_code.valid_from then 'promo_code_not_started'
    when v_today > p_code.valid_until then 'promo_code_expired'
    when p_code.times_used >= p_code.max_uses then 'promo_code_used_up'
  end;
end;
$$;
comment on function app.promo_code_problem(public.promo_codes, timestamptz) is
  'Why a promo code cannot be used at p_now, null when it can: promo_code_off, promo_code_not_started, '
  'promo_code_expired (first and last day are the org''s, both included), promo_code_used_up.';
revoke all on function app.promo_code_problem(public.promo_codes, timestamptz)
  from public, anon, authenticated, service_role;
