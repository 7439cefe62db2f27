create or replace function app.reconciliation_done(
  p_account_id text, p_livemode boolean, p_mended integer, p_advance boolean, p_now timestamptz
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id uuid;
begin
  select a.org_id into v_org_id from public.stripe_accounts as a where a.stripe_account_id = p_account_id;
  update app.reconciliations as r
     set reconciled_to = case when p_advance then greatest(r.reconciled_to, p_now) else r.reconciled_to end,
         due_at = case when p_advance then greatest(r.due_at, p_now + interval '1 day') else r.due_at end,
         livemode = p_livemode, claimed_until = null, failures = 0
   where r.account_id = p_account_id;
  if p_mended > 0 then
    -- What was missing then may have been part of a payout that was looked into.
    update app.stripe_payments as p
       set lookup_at = p_now, lookups = 0
     where p.org_id = v_org_id and p.payment_key like 'po\_%' and p.lookup_at is null
       and exists (
         select from app.stripe_facts as f
          where f.org_id = p.org_id and f.object_id = p.payment_key and f.fact = 'payout_paid'
            and f.happened_at > p_now - interval '35 days'
       );
  end if;
  perform app.record_findings('money', app.account_finding_kinds(), v_org_id, array[p_account_id], '[]', p_now);
end;
$$;
comment on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz) is
  'An account was compared with all that Stripe listed at p_now, when the run began; p_mended events were taken in. Due '
  'again a day later; p_advance false: this was a run of its own, about another time.';
revoke all on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.reconciliation_done(text, boolean, integer, boolean, timestamptz) to coach_os_worker;
