create or replace function app.record_stripe_findings(p_org_id uuid, p_objects jsonb, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org record;
begin
  for v_org in
    select o.org_id, array_agg(o.id) as subjects
      from (
        select coalesce(p_org_id, a.org_id) as org_id, l.value ->> 'id' as id
          from jsonb_array_elements(p_objects) as l
          left join public.stripe_accounts as a on p_org_id is null and a.stripe_account_id = l.value ->> 'account'
      ) as o
     where o.org_id is not null
     group by o.org_id
     order by o.org_id
  loop
    perform app.record_findings(
      'money', app.reconciliation_kinds(), v_org.org_id, v_org.subjects,
      (select coalesce(jsonb_agg(jsonb_build_object('kind', d.kind, 'subject', d.subject, 'detail', d.detail)), '[]')
         from app.stripe_discrepancies(p_org_id, p_objects) as d
        where d.org_id = v_org.org_id),
      p_now
    );
  end loop;
end;
$$;
comment on function app.record_stripe_findings(uuid, jsonb, timestamptz) is
  'Keeps what app.stripe_discrepancies() says of objects as Stripe shows them at p_now, each under the id by which it was '
  'asked for; findings about those that are right now are resolved.';
revoke all on function app.record_stripe_findings(uuid, jsonb, timestamptz) from public, anon, authenticated, service_role;
grant execute on function app.record_stripe_findings(uuid, jsonb, timestamptz) to coach_os_worker;
