create or replace function app.create_org(p_name text, p_timezone text) returns public.orgs
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
  v_org public.orgs;
begin
  if v_user_id is null then
    raise exception using errcode = 'PT401', message = 'sign_in_required',
      hint = 'Sign in first; an org belongs to the user who creates it.';
  end if;
  if coalesce(btrim(p_name), '') = '' or length(p_name) > 200 then
    raise exception using errcode = 'PT400', message = 'org_name_invalid',
      hint = 'Give the business a name of 1 to 200 characters.';
  end if;
  -- Two tabs that both sign up wait here for each other; the second then finds the first one's org.
  perform pg_advisory_xact_lock(hashtextextended('app.create_org:' || v_user_id, 0));
  select o.* into v_org
    from public.orgs as o
    join public.org_members as m on m.org_id = o.id
   where m.user_id = v_user_id
   order by m.created_at
   limit 1;
  if found then
    return v_org;
  end if;
  insert into public.orgs (name, timezone) values (btrim(p_name), p_timezone) returning * into v_org;
  -- For an admin of the platform, whose orgs are otherwise somebody else's (app.furnish_org); for others done already.
  insert into public.org_members (org_id, user_id, role) values (v_org.id, v_user_id, 'owner');
  return v_org;
end;
$$;
comment on function app.create_org(text, text) is 'What public.create_org() promises.';
revoke all on function app.create_org(text, text) from public, anon, authenticated, service_role;
grant execute on function app.create_org(text, text) to authenticated;

create or replace function public.create_org(p_name text, p_timezone text default 'Australia/Brisbane')
  returns public.orgs
  language sql volatile security invoker set search_path = ''
begin atomic
  select app.create_org(p_name, p_timezone);  -- whole, so that a new column of the table changes nothing here
end;
comment on function public.create_org(text, text) is
  'Creates the signed-in user''s org with owner membership, branding, settings rows, session types and text '
  'schedules, all or nothing. Called again it returns the org the user already belongs to, unchanged. '
  'p_timezone: IANA name. Errors: PT401 sign_in_required, PT400 org_name_invalid, PT400 timezone_unknown.';
revoke all on function public.create_org(text, text) from public, anon, authenticated, service_role;
grant execute on function public.create_org(text, text) to authenticated;
