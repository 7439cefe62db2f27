-- The chat pages of coach and client listen to new messages; row security decides who hears which.
set lock_timeout = '5s';

-- Only where Supabase Realtime is; the local API has none.
do $$
begin
  if exists (select from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime' and not p.puballtables)
     and not exists (
       select from pg_catalog.pg_publication_tables as t
        where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = 'messages'
     ) then
    alter publication supabase_realtime add table public.messages;
  end if;
end;
$$;
