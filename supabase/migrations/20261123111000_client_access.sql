-- The end client's identity: one user is one client, and only the invite's function writes who redeemed it.
set lock_timeout = '5s';

-- The app and every policy for clients look the client up by their user. Fails if two clients have one user already.
-- The migration runs in a transaction, and an org's clients are few.
-- squawk-ignore require-concurrent-index-creation
create unique index clients_auth_user_id_key on public.clients (auth_user_id);
-- squawk-ignore require-concurrent-index-deletion
drop index public.clients_auth_user_id_idx;
comment on column public.clients.auth_user_id is
  'The user of the mobile app who is this client. Set by redeem_invite() alone; the coach may clear it.';

-- A coach makes an invite and may extend or delete it.
revoke insert, update on public.client_invites from authenticated;
grant insert (id, org_id, client_id, invite_code, expires_at) on public.client_invites to authenticated;
grant update (expires_at) on public.client_invites to authenticated;
comment on column public.client_invites.redeemed_at is 'When redeem_invite() took it, once; the code is used up from then on.';
comment on column public.client_invites.redeemed_by is
  'The user who is the client through this invite; null again once the coach has taken that back.';
