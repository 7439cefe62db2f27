-- Who changed what and when, for what an org would ask about: written by app.record_audit(), read by its owner.
set lock_timeout = '5s';

create table public.audit_events (
  id uuid primary key default gen_random_uuid(),
  seq bigint generated always as identity,
  -- No foreign key: checking it would lock the org's row with every change of a client or a booking, and so wait for
  -- (or deadlock with) whoever changes the org's time zone. app.forget_audit() does what its cascade would.
  org_id uuid not null,
  table_name text not null,
  row_id uuid not null,
  action text not null check (action in ('insert', 'update', 'delete')),
  actor_id uuid default auth.uid(),
  actor_role text not null check (actor_role in (
    'owner', 'staff', 'accountant_readonly', 'client', 'platform_admin', 'visitor', 'service_role', 'worker', 'sidecar',
    'system'
  )),
  changes jsonb not null check (jsonb_typeof(changes) = 'object'),
  transaction_id bigint not null default pg_current_xact_id()::text::bigint,
  created_at timestamptz not null default now()
);
comment on table public.audit_events is
  'Who changed what and when: one row for each row of an audited table that was written or deleted. Append-only for '
  'everybody, the table''s owner included; it goes only with its whole org (app.refuse_audit_change). Grows by some 600 '
  'bytes a change, indexes included; nothing is purged.';
comment on column public.audit_events.seq is 'Order within a transaction, whose rows all have one created_at.';
comment on column public.audit_events.row_id is 'The row''s id; in tables whose key is the org, the org''s.';
comment on column public.audit_events.actor_id is
  'Signed-in user who did it; null when nobody was. No foreign key: a user who leaves did it all the same.';
comment on column public.audit_events.actor_role is
  'What the actor was to the org: see app.actor_role(). What a foreign key does (on delete …) counts as done by whoever '
  'caused it.';
comment on column public.audit_events.changes is
  'update: {column: {"from": …, "to": …}} of what changed. insert, delete: the row, without its nulls. A secret column '
  'is never quoted, only {"changed": true} (app.audit_exceptions). Instants in UTC.';
comment on column public.audit_events.transaction_id is 'The same for everything that happened in one transaction.';
-- The owner's screens: the newest of an org, and the history of one row.
create index audit_events_org_id_idx on public.audit_events (org_id, created_at desc, seq desc);
create index audit_events_row_idx on public.audit_events (table_name, row_id);

alter table public.audit_events enable row level security;
create policy audit_events_select_owner on public.audit_events for select to authenticated
  using (org_id = any (array(select app.my_owned_org_ids())));
grant select on public.audit_events to authenticated, service_role;
