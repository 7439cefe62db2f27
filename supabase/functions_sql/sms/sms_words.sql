create or replace function app.sms_words(p_org_id uuid, p_kind text, out words text, out template_id uuid)
  language plpgsql stable security definer set search_path = ''
as $$
begin
  select t.body, t.id into words, template_id
    from public.sms_templates as t
   where t.org_id = p_org_id and t.template_key = p_kind and t.is_active
   order by t.version desc
   limit 1;
  if not found then
    words := (app.sms_kind(p_kind)).words;
  end if;
end;
$$;
comment on function app.sms_words(uuid, text) is
  'The words an org has for a kind of text: the newest active version of its template under that key, else those of '
  'app.sms_kind().';
revoke all on function app.sms_words(uuid, text) from public, anon, authenticated, service_role;
