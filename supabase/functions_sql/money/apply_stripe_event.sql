create or replace function app.apply_stripe_event(p_org_id uuid, p_event jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  case p_event ->> 'type'
    when 'checkout.session.completed', 'checkout.session.async_payment_succeeded' then
      return app.apply_checkout_session(
        p_org_id, p_event -> 'data' -> 'object', to_timestamp((p_event ->> 'created')::bigint)
      );
    else
      return 'ignored';
  end case;
end;
$$;
comment on function app.apply_stripe_event(uuid, jsonb) is
  'Routes an event to the function of its type. Returns applied, or ignored for a type that changes nothing here.';
revoke all on function app.apply_stripe_event(uuid, jsonb) from public, anon, authenticated, service_role;
