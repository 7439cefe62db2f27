create or replace function app.apply_charge_refunds(p_org_id uuid, p_charge jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_refund jsonb;
  v_status text := 'ignored';
begin
  if jsonb_typeof(p_charge -> 'refunds' -> 'data') = 'array' then
    for v_refund in select r.value from jsonb_array_elements(p_charge -> 'refunds' -> 'data') as r loop
      if app.apply_refund(
        p_org_id,
        jsonb_build_object('charge', p_charge -> 'id', 'payment_intent', p_charge -> 'payment_intent')
          || jsonb_strip_nulls(v_refund),
        p_at
      ) = 'applied' then
        v_status := 'applied';
      end if;
    end loop;
  end if;
  return v_status;
end;
$$;
comment on function app.apply_charge_refunds(uuid, jsonb, timestamptz) is
  'The refunds that a refunded charge lists, one by one. amount_refunded, its running total, books nothing; newer API '
  'versions list none, there the refunds'' own events tell. Source: https://docs.stripe.com/api/charges/object';
revoke all on function app.apply_charge_refunds(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
