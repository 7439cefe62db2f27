create or replace function app.render_sms_template(p_template_body text, p_variables jsonb) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
declare
  v_text text := '';
  v_rest text := p_template_body;
  v_match text[];
begin
  -- Left to right, once: a value that itself looks like a placeholder is text, not a placeholder.
  loop
    v_match := regexp_match(v_rest, '^(.*?)\{\{\s*([a-z_]+)\s*\}\}(.*)$', 's');
    exit when v_match is null;
    v_text := v_text || v_match[1] || coalesce(p_variables ->> v_match[2], '');
    v_rest := v_match[3];
  end loop;
  return v_text || v_rest;
end;
$$;
comment on function app.render_sms_template(text, jsonb) is
  'Fills {{placeholders}} from a JSON object; one that is missing there becomes empty.';
revoke all on function app.render_sms_template(text, jsonb) from public, anon, authenticated, service_role;
