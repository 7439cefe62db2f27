-- What the functions for visitors without a login need: how a waiver was signed, which onboarding links were used,
-- one sign-up per referral link and person, and how often an org has been written to from outside.
set lock_timeout = '5s';

-- Waivers: what was signed, not only that something was.
alter table public.client_waivers
  add column signed_text text,
  add column signed_version text;
comment on column public.client_waivers.signed_text is
  'The org''s waiver as it was when signed; null when the org had none of its own.';
comment on column public.client_waivers.signed_version is 'SHA-256 of signed_text, as hexadecimal digits.';
comment on column public.client_waivers.signed_ip is
  'Address the signature came from, as far as the API''s proxies told: a hint, no proof.';

-- How and when it was signed is written by the client's own act (sign_waiver, submit_onboarding), not by a member.
revoke insert, update on public.client_waivers from authenticated;
grant insert (id, org_id, client_id, name, status, sent_at, expires_at, source) on public.client_waivers to authenticated;
grant update (name, status, sent_at, expires_at, source) on public.client_waivers to authenticated;

create table app.used_onboarding_tokens (
  token_sha256 bytea primary key,
  client_id uuid not null references public.clients (id) on delete cascade,
  answers_sha256 bytea not null,
  used_at timestamptz not null
);
comment on table app.used_onboarding_tokens is
  'Links whose form was sent, so that a repetition is recognised. Hashes: neither link nor answers can be read here.';
create index used_onboarding_tokens_client_id_idx on app.used_onboarding_tokens (client_id);

-- A sign-up counts once per link and person. Only submit_referral() writes here, so no row is in the way.
-- squawk-ignore require-concurrent-index-creation
create unique index referrals_one_per_person_key on public.referrals (referral_link_id, lower(referred_email));
-- Which lead the sign-up became: its conversion is the referral's. A new column, null everywhere: nothing to look up.
alter table public.referrals
  -- squawk-ignore adding-foreign-key-constraint
  add column inquiry_id uuid constraint referrals_inquiry_id_fkey references public.inquiries (id) on delete set null;
-- squawk-ignore require-concurrent-index-creation
create index referrals_inquiry_id_idx on public.referrals (inquiry_id);
comment on column public.referrals.inquiry_id is 'The lead that this sign-up became.';

-- capture_inquiry() looks for an open lead of the same person. Not unique: a coach may enter somebody twice.
-- squawk-ignore require-concurrent-index-creation
create index inquiries_open_email_idx on public.inquiries (org_id, lower(email))
  where status in ('NEW', 'CONTACTED', 'BOOKED');

create table app.visitor_counts (
  org_id uuid primary key references public.orgs (id) on delete cascade,
  minute timestamptz not null,
  calls integer not null
);
comment on table app.visitor_counts is
  'How many forms visitors have sent to an org in the newest minute (app.count_visitor).';
