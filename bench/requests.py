"""The frontend's reads, as PostgREST writes them in SQL; `%s` is what it sends as a parameter.

`web/lib/use-calendar.ts` and the existing frontend's pages ask these; 1000 is the most rows hosted Supabase returns.
"""

from __future__ import annotations


def _get(rows: str) -> str:
    return f"""
        with pgrst_source as ({rows})
        select null::bigint as total_result_set, pg_catalog.count(_postgrest_t) as page_total,
               coalesce(json_agg(_postgrest_t), '[]') as body,
               nullif(current_setting('response.headers', true), '') as response_headers,
               nullif(current_setting('response.status', true), '') as response_status
          from (select * from pgrst_source) _postgrest_t
    """  # noqa: S608 - the texts below, no input


CALENDAR_WEEK = _get("""
    select public.bookings.*, row_to_json(bookings_clients_1.*)::jsonb as clients
      from public.bookings
      left join lateral (
             select clients_1.full_name from public.clients as clients_1 where clients_1.id = public.bookings.client_id
           ) as bookings_clients_1 on true
     where public.bookings.org_id = %s and public.bookings.start_time >= %s and public.bookings.start_time < %s
       and public.bookings.status <> 'cancelled'
     limit '1000' offset '0'
""")
"""`bookings?select=*,clients(full_name)` of an org and a range: arguments org, start, end."""

CONFIRMATION_POLL = _get("""
    select public.bookings.id, public.bookings.client_confirmed, public.bookings.confirmation_sent_at,
           public.bookings.status
      from public.bookings
     where public.bookings.org_id = %s and public.bookings.start_time >= %s and public.bookings.start_time < %s
     limit '1000' offset '0'
""")
"""What an open calendar asks every 15 seconds: arguments org, start, end."""

CLIENT_LIST = _get("""
    select public.clients.id, public.clients.full_name, public.clients.email, public.clients.status,
           public.clients.created_at,
           coalesce(clients_subscriptions_1.clients_subscriptions_1, '[]') as subscriptions,
           coalesce(clients_client_risk_1.clients_client_risk_1, '[]') as client_risk
      from public.clients
      left join lateral (
             select json_agg(clients_subscriptions_1)::jsonb as clients_subscriptions_1
               from (select subscriptions_1.status from public.subscriptions as subscriptions_1
                      where subscriptions_1.client_id = public.clients.id) as clients_subscriptions_1
           ) as clients_subscriptions_1 on true
      left join lateral (
             select json_agg(clients_client_risk_1)::jsonb as clients_client_risk_1
               from (select client_risk_1.tier, client_risk_1.score from public.client_risk as client_risk_1
                      where client_risk_1.client_id = public.clients.id) as clients_client_risk_1
           ) as clients_client_risk_1 on true
     where public.clients.org_id = %s
     order by public.clients.created_at desc
     limit '1000' offset '0'
""")
"""The page of all clients, with two embedded tables: argument org."""

MONEY_LIST = _get("""
    select public.money_events.*, row_to_json(money_events_clients_1.*)::jsonb as clients
      from public.money_events
      left join lateral (
             select clients_1.full_name
               from public.clients as clients_1 where clients_1.id = public.money_events.client_id
           ) as money_events_clients_1 on true
     where public.money_events.org_id = %s
     order by public.money_events.event_date desc
     limit '50' offset '0'
""")
"""The finance page's newest fifty: argument org."""

OWN_BOOKINGS = _get("""
    select public.bookings.id, public.bookings.start_time, public.bookings.end_time, public.bookings.status,
           row_to_json(bookings_offers_1.*)::jsonb as offers
      from public.bookings
      left join lateral (
             select offers_1.name from public.offers as offers_1 where offers_1.id = public.bookings.offer_id
           ) as bookings_offers_1 on true
     where public.bookings.client_id = %s and public.bookings.start_time >= %s
       and public.bookings.status <> 'cancelled'
     order by public.bookings.start_time
     limit '5' offset '0'
""")
"""The mobile app's next sessions: arguments client, start."""

WEEK_OF_ANY_ORG = _get("""
    select public.bookings.*, row_to_json(bookings_clients_1.*)::jsonb as clients
      from public.bookings
      left join lateral (
             select clients_1.full_name from public.clients as clients_1 where clients_1.id = public.bookings.client_id
           ) as bookings_clients_1 on true
     where public.bookings.start_time >= %s and public.bookings.start_time < %s
       and public.bookings.status <> 'cancelled'
     limit '1000' offset '0'
""")
"""A calendar that names no org and leaves the choice to row security: arguments start, end."""
