create or replace function app.note_payment_failure() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform app.raise_automation_event('payment_failed', new.org_id, new.client_id, new.id || ':' || now(), now());
  return null;
end;
$$;
comment on function app.note_payment_failure() is
  'A client''s payment failed: their subscription becomes past due, or the payment of a purchase becomes failed.';
revoke all on function app.note_payment_failure() from public, anon, authenticated, service_role;

create or replace trigger subscriptions_note_first_failure after insert on public.subscriptions
  for each row when (new.status = 'past_due') execute function app.note_payment_failure();
create or replace trigger subscriptions_note_failure after update of status on public.subscriptions
  for each row when (new.status = 'past_due' and old.status <> 'past_due') execute function app.note_payment_failure();
create or replace trigger client_purchases_note_first_failure after insert on public.client_purchases
  for each row when (new.payment_status = 'failed') execute function app.note_payment_failure();
create or replace trigger client_purchases_note_failure after update of payment_status on public.client_purchases
  for each row when (new.payment_status = 'failed' and old.payment_status is distinct from 'failed')
  execute function app.note_payment_failure();
