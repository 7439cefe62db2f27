create or replace function app.org_of_booking_page(p_slug text) returns public.orgs
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org public.orgs;
begin
  select o.* into v_org from public.orgs as o where o.slug = lower(btrim(p_slug));
  if not found then
    raise exception using errcode = 'PT404', message = 'page_not_found', hint = 'Check the address of the page.';
  end if;
  return v_org;
end;
$$;
comment on function app.org_of_booking_page(text) is
  'The org whose public booking page has this slug; exactly, without wildcards. PT404 page_not_found.';
revoke all on function app.org_of_booking_page(text) from public, anon, authenticated, service_role;
