create or replace function app.check_sms_words() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_known text[];
begin
  if tg_table_name = 'sms_schedules' then
    v_known := (app.sms_kind(case new.type when 'pre_session' then 'reminder' else 'follow_up' end)).placeholders;
    if tg_op = 'INSERT' or (new.type, new.mins_offset) is distinct from (old.type, old.mins_offset)
       or (new.enabled and not old.enabled) then
      new.timing_since := now();
    else
      new.timing_since := old.timing_since;
    end if;
    -- The settings page writes every column with each save; words that have long been there do not stop it.
    if tg_op = 'UPDATE' and (new.type, new.body) is not distinct from (old.type, old.body) then
      return new;
    end if;
  elsif tg_op = 'UPDATE' and (new.template_key, new.body, new.variables_schema)
        is not distinct from (old.template_key, old.body, old.variables_schema) then
    return new;
  else
    -- Of another key only the caller knows what it will fill in, and says so here.
    v_known := coalesce(
      (app.sms_kind(new.template_key)).placeholders,
      '{client_name,coach_name}'::text[] || array(
        select coalesce(v ->> 'name', v #>> '{}')
          from jsonb_array_elements(case jsonb_typeof(new.variables_schema) when 'array' then new.variables_schema
                                                                              else '[]' end) as v
      )
    );
  end if;
  if app.unknown_placeholders(new.body, v_known) is not null then
    raise exception using errcode = 'PT400', message = 'placeholder_unknown',
      hint = format('Known here: %s.', (select string_agg(format('{{%s}}', k), ', ') from unnest(v_known) as k));
  end if;
  return new;
end;
$$;
comment on function app.check_sms_words() is
  'Words are saved only with placeholders that can be filled: those of the kind (app.sms_kind), of a template under '
  'another key client_name, coach_name and those its variables_schema names (["name"] or [{"name": "name"}]). PT400 '
  'placeholder_unknown. Keeps sms_schedules.timing_since besides.';
revoke all on function app.check_sms_words() from public, anon, authenticated, service_role;

create or replace trigger sms_schedules_check_words
  before insert or update of type, mins_offset, body, enabled, timing_since on public.sms_schedules
  for each row execute function app.check_sms_words();
create or replace trigger sms_templates_check_words
  before insert or update of template_key, body, variables_schema on public.sms_templates
  for each row execute function app.check_sms_words();
