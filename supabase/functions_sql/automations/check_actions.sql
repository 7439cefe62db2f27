create or replace function app.check_actions(p_actions jsonb) returns void
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  v_action jsonb;
  v_number integer := 0;
  v_type text;
  v_longest integer;
  v_text text;
  v_problem text;
begin
  if jsonb_typeof(p_actions) <> 'array' then
    return;  -- the table's constraint says so
  end if;
  if jsonb_array_length(p_actions) > 10 then
    raise exception using errcode = 'PT400', message = 'actions_invalid', hint = 'An automation has at most 10 actions.';
  end if;
  for v_action in select e from jsonb_array_elements(p_actions) as e loop
    v_number := v_number + 1;
    v_type := v_action ->> 'type';
    if v_type = 'create_offer' then
      raise exception using errcode = 'PT400', message = 'action_unavailable',
        hint = format('Action %s: there are no offers for one client alone, so none can be made for them.', v_number);
    end if;
    v_longest := case v_type
      when 'send_message' then 4000 when 'send_sms' then 1600 when 'send_push' then 1000 when 'notify_trainer' then 1000
      when 'tag_client' then 50
    end;
    v_text := v_action -> 'params' ->> case v_type when 'tag_client' then 'tag' else 'body' end;
    v_problem := case
      when v_longest is null
        then 'the type is one of send_message, send_sms, send_push, notify_trainer and tag_client'
      when coalesce(v_text, '') !~ '\S' or length(v_text) > v_longest
        then format('params.%s has 1 to %s characters', case v_type when 'tag_client' then 'tag' else 'body' end, v_longest)
      when length(v_action -> 'params' ->> 'title') > 200 then 'params.title has at most 200 characters'
      when exists (
        select
          from unnest(array[v_text, v_action -> 'params' ->> 'title']) as t (body),
               regexp_matches(t.body, '\{\{([^{}]*)\}\}', 'g') as m (name)
         where btrim(m.name[1]) not in ('name', 'first_name', 'days_inactive')
      ) then 'the placeholders are {{name}}, {{first_name}} and {{days_inactive}}'
    end;
    if v_problem is not null then
      raise exception using errcode = 'PT400', message = 'actions_invalid',
        hint = format('Action %s: %s.', v_number, v_problem);
    end if;
  end loop;
end;
$$;
comment on function app.check_actions(jsonb) is
  'Refuses actions that app.perform_action() could not do: each is {type, params}. Errors: PT400 actions_invalid; the hint '
  'says which and why; PT400 action_unavailable: create_offer, which the existing screens know and nothing ever did.';
revoke all on function app.check_actions(jsonb) from public, anon, authenticated, service_role;
