create or replace function app.check_my_webhook_event(p_id uuid) returns void
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (
    select
      from app.webhook_events as e
      join public.stripe_accounts as a on a.stripe_account_id = e.account_id
     where e.id = p_id and a.org_id = any (array(select app.my_owned_org_ids()))
  ) then
    raise exception using errcode = 'PT404', message = 'webhook_event_not_found',
      hint = 'Choose one of webhook_problems().';
  end if;
end;
$$;
comment on function app.check_my_webhook_event(uuid) is
  'That a kept event is of the account of an org that the caller owns. Raises PT404 webhook_event_not_found.';
revoke all on function app.check_my_webhook_event(uuid) from public, anon, authenticated, service_role;
