create or replace function app.claim_reconciliation(
  p_now timestamptz, p_livemode boolean, p_account_id text default null
)
  returns table (
    account_id text, stripe_account_id text, org_id uuid, events_from timestamptz, objects_from timestamptz,
    problem text
  )
  language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Of one that is asked for by name whoever has it at this moment is waited for.
  perform from app.reconciliations as r where r.account_id = p_account_id for update;
  return query
    with due as (
      select r.account_id
        from app.reconciliations as r
       where case when p_account_id is null then r.due_at <= p_now and coalesce(r.claimed_until <= p_now, true)
                  else r.account_id = p_account_id end
       order by r.due_at, r.account_id
       limit 1
         for update skip locked
    ), claimed as (
      update app.reconciliations as r
         set claimed_until = p_now + interval '1 hour'
        from due as d
       where r.account_id = d.account_id
      returning r.*
    )
    select c.account_id, a.stripe_account_id, a.org_id,
           -- As long as Stripe itself goes on delivering.
           greatest(c.since, coalesce(c.reconciled_to, c.since) - interval '3 days'),
           -- What was begun a month ago may have been paid, failed or been refunded since it was looked at last.
           greatest(c.since, coalesce(c.reconciled_to, c.since) - interval '30 days'),
           case when app.books_livemode(a.org_id) <> p_livemode then 'key_of_other_mode' end
      from claimed as c
      left join public.stripe_accounts as a on a.stripe_account_id = c.account_id;
end;
$$;
comment on function app.claim_reconciliation(timestamptz, boolean, text) is
  'Takes one account that is due to be compared with Stripe at p_now, for an hour, after which it is due again should '
  'nothing be heard; or p_account_id, whether due or not. No row: none is due. stripe_account_id and org_id null: the '
  'platform''s own. events_from and objects_from: since when what Stripe lists is to be looked at. problem: why it must '
  'not be (p_livemode: the mode of the key). app.reconciliation_done() or app.reconciliation_failed() ends it.';
revoke all on function app.claim_reconciliation(timestamptz, boolean, text) from public, anon, authenticated, service_role;
grant execute on function app.claim_reconciliation(timestamptz, boolean, text) to coach_os_worker;
