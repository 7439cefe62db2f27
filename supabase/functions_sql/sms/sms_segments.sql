create or replace function app.sms_segments(p_body text, out encoding text, out segments integer)
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  -- The 127 characters of the default alphabet (its 128th place, ESC, leads to the extension) as a class of a regular
  -- expression; those of the extension take two places each.
  v_basic constant text := '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&''()*+,./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\-';
  v_extension constant text := '\f\^{}\\\[~\]|€';
  v_length integer := length(p_body);
  v_wide integer;
  v_each integer;
  v_left integer := 0;
  v_units integer;
  v_character text;
begin
  if p_body is null then
    return;
  end if;
  if p_body !~ ('[^' || v_basic || v_extension || ']') then
    encoding := 'GSM-7';
    v_wide := regexp_count(p_body, '[' || v_extension || ']');
    v_each := 153;
    segments := case when v_length + v_wide <= 160 then 1 end;
  else
    encoding := 'UCS-2';
    v_wide := regexp_count(p_body, '[\U00010000-\U0010FFFF]');
    v_each := 67;
    segments := case when v_length + v_wide <= 70 then 1 end;
  end if;
  if segments is null and v_wide = 0 then
    segments := ceil(v_length::numeric / v_each);
  elsif segments is null then
    -- A character of two units is not cut in two: it begins the next segment.
    segments := 0;
    foreach v_character in array string_to_array(p_body, null) loop
      v_units := case
        when encoding = 'GSM-7' and v_character ~ ('[' || v_extension || ']') then 2
        when encoding = 'UCS-2' and ascii(v_character) > 65535 then 2
        else 1
      end;
      if v_left < v_units then
        segments := segments + 1;
        v_left := v_each;
      end if;
      v_left := v_left - v_units;
    end loop;
  end if;
end;
$$;
comment on function app.sms_segments(text) is
  'As what a carrier sends a text: its encoding (GSM-7, or UCS-2 when it has a character outside GSM-7) and in how many '
  'segments: of 160 septets or 70 UTF-16 units when one is enough, else of 153 or 67. Sources: the default alphabet and '
  'its extension of 3GPP TS 23.038 (GSM 03.38) 6.2.1, '
  'https://www.etsi.org/deliver/etsi_ts/123000_123099/123038/10.00.00_60/ts_123038v100000p.pdf; '
  'https://www.twilio.com/docs/glossary/what-sms-character-limit';
revoke all on function app.sms_segments(text) from public, anon, authenticated, service_role;
