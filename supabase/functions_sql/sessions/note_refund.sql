create or replace function app.note_refund() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  new.refunded_at := case when new.payment_status = 'refunded' then coalesce(old.refunded_at, now()) end;
  return new;
end;
$$;
comment on function app.note_refund() is 'Keeps client_purchases.refunded_at: since when the pack is refunded.';
revoke all on function app.note_refund() from public, anon, authenticated, service_role;

create or replace trigger client_purchases_note_refund
  before insert or update of payment_status, refunded_at on public.client_purchases
  for each row execute function app.note_refund();
