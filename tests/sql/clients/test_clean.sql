-- How what a visitor types is stored.
begin;
select plan(52);

create temp table phones (given text, country text, stored text, why text);
insert into phones values
  ('0412345678', 'AU', '+61412345678', 'an Australian mobile number'),
  ('0412 345 678', 'AU', '+61412345678', 'with blanks'),
  ('(0412) 345-678', 'AU', '+61412345678', 'with brackets and a dash'),
  ('0412.345.678', 'AU', '+61412345678', 'with dots'),
  (U&'0412\2011345\2011678', 'AU', '+61412345678', 'with dashes of a word processor'),
  ('61412345678', 'AU', '+61412345678', 'with the country, without +'),
  ('+61 412 345 678', 'AU', '+61412345678', 'with both'),
  ('+61 412 345 678', 'NZ', '+61412345678', 'wherever it is written'),
  ('+61 (0)412 345 678', 'AU', '+61412345678', 'with a 0 too many'),
  ('0011 61 412 345 678', 'AU', '+61412345678', 'as dialled from there'),
  (U&'\FF0B\FF16\FF11\FF14\FF11\FF12\FF13\FF14\FF15\FF16\FF17\FF18', 'AU', '+61412345678', 'in full width'),
  (U&'\202A+61412345678\202C', 'AU', '+61412345678', 'with marks nobody sees'),
  (U&'+\0666\0661\0664\0661\0662\0663\0664\0665\0666\0667\0668', 'AU', '+61412345678', 'in Arabic digits'),
  ('+1 500 555 0006', 'AU', '+15005550006', 'another country''s'),
  ('021 123 4567', 'NZ', '+64211234567', 'a New Zealand mobile, written there'),
  ('07 3000 0000', 'AU', '+61730000000', 'a landline'), ('07 3000 0000', 'GB', null, 'no number in Britain'),
  ('07400 123456', 'GB', '+447400123456', 'a British mobile'), ('(500) 555-0006', 'US', '+15005550006', 'an American one'),
  ('06 12 34 56 78', 'FR', '+33612345678', 'a French one'), ('347 123 4567', 'IT', '+393471234567', 'an Italian one'),
  ('06 6982 1234', 'IT', '+390669821234', 'an Italian landline, which keeps its 0'),
  ('', 'AU', null, 'empty'), (null, 'AU', null, 'null'), ('0412345678', null, null, 'of no country'),
  ('+61412345678', null, '+61412345678', 'of its own');
select is(app.normal_phone(given, country), stored, 'phone: ' || why) from phones;
select is(app.clean_phone('phone', ' 0412 345 678 ', 'AU'), '+61412345678', 'a visitor''s phone is read');
select is(app.clean_phone('phone', '  ', 'AU'), null, 'none is none');
select throws_ok(format('select app.clean_phone(%L, %L, %L)', 'phone', p, 'AU'), 'PT400', 'phone_invalid', 'refused: ' || why)
  from (values ('ask at the desk', 'words'), ('0412 345 67', 'a digit too few'), ('0412 345 6789', 'a digit too many'),
               ('+0412345678', 'a country that begins with 0'), ('+1234567890123456', 'longer than numbers are'),
               ('0412 345 678 or 0412 345 679', 'two of them'), ('0412 345 678 x12', 'an extension'), ('12', 'two digits'),
               ('+999 1234567', 'nobody''s calling code')
       ) as x (p, why);

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
