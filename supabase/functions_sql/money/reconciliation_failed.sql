create or replace function app.reconciliation_failed(p_account_id text, p_kind text, p_detail jsonb, p_now timestamptz)
  returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update app.reconciliations as r
     set failures = r.failures + 1, claimed_until = null,
         -- Stripe may be down for a moment; a right that was taken away does not come back by asking.
         due_at = p_now + case p_kind when 'stripe_unavailable'
                            then coalesce(app.retry_delay(r.failures + 1), interval '6 hours') else interval '1 day' end
   where r.account_id = p_account_id;
  perform app.record_findings(
    'money', app.account_finding_kinds(),
    (select a.org_id from public.stripe_accounts as a where a.stripe_account_id = p_account_id), array[p_account_id],
    jsonb_build_array(jsonb_build_object('kind', p_kind, 'subject', p_account_id, 'detail', p_detail)), p_now
  );
end;
$$;
comment on function app.reconciliation_failed(text, text, jsonb, timestamptz) is
  'An account could not be compared with Stripe: account_access_lost, key_of_other_mode (due again in a day) or '
  'stripe_unavailable (after app.retry_delay()). A finding until it could be. What was to be looked at stays to be.';
revoke all on function app.reconciliation_failed(text, text, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function app.reconciliation_failed(text, text, jsonb, timestamptz) to coach_os_worker;
