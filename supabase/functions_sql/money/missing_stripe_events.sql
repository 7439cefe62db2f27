create or replace function app.missing_stripe_events(p_account_id text, p_events jsonb) returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select l.id
      from jsonb_to_recordset(p_events) as l (id text, type text)
     where app.is_booked_event(l.type)
       -- Of the platform's own events only these are about an org's money.
       and (p_account_id is not null or l.type like 'application\_fee.%')
       and not exists (select from app.webhook_events as e where e.provider = 'stripe' and e.event_id = l.id);
end;
$$;
comment on function app.missing_stripe_events(text, jsonb) is
  'Of events that Stripe lists (p_events: [{id, type}]) for an account (null: the platform''s own), those that were never '
  'delivered and would change something: app.receive_stripe_event() takes them.';
revoke all on function app.missing_stripe_events(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.missing_stripe_events(text, jsonb) to coach_os_worker;
