create or replace function app.apply_account(p_org_id uuid, p_account jsonb, p_at timestamptz) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_charges boolean := coalesce((p_account ->> 'charges_enabled')::boolean, false);
  v_payouts boolean := coalesce((p_account ->> 'payouts_enabled')::boolean, false);
  v_details boolean := coalesce((p_account ->> 'details_submitted')::boolean, false);
begin
  -- Two of the same second cannot be put in order; what an account may do, it is asked for step by step, so the one that
  -- may more is the later one.
  update public.stripe_accounts as a
     set charges_enabled = v_charges or (a.stripe_updated_at is not distinct from p_at and a.charges_enabled),
         payouts_enabled = v_payouts or (a.stripe_updated_at is not distinct from p_at and a.payouts_enabled),
         details_submitted = v_details or (a.stripe_updated_at is not distinct from p_at and a.details_submitted),
         disconnected_at = null,
         stripe_updated_at = p_at
   where a.org_id = p_org_id and a.stripe_account_id = p_account ->> 'id'
     and (a.stripe_updated_at is null or a.stripe_updated_at <= p_at)
     -- In the second in which it was disconnected, that was the last that was said.
     and a.disconnected_at is distinct from p_at;
  return 'applied';
end;
$$;
comment on function app.apply_account(uuid, jsonb, timestamptz) is
  'What the connected account may do, as the newest of its events says. Source: '
  'https://docs.stripe.com/api/accounts/object';
revoke all on function app.apply_account(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
