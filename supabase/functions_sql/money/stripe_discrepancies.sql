create or replace function app.stripe_discrepancies(p_org_id uuid, p_objects jsonb)
  returns table (org_id uuid, subject text, kind text, detail jsonb)
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with objects as (
      select coalesce(p_org_id, a.org_id) as org_id, o.value as object, o.value ->> 'object' = 'missing' as is_missing
        from jsonb_array_elements(p_objects) as o
        left join public.stripe_accounts as a on p_org_id is null and a.stripe_account_id = o.value ->> 'account'
       where p_org_id is not null or a.org_id is not null
    ), lines as (
      select o.org_id, o.object, o.is_missing, l.type, l.reference_id, l.amount_cents, l.currency
        from objects as o
       cross join lateral app.stripe_lines(o.object) as l
      union all
      select o.org_id, o.object, true, e.type, o.object ->> 'id', 0, e.currency
        from objects as o
        join public.money_events as e
          on e.org_id = o.org_id and e.source = 'stripe'
         and e.reference_id in (o.object ->> 'id', (o.object ->> 'id') || ':reversal')
       where o.is_missing
       group by o.org_id, o.object, e.type, e.currency
    ), compared as (
      select l.*, b.amount_cents as booked_cents, b.currencies, b.rows
        from lines as l
       cross join lateral (
         select coalesce(sum(e.amount_cents), 0)::bigint as amount_cents, count(*) as rows,
                coalesce(array_agg(distinct e.currency), '{}') as currencies,
                coalesce(bool_or(e.is_estimate), false) as is_estimate
           from public.money_events as e
          where e.org_id = l.org_id and e.source = 'stripe' and e.type = l.type
            and e.reference_id in (l.reference_id, l.reference_id || ':reversal')
            -- Fees of a payment and of a dispute may be in two currencies.
            and (l.type <> 'FEE' or e.currency = l.currency)
       ) as b
       where l.is_missing
          -- An estimate says itself that it is one.
          or not b.is_estimate and (b.amount_cents <> l.amount_cents
                                    or b.currencies <> array[l.currency] and b.amount_cents <> 0)
    )
    select c.org_id, c.reference_id,
           case when bool_or(c.is_missing) then 'unknown_to_stripe'
                when bool_and(c.rows = 0) then 'not_in_books'
                else 'differs_from_stripe' end,
           jsonb_build_object('lines', jsonb_agg(jsonb_build_object(
             'type', c.type, 'stripe_cents', c.amount_cents, 'booked_cents', c.booked_cents, 'currency', c.currency,
             'booked_currencies', c.currencies
           ) order by c.type, c.currency))
             || jsonb_strip_nulls(jsonb_build_object('charge', (array_agg(c.object ->> 'charge'))[1]))
      from compared as c
     group by c.org_id, c.reference_id
     order by c.org_id, c.reference_id;
end;
$$;
comment on function app.stripe_discrepancies(uuid, jsonb) is
  'Where the books of an org (null: of whose account each object names) are not what app.stripe_lines() makes of objects '
  'that Stripe shows; {object: missing, id} is one that Stripe does not have. kind: not_in_books, differs_from_stripe '
  '(amount or currency), unknown_to_stripe. Estimates of fees are not compared.';
revoke all on function app.stripe_discrepancies(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.stripe_discrepancies(uuid, jsonb) to coach_os_worker;
