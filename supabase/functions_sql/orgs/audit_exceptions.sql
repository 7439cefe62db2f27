-- plpgsql, here and in app.actor_role(): a SQL function is planned anew by every statement that calls it.
create or replace function app.audit_exceptions(p_table name, out secret text[], out left_out text[])
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  -- Whoever has one of these is let in by it, or paid by it.
  secret := case p_table
    when 'clients' then '{onboarding_token,portal_token}'
    when 'client_invites' then '{invite_code}'
    when 'client_waivers' then '{token}'
    when 'org_payout_settings' then '{bank_account_number,bank_bsb}'
    when 'subscriptions' then '{manage_url}'
    else '{}'
  end;
  left_out := case p_table
    when 'bookings' then '{updated_at,text_version,text_version_at}'
    when 'client_purchases' then '{sessions_remaining}'  -- generated
    when 'sms_schedules' then '{updated_at,timing_since}'
    when 'clients' then '{updated_at,phone_e164}'  -- read from phone
    when 'automations' then '{updated_at,next_due_at}'  -- the clock's
    when 'referral_links' then '{updated_at,clicks,signups}'  -- counters that visitors move
    else '{updated_at}'
  end;
end;
$$;
comment on function app.audit_exceptions(name) is
  'The columns that public.audit_events treats otherwise. secret: that they changed, never what they hold. left_out: '
  'not at all, because they only keep the books on others; an update of nothing else is none.';
revoke all on function app.audit_exceptions(name) from public, anon, authenticated, service_role;
