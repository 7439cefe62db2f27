create or replace function app.book_stripe(
  p_org_id uuid, p_type public.money_event_type, p_reference_id text, p_at timestamptz, p_amount_cents bigint,
  p_currency text, p_client_id uuid default null, p_payment_key text default null, p_invoice_id text default null,
  p_is_estimate boolean default false
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_tax_cat public.tax_category := case p_type
    when 'FEE' then 'GST_FREE' when 'PLATFORM_FEE' then 'GST' else 'NONE' end;
  v_intent_id text := case when p_payment_key like 'pi\_%' then p_payment_key end;
begin
  if p_amount_cents = 0 then
    -- Nothing happened, so nothing is booked; what was thought to have happened goes.
    delete from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.is_estimate and not p_is_estimate;
    return;
  end if;
  -- Most events say nothing new; an insert that then does nothing would still be checked and audited. Who calls has
  -- locked the object.
  if exists (
    select
      from public.money_events as e
     where e.org_id = p_org_id and e.source = 'stripe' and e.type = p_type and e.reference_id = p_reference_id
       and e.event_date <= p_at
       and (e.client_id is not null or p_client_id is null)
       and (e.stripe_payment_intent_id is not null or v_intent_id is null)
       and (e.stripe_invoice_id is not null or p_invoice_id is null)
       and (p_is_estimate or not e.is_estimate)
  ) then
    return;
  end if;
  if p_type in ('INCOME', 'REFUND', 'ADJUSTMENT') then
    -- What goes back holds GST as the payment did, whatever the org is registered for by then.
    v_tax_cat := coalesce(
      (select e.tax_cat from public.money_events as e
        where e.org_id = p_org_id and e.source = 'stripe' and e.type = 'INCOME' and e.reference_id = p_payment_key),
      (select 'GST'::public.tax_category from public.booking_settings as s where s.org_id = p_org_id and s.gst_registered),
      'NONE'::public.tax_category
    );
  end if;
  insert into public.money_events as e (
    org_id, event_date, type, amount_cents, currency, tax_cat, tax_cents, source, reference_id, client_id,
    payment_status, stripe_payment_intent_id, stripe_invoice_id, is_estimate
  )
  values (
    p_org_id, p_at, p_type, p_amount_cents, p_currency, v_tax_cat,
    case when v_tax_cat <> 'GST' then 0
         when p_type = 'PLATFORM_FEE' then app.gst_cents(p_org_id, p_amount_cents)
         else app.gst_part_cents(p_amount_cents) end,
    'stripe', p_reference_id, p_client_id, 'succeeded', v_intent_id, p_invoice_id, p_is_estimate
  )
  -- Whichever event came first, the row ends the same: at the earliest instant, with all that any of them knew, and
  -- with what a fee really was.
  on conflict on constraint money_events_one_per_object do update
     set event_date = least(e.event_date, excluded.event_date),
         client_id = coalesce(e.client_id, excluded.client_id),
         stripe_payment_intent_id = coalesce(e.stripe_payment_intent_id, excluded.stripe_payment_intent_id),
         stripe_invoice_id = coalesce(e.stripe_invoice_id, excluded.stripe_invoice_id),
         amount_cents = case when e.is_estimate and not p_is_estimate then excluded.amount_cents else e.amount_cents end,
         currency = case when e.is_estimate and not p_is_estimate then excluded.currency else e.currency end,
         tax_cents = case when e.is_estimate and not p_is_estimate then excluded.tax_cents else e.tax_cents end,
         is_estimate = e.is_estimate and p_is_estimate;
end;
$$;
comment on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) is
  'Books what happened to a Stripe object, once per org, type and reference; again, it fills in what was not known. '
  'Amounts in the smallest unit, positive for money in; zero books nothing. Taxes: INCOME holds GST when the '
  'org is registered, REFUND and ADJUSTMENT as the payment they belong to (p_payment_key) did; what the platform keeps '
  'holds it, what Stripe keeps is GST_FREE.';
revoke all on function app.book_stripe(
  uuid, public.money_event_type, text, timestamptz, bigint, text, uuid, text, text, boolean
) from public, anon, authenticated, service_role;
