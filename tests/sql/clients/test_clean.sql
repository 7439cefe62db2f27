-- How what a visitor types is stored.
begin;
select plan(32);

create temp table phones (given text, stored text, why text);
insert into phones values
  ('0412345678', '+61412345678', 'an Australian mobile number'), ('0412 345 678', '+61412345678', 'with blanks'),
  ('(0412) 345-678', '+61412345678', 'with brackets and a dash'), ('0412.345.678', '+61412345678', 'with dots'),
  ('61412345678', '+61412345678', 'with the country, without +'), ('+61 412 345 678', '+61412345678', 'with both'),
  ('+61 (0)412 345 678', '+61412345678', 'with a 0 too many'), ('0011 61 412 345 678', '+61412345678', 'as dialled from there'),
  ('+1 500 555 0006', '+15005550006', 'another country''s'), ('+64 21 123 4567', '+64211234567', 'New Zealand'),
  ('021 123 4567', '021 123 4567', 'without a country it is nobody''s guess'), ('07 3000 0000', '07 3000 0000', 'a landline, too'),
  ('ask at the desk', 'ask at the desk', 'no number at all'), ('', '', 'empty'), (null, null, 'null'),
  ('+0412345678', '+0412345678', 'no country begins with 0'), ('+1234567890123456', '+1234567890123456', 'longer than numbers are');
select is(app.clean_phone(given), stored, 'phone: ' || why) from phones;

select is(app.clean_text('x', E'  two \t\n words ', 9), 'two words', 'a text is one line, blanks as one');
select is(app.clean_text('x', E' \n two \n lines \n', 11, true), E'two \n lines', 'or keeps its lines');
select is(app.clean_text('x', E' \n ', 1), null, 'nothing but blanks is null');
select is(app.clean_text('x', E'\u202Eneb\u202C \u0007Ann\u2066', 9), 'neb Ann', 'no mark turns what is around it');
select is(app.clean_text('x', E'two\x1b[2J\nlines\u0085', 12, true), E'two[2J\nlines', 'no control character but the ends of lines');
select is(app.clean_text('x', E' \u200B\uFEFF\u00AD ', 9), null, 'what nobody sees is nothing');
select is(app.clean_text('x', E'\u0645\u06CC\u200C\u062E \U0001F468\u200D\U0001F469', 9), E'\u0645\u06CC\u200C\u062E \U0001F468\u200D\U0001F469',
  'what joins and parts letters stays');
select is(app.clean_text('x', repeat('ü', 9), 9), repeat('ü', 9), 'characters count, not bytes');
select throws_ok($$select app.clean_text('x', repeat('ü', 10), 9)$$, 'PT400', 'x_invalid', 'and no more than may be');
select is(app.clean_email('email', ' Jo@Example.com '), 'Jo@Example.com', 'an address is kept as it is written');
select is(app.clean_list('x', '{" b ",a,""}', 3, 1), '{b,a}', 'a list keeps its order and no empty entry');
select is(app.clean_list('x', '{"",""}', 3, 1), null, 'a list of nothing is null');

-- The address of a visitor.
create function pg_temp.ip(p_headers text) returns text language plpgsql as $$
begin
  perform set_config('request.headers', p_headers, true);
  return app.request_ip();
end;
$$;
select is(pg_temp.ip('{"x-forwarded-for": " 2001:db8::7 , 10.0.0.1"}'), '2001:db8::7', 'address: the first hop');
select is(pg_temp.ip('{"x-forwarded-for": "unknown"}'), null, 'address: none that is one');
select is((select count(pg_temp.ip(h)) from unnest(array['', '{}', '[]', 'no JSON', null]) as h), 0::bigint,
  'address: none without the header');

select * from finish();
rollback;
