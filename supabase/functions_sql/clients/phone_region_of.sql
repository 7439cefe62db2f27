create or replace function app.phone_region_of(p_digits text) returns app.phone_regions
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  v_region app.phone_regions;
begin
  -- No calling code begins with another one.
  select r.* into v_region
    from app.phone_regions as r
   where r.is_main and length(p_digits) > 2
     and r.calling_code in (left(p_digits, 1)::integer, left(p_digits, 2)::integer, left(p_digits, 3)::integer)
     and starts_with(p_digits, r.calling_code::text);
  return v_region;
end;
$$;
comment on function app.phone_region_of(text) is
  'Whose calling code these digits begin with, the code''s main country where several share it; null for nobody''s.';
revoke all on function app.phone_region_of(text) from public, anon, authenticated, service_role;
