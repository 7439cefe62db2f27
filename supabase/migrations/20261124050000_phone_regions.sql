-- What libphonenumber knows of each country's telephone numbers, so that Postgres can read a number as it does.
set lock_timeout = '5s';

create table app.phone_regions (
  region text primary key check (region ~ '^[A-Z]{2}$|^[0-9]{3}$'),
  calling_code integer not null check (calling_code between 1 and 999),
  is_main boolean not null,
  international_prefix text,
  national_prefix text,
  national_prefix_becomes text,
  pattern text not null,
  lengths integer[] not null,
  local_lengths integer[] not null
);
create unique index phone_regions_calling_code_key on app.phone_regions (calling_code) where is_main;
comment on table app.phone_regions is
  'libphonenumber''s metadata, written by `./just phone-regions`; app.normal_phone() reads numbers by it. '
  'Source: https://github.com/google/libphonenumber';
comment on column app.phone_regions.region is
  'ISO 3166-1 code of the country; the calling code itself where numbers belong to none (satellites, freephone).';
comment on column app.phone_regions.is_main is 'Of the countries that share a calling code, the one it is read by.';
comment on column app.phone_regions.international_prefix is
  'Regular expression: what is dialled there to call abroad.';
comment on column app.phone_regions.national_prefix is
  'Regular expression: what is dialled there before a number, as 0 in 0412, and is no part of it.';
comment on column app.phone_regions.national_prefix_becomes is 'What takes its place (\1: its first group); null: nothing.';
comment on column app.phone_regions.pattern is 'Regular expression of all its numbers, without calling code and prefix.';
comment on column app.phone_regions.lengths is 'How many digits its numbers have; local_lengths: within one town alone.';
