create or replace function app.my_habit_ids() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select h.habit_id
      from public.client_habits as h
      join public.clients as c on c.id = h.client_id
     where c.auth_user_id = (select auth.uid());
end;
$$;
comment on function app.my_habit_ids() is 'Habits that the client, whom the signed-in user is, follows.';
revoke all on function app.my_habit_ids() from public, anon, authenticated, service_role;
grant execute on function app.my_habit_ids() to authenticated;
