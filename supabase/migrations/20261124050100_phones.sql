-- Phone numbers: an org's country says how a number without one is read, and a client's number stands in two forms, as it
-- was typed and as it is dialled.
set lock_timeout = '5s';

alter table public.orgs
  add column country_code text not null default 'AU',
  -- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
  add constraint orgs_country_code_fkey foreign key (country_code) references app.phone_regions (region)
    on delete restrict,
  -- squawk-ignore constraint-missing-not-valid
  add constraint orgs_country_code_check check (country_code ~ '^[A-Z]{2}$');
comment on column public.orgs.country_code is
  'ISO 3166-1. A phone number written without a country is read as one of this country.';
-- squawk-ignore require-concurrent-index-creation
create index orgs_country_code_idx on public.orgs (country_code);
grant insert (country_code), update (country_code) on public.orgs to authenticated;

alter table public.clients add column phone_e164 text;
comment on column public.clients.phone is 'As it was typed. What is dialled is phone_e164.';
comment on column public.clients.phone_e164 is
  'The same number in E.164, for example +61412345678, kept by a trigger (app.read_client_phone); null: there is none '
  'that can be dialled. Texts go to it, and a reply from it is this client''s.';
-- Looked up by a reply's sender; the index on what was typed answered the same question for some of them.
-- squawk-ignore require-concurrent-index-deletion
drop index public.clients_org_id_phone_idx;
-- squawk-ignore require-concurrent-index-creation
create index clients_org_id_phone_e164_idx on public.clients (org_id, phone_e164);

-- Made anew by functions_sql with other parameters.
-- squawk-ignore ban-drop-function
drop function app.clean_phone(text);
-- squawk-ignore ban-drop-function
drop function app.clean_onboarding(jsonb, date);
