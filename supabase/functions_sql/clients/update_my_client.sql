create or replace function app.update_my_client(p_email text, p_weight_kg numeric)
  returns table (email text, weight_kg numeric)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_email text := app.clean_email('email', p_email);
  v_client_id uuid := (app.client_of_me()).id;
begin
  if v_email is null and p_email is not null then
    raise exception using errcode = 'PT400', message = 'email_invalid', hint = 'Write the whole address, name@example.com.';
  end if;
  -- NaN counts as greater than every number: the upper limit refuses it, too.
  if p_weight_kg <= 0 or p_weight_kg >= 1000 then
    raise exception using errcode = 'PT400', message = 'weight_invalid', hint = 'Give the weight in kg, above 0 and below 1000.';
  end if;
  return query
    update public.clients as c
       set email = coalesce(v_email, c.email), weight_kg = coalesce(p_weight_kg, c.weight_kg)
     where c.id = v_client_id
    returning c.email, c.weight_kg;
end;
$$;
comment on function app.update_my_client(text, numeric) is 'What public.update_my_client() promises.';
revoke all on function app.update_my_client(text, numeric) from public, anon, authenticated, service_role;
grant execute on function app.update_my_client(text, numeric) to authenticated;

create or replace function public.update_my_client(p_email text default null, p_weight_kg numeric default null)
  returns table (email text, weight_kg numeric)
  language sql volatile security invoker set search_path = ''
begin atomic
  select * from app.update_my_client(p_email, p_weight_kg);
end;
comment on function public.update_my_client(text, numeric) is
  'Changes the e-mail address the coach has of the signed-in client, and their weight in kg; null leaves a value as it '
  'is. Returns both as they now are. The address to sign in with is Supabase Auth''s and stays. '
  'Errors: PT400 email_invalid, PT400 weight_invalid, PT403 not_a_client.';
revoke all on function public.update_my_client(text, numeric) from public, anon, authenticated, service_role;
grant execute on function public.update_my_client(text, numeric) to authenticated;
