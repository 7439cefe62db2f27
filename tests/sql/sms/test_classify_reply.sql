-- SMS-05: the whole message counts. A wrong confirm is worse than a missed one: whatever is more than a bare yes or no
-- is `other`, and the coach reads it.
begin;
select plan(150);

create temp table cases (body text, expected text, why text);
insert into cases values
  ('y', 'confirm', 'y'), ('Y', 'confirm', 'Y'), ('yes', 'confirm', 'yes'), (' Yes! ', 'confirm', 'space and a mark'),
  ('YES.', 'confirm', 'a full stop'), ('yep', 'confirm', 'yep'), ('yup', 'confirm', 'yup'), ('Yeah', 'confirm', 'yeah'),
  ('confirm', 'confirm', 'confirm'), ('Confirmed', 'confirm', 'confirmed'), ('i confirm', 'confirm', 'i confirm'),
  ('I  confirm!', 'confirm', 'two spaces'), ('yes confirmed', 'confirm', 'yes confirmed'),
  ('yes please', 'confirm', 'with please'), ('Yes, please!', 'confirm', 'with a comma and please'),
  ('Y thanks', 'confirm', 'with thanks'), ('Yes. Thank you.', 'confirm', 'with thank you'),
  ('ｙｅｓ', 'confirm', 'full-width letters'), ('Ｙ', 'confirm', 'a full-width Y'),
  (U&'y\200Bes', 'confirm', 'a zero-width space within'), (U&'\200E\202AY\202C', 'confirm', 'bidi marks around'),
  (U&'\FEFFyes', 'confirm', 'a byte order mark'), (U&'Y\00A0', 'confirm', 'a no-break space'),
  (E'Y\n', 'confirm', 'a line break'), (E'\tyes\r\n', 'confirm', 'a tab and a line break'),
  ('"Y"', 'confirm', 'quotes'), (U&'\201CYes\201D', 'confirm', 'curly quotes'), ('''y''', 'confirm', 'apostrophes'),
  ('yes, confirmed', 'other', 'a comma within is not foreseen'), ('Please, yes.', 'confirm', 'please before'),
  ('thanks, yes', 'confirm', 'thanks before'), ('Thank you! Yes', 'confirm', 'thank you before'),
  ('confirm please', 'confirm', 'confirm with please'), ('Confirmed, thanks', 'confirm', 'confirmed with thanks'),
  ('I confirm, thank you.', 'confirm', 'i confirm with thank you'), ('YES CONFIRMED!!!', 'confirm', 'in capitals'),
  ('please confirm', 'confirm', 'please confirm'), ('yep thanks', 'confirm', 'yep with thanks'),
  (U&'\2014 yes \2014', 'confirm', 'long dashes'), (U&'\00A1Yes!', 'confirm', 'a Spanish mark'), ('* yes *', 'confirm', 'stars'),
  (U&'\300CY\300D', 'confirm', 'corner brackets'), (U&'\2032y\2032', 'confirm', 'primes'), (U&'y\3002', 'confirm', 'a Chinese full stop'),
  (U&'\24CE', 'confirm', 'a Y in a circle, which is a Y'), (U&'Y\FE0F', 'confirm', 'a variation selector'),
  (U&'\2066yes\2069', 'confirm', 'bidi isolates'), (U&'Y\+0E0041', 'confirm', 'a tag'), (U&'y\115F', 'confirm', 'a filler'),
  (E'\x01yes\x7f', 'confirm', 'control characters'),
  ('please no', 'decline', 'please before no'), ('no please', 'decline', 'no please'), ('Nope, thanks!', 'decline', 'nope with thanks'),
  ('n thank you', 'decline', 'n with thank you'),
  (U&'opt\2011out', 'stop', 'a hard hyphen'), (U&'OPT\2010OUT', 'stop', 'a typographic hyphen'), ('"STOP"', 'stop', 'in quotes'),
  ('Stop  All', 'stop', 'two spaces'), (E'STOP\n', 'stop', 'with a line break'), ('End.', 'stop', 'end'),
  ('(unsubscribe)', 'stop', 'in brackets'), ('*start*', 'start', 'with stars'), ('help!', 'help', 'with a mark'),
  ('STOP?', 'stop', 'stop wins over its question mark'),
  (U&'y \2753', 'other', 'a question mark that is a picture'), (U&'yes\2048', 'other', 'question and exclamation in one'),
  ('y/n', 'other', 'both to choose from'), ('yes please thanks now', 'other', 'more than that'),
  ('yes please please', 'other', 'begging is not foreseen'), ('thanks', 'other', 'thanks without a yes'), ('i confirm?', 'other', 'confirming with doubt'),
  ('confirm 10am', 'other', 'confirming something'), ('cancel please', 'other', 'asking to cancel is for the coach'), ('N/A', 'other', 'not applicable'),
  ('(y)', 'confirm', 'brackets'), (U&'yes\2026', 'confirm', 'an ellipsis'),

  ('n', 'decline', 'n'), ('N', 'decline', 'N'), ('no', 'decline', 'no'), ('No.', 'decline', 'no with a full stop'),
  ('nope', 'decline', 'nope'), ('no thanks', 'decline', 'no thanks'), ('No, thank you', 'decline', 'no, thank you'),
  ('ｎｏ', 'decline', 'full-width no'),

  ('STOP', 'stop', 'STOP'), ('stop', 'stop', 'stop'), (' Stop. ', 'stop', 'stop with a full stop'),
  ('STOPALL', 'stop', 'STOPALL'), ('Stop all', 'stop', 'stop all'), ('UNSUBSCRIBE', 'stop', 'UNSUBSCRIBE'),
  ('CANCEL', 'stop', 'CANCEL'), ('END', 'stop', 'END'), ('QUIT', 'stop', 'QUIT'), ('REVOKE', 'stop', 'REVOKE'),
  ('OPTOUT', 'stop', 'OPTOUT'), ('opt out', 'stop', 'opt out'), ('opt-out', 'stop', 'opt-out'),
  ('ＳＴＯＰ', 'stop', 'full-width STOP'), (U&'ST\200BOP', 'stop', 'STOP with a zero-width space'),
  ('START', 'start', 'START'), ('start', 'start', 'start'), ('Unstop', 'start', 'unstop'),
  ('HELP', 'help', 'HELP'), ('Info!', 'help', 'info'),

  (null, 'other', 'nothing'), ('', 'other', 'an empty message'), ('   ', 'other', 'blanks'), ('!!!', 'other', 'only marks'),
  (U&'\200B', 'other', 'only an invisible character'),
  ('y?', 'other', 'a question'), ('yes?', 'other', 'a question'), ('yes!?', 'other', 'a question with a mark before'),
  ('?y', 'other', 'a question mark before'), ('no?', 'other', 'a no that asks'),
  (U&'y\FF1F', 'other', 'a full-width question mark'), (U&'y\061F', 'other', 'an Arabic question mark'),
  (U&'\00BFy', 'other', 'a Spanish one'), (U&'y\037E', 'other', 'a Greek one'), (U&'y\2047', 'other', 'a double one'),
  (U&'y\203D', 'other', 'an interrobang'),
  ('yes but can we move it', 'other', 'a condition'), ('yes but can we move it?', 'other', 'a condition that asks'),
  ('Yes if it is at 10', 'other', 'a condition'), ('yes, no', 'other', 'both'), ('y n', 'other', 'both, short'),
  ('not yes', 'other', 'a yes denied'), ('I can''t confirm', 'other', 'a confirm denied'),
  ('unconfirmed', 'other', 'a longer word'), ('yesterday', 'other', 'a longer word'), ('know', 'other', 'a longer word'),
  ('Y 10am', 'other', 'more than a yes'), ('yes yes', 'other', 'twice is not foreseen'), ('ok', 'other', 'ok'),
  ('yes cancel', 'other', 'a yes with a keyword'), ('please', 'other', 'please alone'), ('thanks', 'other', 'thanks alone'),
  ('please no more texts', 'other', 'a sentence'), ('no problem', 'other', 'no as part of a yes'),
  ('stop it please', 'other', 'not a keyword'), ('please stop', 'other', 'not a keyword'),
  ('don''t stop', 'other', 'not a keyword'), ('cancel my session', 'other', 'not a keyword'),
  ('help me', 'other', 'not a keyword'), ('start now', 'other', 'not a keyword'),
  (U&'Y \+01F44E', 'other', 'a yes with a thumb down'), (U&'yes \274C', 'other', 'a yes with a cross'),
  (U&'\+01F44D', 'other', 'only a thumb up'), (U&'\0443', 'other', 'a Cyrillic letter that looks like y'),
  (E'Y\n\nSent from my phone', 'other', 'a signature is more than a yes'), (repeat('y', 2000), 'other', 'a long one');
select is(app.classify_reply(c.body), c.expected, format('%s: %s', c.expected, c.why)) from cases as c;

select * from finish();
rollback;
