create or replace function app.furnish_org() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Who creates an org owns it; an admin of the platform creates one for somebody else.
  if new.created_by is not null
     and not exists (select from public.platform_admins as a where a.user_id = new.created_by and a.role = 'admin') then
    insert into public.org_members (org_id, user_id, role) values (new.id, new.created_by, 'owner');
  end if;
  insert into public.branding (org_id, display_name) values (new.id, new.name);
  insert into public.booking_settings (org_id, timezone) values (new.id, new.timezone);
  insert into public.sms_settings (org_id, timezone) values (new.id, new.timezone);
  perform app.add_default_session_types(new.id);
  insert into public.sms_schedules (org_id, type, label, mins_offset, body)
  values (new.id, 'pre_session', 'Reminder the day before', 1440, (app.sms_kind('reminder')).words),
         (new.id, 'post_session', 'Follow-up', 60, (app.sms_kind('follow_up')).words);
  return null;
end;
$$;
comment on function app.furnish_org() is
  'Every org has its owner, branding, settings rows, session types and text schedules from birth.';
revoke all on function app.furnish_org() from public, anon, authenticated, service_role;

create or replace trigger orgs_furnish
  after insert on public.orgs
  for each row execute function app.furnish_org();
