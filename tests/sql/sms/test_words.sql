-- The words of texts: which placeholders may be saved, in how many segments a text is sent, what is cut.
begin;
select plan(84);

select tests.org('ada', 'Australia/Brisbane');
select tests.act_as('ada');

-- Placeholders, through the doors a coach has. p_body: what is saved; the answer: saved, or what is refused and known.
create function pg_temp.saved(p_statement text, p_body text) returns text language plpgsql as $$
declare
  v_hint text;
begin
  execute format(p_statement, p_body);
  return 'saved';
exception when others then
  get stacked diagnostics v_hint = pg_exception_hint;
  return concat_ws(' ', sqlstate, sqlerrm, v_hint);
end;
$$;
create function pg_temp.schedule(p_type text, p_body text) returns text language sql as $$
  select pg_temp.saved(format('insert into public.sms_schedules (org_id, type, label, body) values (%L, %L, ''x'', %%L)',
                              tests.id('org', 'ada'), p_type), p_body);
$$;
create function pg_temp.template(p_key text, p_body text, p_variables jsonb default '[]') returns text language sql as $$
  select pg_temp.saved(format('insert into public.sms_templates (org_id, template_key, name, body, variables_schema, version)
                               values (%L, %L, ''x'', %%L, %L, (select count(*) + 1 from public.sms_templates))',
                              tests.id('org', 'ada'), p_key, p_variables), p_body);
$$;
create temp table known as
select 'PT400 placeholder_unknown Known here: {{client_name}}, {{coach_name}}, {{session_datetime}}, {{location}},'
    || ' {{sessions_remaining}}, {{sessions_booked}}, {{session_summary}}' as of_booking;
grant select on known to public;
select is(pg_temp.schedule('pre_session', '{{client_name}} {{session_datetime}} {{location}} {{coach_name}}'), 'saved',
  'what the settings page offers before a session');
select is(pg_temp.schedule('post_session', '{{client_name}} {{coach_name}} {{feedback_link}} {{sessions_remaining}} {{sessions_booked}}'
  || ' {{session_summary}}'), 'saved', 'and after one');
select is(pg_temp.schedule('pre_session', p.body), k.of_booking || '.', format('%L: %s', p.body, p.why))
  from known as k, (values
    (1, 'Hi {{cleint_name}}', 'a slip'), (2, 'Hi {{Client_Name}}', 'other letters'), (3, '{{client_name}} {{x}}', 'one of two'),
    (4, 'See {{feedback_link}}', 'of another kind'), (5, 'Hi {{client name}}', 'two words'), (6, 'Hi {{client_name}', 'half closed'),
    (7, 'Hi {{', 'opened at the end'), (8, 'Hi {{{client_name}}}', 'three braces'), (9, 'Hi {{}}', 'empty'),
    (10, 'Hi {{client_name', 'not closed')) as p (n, body, why) order by n;
select is(pg_temp.schedule('post_session', 'Hi {{nobody}}'), k.of_booking || ', {{feedback_link}}.', 'each kind says its own') from known as k;
select is(pg_temp.schedule('pre_session', p.body), 'saved', format('%L: %s', p.body, p.why))
  from (values (1, 'no placeholder', 'none'), (2, '{{ client_name }}', 'spaces'), (3, 'a } b }} { c', 'other braces'),
               (4, '{{client_name}}{{client_name}}', 'twice')) as p (n, body, why) order by n;
insert into public.sms_schedules (id, org_id, type, label, body)
values (tests.id('schedule', 'x'), tests.id('org', 'ada'), 'post_session', 'x', 'Hi {{feedback_link}}');
select throws_ok($$update public.sms_schedules set body = 'Hi {{x}}' where label = 'x'$$, 'PT400', 'placeholder_unknown', 'nor when it is edited');
select throws_ok($$update public.sms_schedules set type = 'pre_session' where id = tests.id('schedule', 'x')$$, 'PT400', 'placeholder_unknown',
  'nor by making it another kind');
select is(pg_temp.template('booking_confirmation', '{{session_datetime}}'), 'saved', 'a template of a kind');
select is(pg_temp.template('booking_confirmation', '{{portal_link}}'), of_booking || '.', 'knows what that kind knows') from known;
select is(pg_temp.template('portal_link', '{{portal_link}}'), 'saved', 'another kind');
select is(pg_temp.template('portal_link', '{{session_datetime}}'),
  'PT400 placeholder_unknown Known here: {{client_name}}, {{coach_name}}, {{portal_link}}.', 'something else');
select is(pg_temp.template('client_booked', '{{client_name}} {{session_datetime}} {{location}}'), 'saved', 'those for the coach');
select is(pg_temp.template('onboarding_completed', '{{location}}'), 'PT400 placeholder_unknown Known here: {{client_name}}.', 'too');
select is(pg_temp.template('party', '{{client_name}} {{coach_name}}'), 'saved', 'a template of one''s own');
select is(pg_temp.template('party', '{{when}}'), 'PT400 placeholder_unknown Known here: {{client_name}}, {{coach_name}}.',
  'what whoever sends it fills in');
select is(pg_temp.template('party', '{{when}} {{where}}', '["when", {"name": "where", "type": "string"}]'), 'saved', 'is declared with it');
select is(pg_temp.template('party', '{{when}}', '{"when": 1}'), 'PT400 placeholder_unknown Known here: {{client_name}}, {{coach_name}}.',
  'as a list');
select throws_ok($$update public.sms_templates set variables_schema = '[]' where body ~ 'where'$$, 'PT400', 'placeholder_unknown',
  'which cannot be taken away from under it');
select lives_ok($$update public.sms_templates set is_active = false where body ~ 'where'$$, 'though it can be switched off');
select matches(pg_temp.template('party', repeat('x', 1601)), '^23514', 'longer than Twilio takes: refused');
select is(pg_temp.template('party', repeat('x', 1600)), 'saved', 'as long: saved');
select tests.act_as_role('service_role');
select throws_ok($$update public.sms_templates set body = '{{x}}'$$, 'PT400', 'placeholder_unknown', 'a service key is held to it as well');
select tests.act_as_admin();
-- Words that are older than the check do not stop the settings page, which writes every column.
set local session_replication_role = replica;
update public.sms_schedules set body = 'Hi {{old}}' where id = tests.id('schedule', 'x');
set local session_replication_role = origin;
select tests.act_as('ada');
select lives_ok($$update public.sms_schedules set body = 'Hi {{old}}', enabled = false, label = 'y' where id = tests.id('schedule', 'x')$$,
  'a schedule with older words can be switched off');
select throws_ok($$update public.sms_schedules set body = 'Hi {{old}}!' where id = tests.id('schedule', 'x')$$, 'PT400', 'placeholder_unknown',
  'not edited');
select tests.act_as_admin();
-- Every kind has words that it may have itself, of one segment when nothing long is filled in, and within GSM-7.
create temp view kinds as
select k, d.* from unnest(array['booking_confirmation', 'booking_moved', 'booking_cancelled', 'reminder', 'unconfirmed_warning', 'follow_up',
                                'portal_link', 'client_booked', 'client_cancelled', 'onboarding_completed']) as k, app.sms_kind(k) as d;
select is_empty('select k from kinds where app.unknown_placeholders(words, placeholders) is not null or words is null',
  'the words of every kind use what it knows');
select is_empty($$select k from kinds where (app.sms_segments(app.render_sms_template(words,
    '{"client_name": "Alexandra", "coach_name": "Northside Strength", "session_datetime": "Wed 25 Nov at 10:00 am", "session_summary": "Sessions left: 10, booked: 3."}')
    || case when words ~ 'portal_link' then repeat('x', 70) else '' end)) is distinct from row('GSM-7'::text, 1)$$,
  'and are one segment of GSM-7');
select is((select row(d.*)::text from app.sms_kind('hello') as d), '(,,,,f)', 'another key is none of ours');
select is((select row(d.*)::text from app.sms_kind(null) as d), '(,,,,)', 'nor is none');
select is((select string_agg(body, ' / ' order by mins_offset desc) from public.sms_schedules where org_id = tests.id('org', 'ada') and label ~ 'Reminder|Follow'),
  (app.sms_kind('reminder')).words || ' / ' || (app.sms_kind('follow_up')).words, 'a new org''s schedules have them');

-- Segments. Each side of every limit.
create temp table texts (n integer, body text, encoding text, segments integer, why text);
insert into texts values
  (1, 'Hello', 'GSM-7', 1, 'a word'), (2, '', 'GSM-7', 1, 'nothing'),
  (3, repeat('a', 160), 'GSM-7', 1, '160'), (4, repeat('a', 161), 'GSM-7', 2, '161'),
  (5, repeat('a', 306), 'GSM-7', 2, 'twice 153'), (6, repeat('a', 307), 'GSM-7', 3, 'and one'),
  (7, repeat('a', 1600), 'GSM-7', 11, 'as long as may be'),
  (8, repeat('€', 80), 'GSM-7', 1, '80 of two septets'), (9, repeat('€', 81), 'GSM-7', 2, '81'),
  (10, repeat('€', 152), 'GSM-7', 2, '76 fit into 153'), (11, repeat('€', 153), 'GSM-7', 3, 'one more'),
  (12, repeat('a', 152) || '€' || repeat('a', 152), 'GSM-7', 3, 'none is cut in two: 306 septets, three segments'),
  (13, repeat('a', 151) || '€' || repeat('a', 153), 'GSM-7', 2, 'unless it just fits'),
  (14, repeat('a', 69) || '✓', 'UCS-2', 1, '70 with one outside'), (15, repeat('a', 70) || '✓', 'UCS-2', 2, '71'),
  (16, repeat('✓', 134), 'UCS-2', 2, 'twice 67'), (17, repeat('✓', 135), 'UCS-2', 3, 'and one'),
  (18, repeat('🎉', 35), 'UCS-2', 1, '35 of two units'), (19, repeat('🎉', 36), 'UCS-2', 2, '36'),
  (20, repeat('🎉', 66), 'UCS-2', 2, '33 fit into 67'), (21, repeat('🎉', 67), 'UCS-2', 3, 'one more'),
  (22, repeat('a', 66) || '🎉' || repeat('a', 66), 'UCS-2', 3, 'a pair is not cut in two'),
  (23, 'à la carte, Ünderground, señor, Øre, ß', 'GSM-7', 1, 'letters of the alphabet'),
  (24, 'ç', 'UCS-2', 1, 'Ç is in it, ç is not'), (25, 'á', 'UCS-2', 1, 'nor á'), (26, '’', 'UCS-2', 1, 'nor what a phone makes of an apostrophe'),
  (27, '`', 'UCS-2', 1, 'nor a backtick'), (28, '–', 'UCS-2', 1, 'nor a dash'), (29, E'\t', 'UCS-2', 1, 'nor a tab'),
  (30, E'a\nb\r\nc', 'GSM-7', 1, 'line ends are'), (31, '[x] {y} ~ \ | ^ €', 'GSM-7', 1, 'the extension'),
  (32, E'\u00a0', 'UCS-2', 1, 'a hard space'), (33, 'Α', 'UCS-2', 1, 'a Greek capital that looks Latin'), (34, 'Ω', 'GSM-7', 1, 'one that does not');
select is((select row(s.*)::text from app.sms_segments(t.body) as s), format('(%s,%s)', t.encoding, t.segments), t.why) from texts as t order by n;
select is((select row(s.*)::text from app.sms_segments(null) as s), '(,)', 'null of null');
insert into public.sms_messages (org_id, to_phone, from_phone, body) values (tests.id('org', 'ada'), '+61491570156', '+15005550001', repeat('a', 161));
select is((select segments from public.sms_messages), 2, 'every text in the outbox carries its number');
update public.sms_messages set body = 'short', segments = 7;
select is((select segments from public.sms_messages), 1, 'its own');

-- What is too long.
select is(app.cut_sms(repeat('word ', 320)), repeat('word ', 320), '1600 characters stay');
select is(app.cut_sms(repeat('word ', 320) || 'x'), rtrim(repeat('word ', 319)) || '...', 'one more is cut after a word');
select is(app.cut_sms('Hi ' || repeat('x', 5000)), 'Hi ' || repeat('x', 1594) || '...', 'a word of 5000 letters is cut within');
select is(app.cut_sms(repeat('🎉 ', 600)), rtrim(repeat('🎉 ', 532)) || '...', 'what counts twice is counted twice');
select is(app.cut_sms(null), null, 'null of null');
update public.sms_settings set twilio_phone_number = '+15005550001' where org_id = tests.id('org', 'ada');
delete from public.sms_templates;
update public.clients set full_name = repeat('Anna', 1000) where id = tests.id('client', 'ada');
select tests.booking('long', 'ada', '2099-03-02 23:00Z');
select is((select length(body) from public.sms_messages where template_key = 'booking_confirmation'), 1600, 'so is a text with a name like that');

select * from finish();
rollback;
