-- Why a pack's counter is what it is: one entry for every change of client_purchases.sessions_used.
set lock_timeout = '5s';

create table public.session_ledger (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  purchase_id uuid not null references public.client_purchases (id) on delete cascade,
  booking_id uuid references public.bookings (id) on delete cascade,
  entry_type text not null check (entry_type in ('booking', 'manual', 'release', 'adjustment', 'opening')),
  delta integer not null check (delta <> 0),
  sessions_used_after integer not null check (sessions_used_after >= 0),
  booking_seq integer,
  actor_id uuid,
  reason text,
  created_at timestamptz not null default now(),
  -- A booking's entries are numbered 1, 2, 3 … and alternate: taken, given back, taken again. So whatever
  -- writes them, a booking has taken either one session or none.
  constraint session_ledger_booking_seq_key unique (booking_id, booking_seq),
  constraint session_ledger_booking_entries_alternate check (
    (booking_id is null and booking_seq is null)
    or (booking_seq >= 1 and delta = case when booking_seq % 2 = 1 then 1 else -1 end)
  )
);
comment on table public.session_ledger is
  'Append-only. sessions_used of a purchase is the sum of its deltas. Goes only with its whole org: until then a pack, '
  'booking or client with entries cannot be deleted (app.refuse_ledger_change).';
comment on column public.session_ledger.actor_id is 'Signed-in user who caused it; null when the system did. No foreign key: a user who leaves did it all the same.';
create index session_ledger_org_id_idx on public.session_ledger (org_id);
create index session_ledger_purchase_id_idx on public.session_ledger (purchase_id, created_at);

alter table public.session_ledger enable row level security;
