create or replace function app.render_sms_template(p_template_body text, p_variables jsonb) returns text
  language plpgsql immutable security invoker set search_path = ''
as $$
begin
  -- Nobody asks for a gigabyte by a long value that many placeholders name: past the 1600 characters that are sent, a
  -- value is cut, and a template past ten times as many.
  -- Cut at each opening once: a value that itself looks like a placeholder is text, not a placeholder.
  return (
    select coalesce(
             string_agg(
               case
                 when p.n = 1 then p.piece
                 when m.parts is null then '{{' || p.piece
                 else left(coalesce(p_variables ->> m.parts[1], ''), 1601) || m.parts[2]
               end,
               '' order by p.n
             ),
             '')
      from string_to_table(left(p_template_body, 16000), '{{') with ordinality as p (piece, n)
      left join lateral regexp_match(p.piece, '^\s*([A-Za-z0-9_]+)\s*\}\}(.*)$', 's') as m (parts) on p.n > 1
  );
end;
$$;
comment on function app.render_sms_template(text, jsonb) is
  'Fills {{placeholders}} from a JSON object; one that is missing there becomes empty.';
revoke all on function app.render_sms_template(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.render_sms_template(text, jsonb) to authenticated, service_role;

create or replace function public.render_sms_template(p_template_body text, p_variables jsonb) returns text
  language sql immutable security invoker set search_path = ''
begin atomic
  select app.render_sms_template(p_template_body, p_variables);
end;
comment on function public.render_sms_template(text, jsonb) is
  'Fills {{placeholders}} (letters, digits, underscores) from a JSON object; one that is missing there becomes empty.';
revoke all on function public.render_sms_template(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.render_sms_template(text, jsonb) to authenticated, service_role;
