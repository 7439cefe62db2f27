create or replace function app.expire_checkouts(p_now timestamptz default now(), p_limit integer default 500)
  returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_checkout record;
  v_count integer := 0;
begin
  -- Stripe's page closes at expires_at; the event of one paid in the last moment has a quarter of an hour to arrive.
  for v_checkout in
    select c.id, c.promo_code_id
      from app.checkouts as c
     where c.status = 'open' and c.expires_at <= p_now - interval '15 minutes'
     order by c.expires_at, c.id
     limit p_limit
       for no key update skip locked
  loop
    update app.checkouts as c set status = 'expired', settled_at = p_now where c.id = v_checkout.id;
    perform app.give_back_promo_use(v_checkout.promo_code_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function app.expire_checkouts(timestamptz, integer) is
  'Ends checkouts that nobody paid in time and gives back the uses of promo codes they held. Returns how many; safe to '
  'run twice at once. Source: https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at';
revoke all on function app.expire_checkouts(timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function app.expire_checkouts(timestamptz, integer) to coach_os_worker;
