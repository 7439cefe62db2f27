create or replace function app.settle_push_tickets(p_answered text[], p_dead text[]) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_forgotten integer;
begin
  with settled as (
    delete from app.push_tickets as k
     where k.ticket_id = any (p_answered)
    returning k.ticket_id, k.push_token_id, k.sent_at
  )
  delete from public.push_tokens as t
   using settled as s
   where s.ticket_id = any (p_dead) and t.id = s.push_token_id and t.updated_at <= s.sent_at;
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end;
$$;
comment on function app.settle_push_tickets(text[], text[]) is
  'What Expo says became of pushes: p_answered are asked about no more; of those, p_dead went to a device that is not '
  'registered any longer, which is forgotten unless the app has registered it anew since. Returns how many were.';
revoke all on function app.settle_push_tickets(text[], text[]) from public, anon, authenticated, service_role;
grant execute on function app.settle_push_tickets(text[], text[]) to coach_os_worker;
