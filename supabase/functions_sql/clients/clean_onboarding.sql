create or replace function app.clean_onboarding(p_answers jsonb, p_today date, p_country text) returns jsonb
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_clean jsonb := '{}';
  v_field text;
  v_value jsonb;
begin
  if jsonb_typeof(p_answers) is distinct from 'object' or octet_length(p_answers::text) > 65536 then
    raise exception using errcode = 'PT400', message = 'answers_invalid',
      hint = 'Send the answers as one JSON object of at most 64 KiB.';
  end if;
  for v_field, v_value in select a.key, a.value from jsonb_each(p_answers) as a loop
    case
      when v_field in ('full_name', 'address_line1', 'address_line2', 'emergency_contact_name') then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 200));
      when v_field in ('city', 'state') then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 100));
      when v_field = 'postcode' then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 20));
      when v_field = 'email' then
        v_value := to_jsonb(app.clean_email(v_field, app.json_text(v_field, v_value)));
      when v_field in ('phone', 'emergency_contact_phone') then
        v_value := to_jsonb(app.clean_phone(v_field, app.json_text(v_field, v_value), p_country));
      when v_field = 'date_of_birth' then
        v_value := to_jsonb(app.clean_date(v_field, app.json_text(v_field, v_value), p_today));
      when v_field = 'gender' then
        v_value := to_jsonb(app.clean_text(v_field, app.json_text(v_field, v_value), 20));
        if v_value not in ('"male"', '"female"', '"other"', '"prefer_not_to_say"') then
          raise exception using errcode = 'PT400', message = 'gender_invalid',
            hint = 'gender must be male, female, other or prefer_not_to_say.';
        end if;
      when v_field = 'height_cm' then
        v_value := to_jsonb(app.clean_number(v_field, v_value, 300));
      when v_field in ('weight_kg', 'target_weight_kg') then
        v_value := to_jsonb(app.clean_number(v_field, v_value, 700));
      when v_field in ('goals', 'health_conditions', 'injuries', 'medications', 'dietary_restrictions') then
        v_value := to_jsonb(app.clean_list(v_field, app.json_texts(v_field, v_value), 30, 300));
      else
        -- The name is the sender's own text: it is not repeated.
        raise exception using errcode = 'PT400', message = 'answer_unknown',
          hint = 'Send only full_name, email, phone, date_of_birth, gender, address_line1, address_line2, city, state, '
                 'postcode, height_cm, weight_kg, target_weight_kg, goals, health_conditions, injuries, medications, '
                 'dietary_restrictions, emergency_contact_name and emergency_contact_phone.';
    end case;
    v_clean := v_clean || jsonb_build_object(v_field, v_value);
  end loop;
  if v_clean -> 'full_name' = 'null' then
    raise exception using errcode = 'PT400', message = 'full_name_invalid',
      hint = 'full_name must be a name of 1 to 200 characters.';
  end if;
  return v_clean;
end;
$$;
comment on function app.clean_onboarding(jsonb, date, text) is
  'A client''s answers as they are stored in the columns of the same names: empty ones null, phones in E.164. '
  'p_today: the org''s date; p_country: its country, for phones without one. Raises PT400 answers_invalid, answer_unknown, or <field>_invalid with a hint '
  'that says what is allowed.';
revoke all on function app.clean_onboarding(jsonb, date, text) from public, anon, authenticated, service_role;
