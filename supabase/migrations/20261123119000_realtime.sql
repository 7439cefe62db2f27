-- New messages appear at once: the coach's and the client's pages listen for inserts, each within its row security.
set lock_timeout = '5s';

do $$
begin
  -- Where there is no Realtime there is nobody to tell.
  if exists (select from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime')
     and not exists (
       select from pg_catalog.pg_publication_tables as t
        where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = 'messages'
     ) then
    alter publication supabase_realtime add table public.messages;
  end if;
end;
$$;
