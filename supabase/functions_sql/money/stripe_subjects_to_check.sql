create or replace function app.stripe_subjects_to_check(
  p_org_id uuid, p_from timestamptz, p_to timestamptz, p_seen text[]
)
  returns table (subject text, account_id text, charge_id text)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if p_org_id is null then
    return query
      select f.object_id, a.stripe_account_id, f.payment_key
        from app.stripe_facts as f
        join public.stripe_accounts as a on a.org_id = f.org_id
       where f.fact = 'fee_refunded' and f.happened_at >= p_from and f.happened_at < p_to
         and not exists (select from unnest(p_seen) as s (id) where s.id = f.object_id)
      union
      select h.subject, a.stripe_account_id, h.detail ->> 'charge'
        from app.health_findings as h
        join public.stripe_accounts as a on a.org_id = h.org_id
       where h.area = 'money' and h.kind = any (app.reconciliation_kinds()) and h.resolved_at is null
         and h.subject like 'fr\_%';
  else
    return query
      select split_part(e.reference_id, ':', 1), null::text, null::text
        from public.money_events as e
       where e.org_id = p_org_id and e.source = 'stripe' and e.type in ('INCOME', 'REFUND', 'ADJUSTMENT', 'PAYOUT')
         and e.event_date >= p_from and e.event_date < p_to
         and not exists (select from unnest(p_seen) as s (id) where s.id = split_part(e.reference_id, ':', 1))
      union
      select h.subject, null, null
        from app.health_findings as h
       where h.area = 'money' and h.kind = any (app.reconciliation_kinds()) and h.resolved_at is null
         and h.org_id = p_org_id and h.subject not like 'fr\_%';
  end if;
end;
$$;
comment on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[]) is
  'What Stripe is to be asked about one by one: what the books of an org hold from p_from to p_to that was not among what '
  'Stripe lists (p_seen), and every finding that is open. p_org_id null: refunds of the platform''s share, of every org, '
  'with account and charge.';
revoke all on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[])
  from public, anon, authenticated, service_role;
grant execute on function app.stripe_subjects_to_check(uuid, timestamptz, timestamptz, text[]) to coach_os_worker;
