-- Per statement, not per row: the worker completing 500 bookings costs one insert of 500 rows.
create or replace function app.record_audit() returns trigger
  language plpgsql volatile security definer set search_path = '' set timezone = 'UTC'
as $$
begin
  case
    when tg_level = 'ROW' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from app.audit_entry(tg_table_name, to_jsonb(old), to_jsonb(new)) as e
       where e.actor_role is not null;
    when tg_op = 'INSERT' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from new_rows as n, app.audit_entry(tg_table_name, null, to_jsonb(n)) as e
       where e.actor_role is not null;
    when tg_op = 'DELETE' then
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from old_rows as o, app.audit_entry(tg_table_name, to_jsonb(o), null) as e
       where e.actor_role is not null;
    else
      insert into public.audit_events (org_id, table_name, row_id, action, actor_role, changes)
      with before as materialized (select to_jsonb(o) as image from old_rows as o),
           after as materialized (select to_jsonb(n) as image from new_rows as n)
      select e.org_id, tg_table_name, e.row_id, e.action, e.actor_role, e.changes
        from before as b
        full join after as a  -- a row whose key changed meets no partner: one went, another came
          on coalesce(a.image ->> 'id', a.image ->> 'org_id') = coalesce(b.image ->> 'id', b.image ->> 'org_id')
       cross join lateral app.audit_entry(tg_table_name, b.image, a.image) as e
       where e.actor_role is not null;
  end case;
  return null;
end;
$$;
comment on function app.record_audit() is
  'Writes what a statement changed to public.audit_events, one row for each row that it really changed; '
  'not a move of a pack''s counter alone, which public.session_ledger tells.';
revoke all on function app.record_audit() from public, anon, authenticated, service_role;

-- The audited tables. Why the others are not: tests/sql/orgs/test_audit.sql.
do $$
declare
  v_table name;
begin
  foreach v_table in array '{
    orgs, org_members, branding, org_payout_settings,
    clients, client_invites, client_waivers, referral_links, referrals,
    offers, promo_codes, products, client_purchases,
    session_types, booking_settings, bookings, availability, blocked_times,
    stripe_accounts, subscriptions, org_payouts, money_events,
    sms_settings, sms_schedules, sms_templates, sms_suppression,
    automations
  }'::name[] loop
    execute format(
      'create or replace trigger %1$s_audit_insert after insert on public.%1$I
         referencing new table as new_rows for each statement execute function app.record_audit()', v_table);
    execute format(
      'create or replace trigger %1$s_audit_update after update on public.%1$I
         referencing old table as old_rows new table as new_rows
         for each statement execute function app.record_audit()', v_table);
    execute format(
      'create or replace trigger %1$s_audit_delete after delete on public.%1$I
         referencing old table as old_rows for each statement execute function app.record_audit()', v_table);
  end loop;
end;
$$;

-- A pack's counter moves with every session, and the entry that says who, when and why is append-only itself. Triggers of
-- some columns are per row: those of a statement collect every row before they can look at it.
create or replace trigger client_purchases_audit_update
  after update of id, org_id, client_id, offer_id, amount_paid_cents, currency, sessions_total, purchased_at, expires_at,
                  stripe_payment_intent_id, stripe_checkout_session_id, payment_status, payment_method, promo_code_id,
                  discount_cents, session_duration_mins, created_at, refunded_at
  on public.client_purchases
  for each row execute function app.record_audit();
