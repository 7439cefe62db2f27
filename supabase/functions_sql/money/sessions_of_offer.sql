create or replace function app.sessions_of_offer(p_offer public.offers) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return coalesce(p_offer.sessions_included, 1) + coalesce(p_offer.bonus_sessions, 0);
end;
$$;
comment on function app.sessions_of_offer(public.offers) is
  'How many sessions somebody who pays for an offer once has: those included, one where none is said, and the bonus.';
revoke all on function app.sessions_of_offer(public.offers) from public, anon, authenticated, service_role;
