create or replace function app.client_of_stripe(p_org_id uuid, p_object jsonb) returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  v_named uuid := app.id_in_text(coalesce(p_object -> 'metadata' ->> 'client_id', p_object ->> 'client_reference_id'));
begin
  return (select c.id from public.clients as c where c.id = v_named and c.org_id = p_org_id);
end;
$$;
comment on function app.client_of_stripe(uuid, jsonb) is
  'The org''s client whom a Stripe object names: metadata.client_id, else a session''s client_reference_id. Null: nobody, '
  'or nobody of this org.';
revoke all on function app.client_of_stripe(uuid, jsonb) from public, anon, authenticated, service_role;
