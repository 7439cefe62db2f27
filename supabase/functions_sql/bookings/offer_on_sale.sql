create or replace function app.offer_on_sale(p_org_id uuid, p_offer_id uuid) returns public.offers
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_offer public.offers;
begin
  select o.* into v_offer
    from public.offers as o where o.id = p_offer_id and o.org_id = p_org_id and o.is_active;
  if not found then
    raise exception using errcode = 'PT404', message = 'offer_not_found', hint = 'Choose one of the offers shown.';
  end if;
  return v_offer;
end;
$$;
comment on function app.offer_on_sale(uuid, uuid) is 'An active offer of this org. PT404 offer_not_found.';
revoke all on function app.offer_on_sale(uuid, uuid) from public, anon, authenticated, service_role;
