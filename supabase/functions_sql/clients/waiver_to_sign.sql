create or replace function app.waiver_to_sign(p_org_id uuid, p_waiver_version text) returns text
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_text text := (select o.waiver_template from public.orgs as o where o.id = p_org_id);
begin
  if p_waiver_version is not null and p_waiver_version is distinct from app.text_version(v_text) then
    raise exception using errcode = 'PT409', message = 'waiver_changed',
      hint = 'The waiver was changed since it was shown; load the page again, read it and sign that.';
  end if;
  return v_text;
end;
$$;
comment on function app.waiver_to_sign(uuid, text) is
  'The text that a client of this org signs now, null when the org has none of its own. Raises PT409 waiver_changed '
  'when it is not the version that the client was shown; p_waiver_version null: not told.';
revoke all on function app.waiver_to_sign(uuid, text) from public, anon, authenticated, service_role;
