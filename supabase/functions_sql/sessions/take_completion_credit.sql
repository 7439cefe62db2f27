create or replace function app.take_completion_credit(p_purchase_id uuid, p_now timestamptz) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- In turns, and the look comes after the wait: another tab of the same user may take the credit that this one left and
  -- leave its own, which a look from before that would not show.
  perform from public.client_purchases as p where p.id = p_purchase_id for no key update;
  delete from app.completion_credits as c
   where c.id = (
     select k.id
       from app.completion_credits as k
      where k.purchase_id = p_purchase_id and k.user_id is not distinct from auth.uid()
        and k.created_at > p_now - interval '1 minute'
      order by k.id
      limit 1
        for update skip locked
   );
  return found;
end;
$$;
comment on function app.take_completion_credit(uuid, timestamptz) is
  'Takes one of the caller''s completion credits on a pack, not older than a minute at p_now. False: there is none.';
revoke all on function app.take_completion_credit(uuid, timestamptz) from public, anon, authenticated, service_role;
