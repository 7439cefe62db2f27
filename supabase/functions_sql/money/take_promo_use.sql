create or replace function app.take_promo_use(p_promo_code_id uuid, p_now timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_code public.promo_codes;
  v_problem text;
begin
  select k.* into v_code from public.promo_codes as k where k.id = p_promo_code_id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'promo_code_not_found', hint = 'Check how the code is written.';
  end if;
  v_problem := case
    when p_now is not null then app.promo_code_problem(v_code, p_now)
    when v_code.times_used >= v_code.max_uses then 'promo_code_used_up'
  end;
  if v_problem is not null then
    raise exception using errcode = 'PT409', message = v_problem,
      hint = 'This code cannot be used: it is switched off, outside its dates, or used up.';
  end if;
  update public.promo_codes as k set times_used = k.times_used + 1 where k.id = p_promo_code_id;
end;
$$;
comment on function app.take_promo_use(uuid, timestamptz) is
  'Counts one use of a promo code, one at a time. p_now null: the price was agreed before, only the number of uses still '
  'matters. Raises PT404 promo_code_not_found, PT409 with a code of app.promo_code_problem().';
revoke all on function app.take_promo_use(uuid, timestamptz) from public, anon, authenticated, service_role;
