create or replace function app.checkout_refused(p_checkout_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_promo_code_id uuid;
begin
  update app.checkouts as c
     set status = 'refused', settled_at = p_now
   where c.id = p_checkout_id and c.status = 'open' and c.stripe_session_id is null
  returning c.promo_code_id into v_promo_code_id;
  perform app.give_back_promo_use(v_promo_code_id);
end;
$$;
comment on function app.checkout_refused(uuid, timestamptz) is
  'Notes that Stripe would not make a checkout (its answer was a refusal, not silence), and gives back the promo '
  'code''s use.';
revoke all on function app.checkout_refused(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.checkout_refused(uuid, timestamptz) to coach_os_sidecar;
