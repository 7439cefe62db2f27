create or replace function app.insert_manual_event(
  p_purchase public.client_purchases, p_type public.money_event_type, p_amount_cents bigint, p_currency text,
  p_at timestamptz, p_tax_cents bigint, p_tax_cat public.tax_category default null
)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_number bigint := 1 + (
    select count(*) from public.money_events as e
     where e.org_id = p_purchase.org_id and e.source = 'manual'
       and split_part(e.reference_id, ':', 1) = p_purchase.id::text and e.type = p_type
  );
begin
  insert into public.money_events (
    org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id, payment_status
  )
  values (
    p_purchase.org_id, p_at, p_type, p_amount_cents, p_currency,
    coalesce(p_tax_cat, case when (
      select s.gst_registered from public.booking_settings as s where s.org_id = p_purchase.org_id
    ) then 'GST' else 'NONE' end::public.tax_category),
    p_tax_cents, 'manual', p_purchase.id || case when v_number > 1 then ':' || v_number else '' end,
    p_purchase.client_id, 'succeeded'
  );
end;
$$;
comment on function app.insert_manual_event(
  public.client_purchases, public.money_event_type, bigint, text, timestamptz, bigint, public.tax_category
) is
  'Writes one row of a sale by hand to the books, under the next free number of its type. Called with the purchase '
  'locked. p_tax_cat null: what the org is registered for now.';
revoke all on function app.insert_manual_event(
  public.client_purchases, public.money_event_type, bigint, text, timestamptz, bigint, public.tax_category
) from public, anon, authenticated, service_role;
