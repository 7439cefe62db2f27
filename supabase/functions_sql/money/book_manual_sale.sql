create or replace function app.book_manual_sale() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_row public.client_purchases := case tg_op when 'DELETE' then old else new end;
  v_due bigint := case tg_op when 'DELETE' then 0 else app.manual_amount_cents(new) end;
  v_booked record;
  v_paid_at timestamptz := now();
begin
  if tg_op = 'UPDATE' and v_due = app.manual_amount_cents(old) and new.currency = old.currency then
    return null;  -- a sale from before it was booked stays out of the books until something about its money changes
  end if;
  -- With a client everything about them goes; that they paid stays in the books, without them. With an org all goes.
  if tg_op = 'DELETE' and not exists (
    select from public.clients as c join public.orgs as o on o.id = c.org_id where c.id = old.client_id
  ) then
    return null;
  end if;
  -- Only what is unbooked is booked, and the purchase's own row lock lets one at a time come here: so a sale counts
  -- once however often it is sent, and paid, undone, paid again is three rows.
  for v_booked in
    select e.currency, sum(e.amount_cents)::bigint as cents, sum(e.tax_cents)::bigint as tax_cents,
           -- As it was paid last: rows that reversed each other may be of another time.
           (array_agg(e.tax_cat order by length(e.reference_id) desc, e.reference_id desc)
              filter (where e.type = 'INCOME'))[1] as tax_cat
      from public.money_events as e
     where e.org_id = v_row.org_id and e.source = 'manual' and split_part(e.reference_id, ':', 1) = v_row.id::text
     group by e.currency
    having sum(e.amount_cents) <> 0
  loop
    if v_due > 0 and v_booked.currency = v_row.currency then
      -- A correction holds the GST that the sale did, whatever the org is registered for by now.
      perform app.insert_manual_event(v_row, 'ADJUSTMENT', v_due - v_booked.cents, v_row.currency, now(),
        case v_booked.tax_cat when 'GST' then app.gst_part_cents(v_due) - v_booked.tax_cents else 0 end,
        v_booked.tax_cat);
      v_due := 0;
    else
      perform app.insert_manual_event(v_row, 'REFUND', -v_booked.cents, v_booked.currency, now(), -v_booked.tax_cents,
        v_booked.tax_cat);
    end if;
  end loop;
  if v_due > 0 then
    if tg_op = 'INSERT' or app.manual_amount_cents(old) > 0 then
      v_paid_at := least(new.purchased_at, now());
    end if;
    perform app.insert_manual_event(v_row, 'INCOME', v_due, v_row.currency, v_paid_at,
      app.gst_cents(v_row.org_id, v_due));
  end if;
  return null;
end;
$$;
comment on function app.book_manual_sale() is
  'Keeps the books equal to the sales by hand: a purchase that is paid (app.manual_amount_cents) is one INCOME, dated '
  'when it was paid; one that no longer is, or is deleted, is reversed by a REFUND; a changed amount is an ADJUSTMENT '
  'of the difference. Nothing is changed or deleted; a purchase''s rows are told apart by reference_id `<id>`, '
  '`<id>:2`, … per type. Deleting a client leaves the books as they are.';
revoke all on function app.book_manual_sale() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_book_manual_sale
  after insert or delete or update of
    amount_paid_cents, currency, payment_status, payment_method, stripe_payment_intent_id, stripe_checkout_session_id
  on public.client_purchases
  for each row execute function app.book_manual_sale();
