create or replace function app.currency_exponent(p_currency text) returns integer
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return case
    when p_currency in (
      'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ) then 0
    when p_currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 3
    else 2
  end;
end;
$$;
comment on function app.currency_exponent(text) is
  'How many decimals an amount of this currency has: 1 of its units is 10 to that many of the smallest ones. As Stripe '
  'tells and takes amounts, so Ugandan shillings and Icelandic crowns have two, always 00. Source: '
  'https://docs.stripe.com/currencies#zero-decimal, https://docs.stripe.com/currencies#special-cases';
revoke all on function app.currency_exponent(text) from public, anon, authenticated, service_role;
