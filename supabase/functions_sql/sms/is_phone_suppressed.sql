create or replace function app.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (select from public.sms_suppression as x where x.org_id = p_org_id and x.phone = p_phone);
$$;
comment on function app.is_phone_suppressed(uuid, text) is 'What public.is_phone_suppressed() promises.';
revoke all on function app.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function app.is_phone_suppressed(uuid, text) to service_role;

create or replace function public.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language sql stable security invoker set search_path = ''
begin atomic
  select app.is_phone_suppressed(p_org_id, p_phone);
end;
comment on function public.is_phone_suppressed(uuid, text) is
  'True when this org must not text this number (as written, E.164): the client said STOP, or it cannot be reached. '
  'Another org''s suppressions do not count.';
revoke all on function public.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.is_phone_suppressed(uuid, text) to service_role;
