create or replace function app.is_phone_suppressed(p_org_id uuid, p_phone text) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select from public.sms_suppression as x
     where x.org_id = p_org_id
       and x.phone = case
             when p_phone ~ '^\+[1-9][0-9]{6,14}$' then p_phone
             else coalesce(
               app.normal_phone(p_phone, (select o.country_code from public.orgs as o where o.id = p_org_id)), p_phone)
           end
  );
end;
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
  'True when this org must not text this number, however it is written: the client said STOP, or it cannot be reached. '
  'Another org''s suppressions do not count.';
revoke all on function public.is_phone_suppressed(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.is_phone_suppressed(uuid, text) to service_role;
