create or replace function app.books_livemode(p_org_id uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (select (e.payload ->> 'livemode')::boolean
       from app.webhook_events as e
      where e.org_id = p_org_id and e.status = 'applied'
      order by e.received_at desc limit 1),
    (select r.livemode from app.reconciliations as r where r.livemode is not null order by r.reconciled_to desc limit 1)
  );
end;
$$;
comment on function app.books_livemode(uuid) is
  'Whether the books of an org hold live payments or test ones, as its newest event says, else as any account was compared '
  'last; null: nothing says. A key of the other mode lists other payments, which are not these books''. Source: '
  'https://docs.stripe.com/keys#test-live-modes';
revoke all on function app.books_livemode(uuid) from public, anon, authenticated, service_role;
