-- Invoker on purpose: current_user is then who runs the statement. What app.book_stripe() does runs as that function's
-- owner, who owns the table; a caller cannot choose between them.
create or replace function app.guard_money_event() returns trigger
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  v_by_rule boolean := pg_catalog.pg_has_role(
    current_user, (select c.relowner from pg_catalog.pg_class as c where c.oid = 'public.money_events'::regclass), 'usage'
  );
  v_filled_in text[] := '{event_date,client_id,stripe_payment_intent_id,stripe_invoice_id,payout_id,stripe_payout_id}';
begin
  if tg_op = 'DELETE' and v_by_rule
     and (old.is_estimate or not exists (select from public.orgs as o where o.id = old.org_id)) then
    return old;  -- the estimate of what was nothing, or the whole org goes
  end if;
  if tg_op = 'UPDATE' then
    if new is not distinct from old then
      return new;
    end if;
    -- Which payout of the platform it is part of is written when that is made.
    if to_jsonb(new) - 'payout_id' = to_jsonb(old) - 'payout_id' then
      return new;
    end if;
    if old.is_estimate then
      v_filled_in := v_filled_in || '{amount_cents,currency,tax_cents,is_estimate}'::text[];
    end if;
    if v_by_rule and to_jsonb(new) - v_filled_in = to_jsonb(old) - v_filled_in
       and new.event_date <= old.event_date
       -- From null to a client when it becomes known; to null when the client is deleted.
       and (old.client_id is null or new.client_id is null or new.client_id = old.client_id)
       and coalesce(new.stripe_payment_intent_id = old.stripe_payment_intent_id, old.stripe_payment_intent_id is null)
       and coalesce(new.stripe_invoice_id = old.stripe_invoice_id, old.stripe_invoice_id is null)
       and coalesce(new.stripe_payout_id = old.stripe_payout_id, old.stripe_payout_id is null) then
      return new;
    end if;
  end if;
  raise exception using errcode = 'PT403', message = 'books_are_append_only',
    hint = 'Correct the books with a new row.';
end;
$$;
comment on function app.guard_money_event() is
  'The books are append-only, for everyone. Still written: which payout of the platform a row is part of; and by the '
  'rules of the database alone: a client, intent, invoice or payout of Stripe''s not known before, an earlier instant, '
  'the real amount in place of an estimate. A row goes only with its org. Raises PT403 books_are_append_only.';
revoke all on function app.guard_money_event() from public, anon, authenticated, service_role;

-- By its name the last of the table's: what no row may do, another trigger says.
create or replace trigger money_events_stay_booked
  before update or delete on public.money_events
  for each row execute function app.guard_money_event();
create or replace trigger money_events_no_truncate
  before truncate on public.money_events
  for each statement execute function app.guard_money_event();
