create or replace function app.finance_export(p_user_id uuid, p_org_id uuid, p_from date, p_to date)
  returns table (
    event_at timestamptz, event_date date, type text, amount numeric, currency text, tax numeric, tax_category text,
    source text, reference_id text, client_name text, payment_status text, notes text
  )
  language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  v_timezone text;
begin
  select o.timezone into v_timezone
    from public.org_members as m
    join public.orgs as o on o.id = m.org_id
   where m.org_id = p_org_id and m.user_id = p_user_id and m.role in ('owner', 'accountant_readonly');
  if not found then
    raise exception using errcode = 'PT404', message = 'org_not_found', hint = 'Choose a business of your own.';
  end if;
  return query
  select e.event_date, (e.event_date at time zone v_timezone)::date, e.type::text,
         round(e.amount_cents / x.unit, x.exponent), e.currency, round(e.tax_cents / x.unit, x.exponent),
         e.tax_cat::text, e.source, e.reference_id, c.full_name, e.payment_status, e.notes
    from public.money_events as e
   cross join lateral app.currency_exponent(e.currency) as d (exponent)
   cross join lateral (values (d.exponent, 10::numeric ^ d.exponent)) as x (exponent, unit)
    left join public.clients as c on c.id = e.client_id
   where e.org_id = p_org_id
     and (p_from is null or e.event_date >= app.day_start(p_from, v_timezone))
     and (p_to is null or e.event_date < app.day_start(p_to + 1, v_timezone))
     and (e.payment_status is null or e.payment_status in ('succeeded', 'refunded'))
   order by e.event_date, e.created_at, e.id;
end;
$$;
comment on function app.finance_export(uuid, uuid, date, date) is
  'What public.finance_export() promises, to the user p_user_id.';
revoke all on function app.finance_export(uuid, uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function app.finance_export(uuid, uuid, date, date) to authenticated, coach_os_sidecar;

create or replace function public.finance_export(p_org_id uuid, p_from date default null, p_to date default null)
  returns table (
    event_at timestamptz, event_date date, type text, amount numeric, currency text, tax numeric, tax_category text,
    source text, reference_id text, client_name text, payment_status text, notes text
  )
  language sql stable security invoker set search_path = ''
begin atomic
  select e.event_at, e.event_date, e.type, e.amount, e.currency, e.tax, e.tax_category, e.source, e.reference_id,
         e.client_name, e.payment_status, e.notes
    from app.finance_export(auth.uid(), p_org_id, p_from, p_to) as e;
end;
comment on function public.finance_export(uuid, date, date) is
  'The books of an org on its own dates p_from to p_to (both inclusive; null: open), in order: every row of money_events '
  'whose money moved, in every currency. amount and tax are exact decimals of the currency''s unit (12.50 aud, 1250 '
  'jpy); without the PAYOUT rows, a month''s amounts in the org''s main currency add up to finance_monthly.net_cents. '
  'For the owner and the accountant: PT404 org_not_found for anybody else.';
revoke all on function public.finance_export(uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function public.finance_export(uuid, date, date) to authenticated;
