"""HTTP doors of the money area."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from stripe import StripeClient
from supabase import AsyncClient

from sidecar.auth import signed_in_user
from sidecar.database import Database
from sidecar.errors import Refusal
from sidecar.money import checkout, stripe_doors, stripe_events
from sidecar.money.checkout import Checkout, CheckoutRequest
from sidecar.money.export import csv_lines
from sidecar.money.stripe_doors import ConnectRequest, CustomerPortalRequest, Link, Refund, RefundRequest
from sidecar.settings import ServeSettings


@post(["/webhooks/stripe", "/functions/v1/stripe-webhook"], status_code=200, summary="Stripe event delivery")
async def receive_stripe_event(
    request: Request[Any, Any, Any], database: NamedDependency[Database], settings: NamedDependency[ServeSettings]
) -> dict[str, str]:
    """Takes a signed Stripe event; answers 200 once it is stored and applied, or was before."""
    body = await request.body()
    event = stripe_events.verify(body, request.headers.get("stripe-signature"), settings.stripe_webhook_secret)
    return {"outcome": await stripe_events.receive(database, event, livemode=settings.livemode)}


@post("/checkout", status_code=201, summary="Sell an offer through Stripe Checkout")
async def open_checkout(
    request: Request[Any, Any, Any],
    data: JSONBody[CheckoutRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    stripe_client: NamedDependency[StripeClient],
    supabase: NamedDependency[AsyncClient],
) -> Checkout:
    """Opens a payment page: for `client_id`, a client of the signed-in coach (`Authorization: Bearer <access token>`),
    or, without signing in, for the client whose portal link holds `portal_token`. A second request for the same sale
    within ten minutes gets the same page. What costs nothing is granted at once: `url` is null and `granted` true.
    """
    user_id = await _seller(request, supabase, data.client_id, data.portal_token)
    return await checkout.open_checkout(database, stripe_client, user_id, data, settings.web_url)


@post("/refunds", status_code=201, summary="Refund a payment through Stripe, or part of it")
async def refund(
    request: Request[Any, Any, Any],
    data: JSONBody[RefundRequest],
    database: NamedDependency[Database],
    stripe_client: NamedDependency[StripeClient],
    supabase: NamedDependency[AsyncClient],
) -> Refund:
    """Refunds a client's payment to the signed-in owner or staff member's business. A request with the
    `Idempotency-Key` of an earlier one is that one; without the header, an equal request within ten minutes is. To
    refund the same part twice on purpose, send two keys.
    """
    user_id = await signed_in_user(request, supabase)
    return await stripe_doors.refund(database, stripe_client, user_id, data, request.headers.get("idempotency-key"))


@post("/customer-portal", status_code=201, summary="Open a client's billing page at Stripe")
async def open_customer_portal(
    request: Request[Any, Any, Any],
    data: JSONBody[CustomerPortalRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    stripe_client: NamedDependency[StripeClient],
    supabase: NamedDependency[AsyncClient],
) -> Link:
    """Opens the page on which a client who subscribed sees invoices, changes the card and cancels: for a coach
    (`client_id`) or for the client (`portal_token`).
    """
    user_id = await _seller(request, supabase, data.client_id, data.portal_token)
    return await stripe_doors.open_customer_portal(database, stripe_client, user_id, data, settings.web_url)


@post("/connect", status_code=201, summary="Connect a business to Stripe")
async def connect(
    request: Request[Any, Any, Any],
    data: JSONBody[ConnectRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    stripe_client: NamedDependency[StripeClient],
    supabase: NamedDependency[AsyncClient],
) -> Link:
    """Opens Stripe's onboarding for the signed-in owner's business, making its account the first time."""
    user_id = await signed_in_user(request, supabase)
    return await stripe_doors.connect(database, stripe_client, user_id, data, settings.web_url)


@get("/exports/money.csv", summary="The books as CSV")
async def export_money(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    supabase: NamedDependency[AsyncClient],
    org_id: FromQuery[UUID],
    from_date: Annotated[date | None, QueryParameter(name="from")] = None,
    to_date: Annotated[date | None, QueryParameter(name="to")] = None,
) -> Stream:
    """The rows of `public.finance_export` for the signed-in owner or accountant: the business's own dates `from` to
    `to`, both included; left out: all. A client's name or a note that a spreadsheet would run begins with a quote.
    """
    user_id = await signed_in_user(request, supabase)
    rows = await database.rows("finance_export", p_user_id=user_id, p_org_id=org_id, p_from=from_date, p_to=to_date)
    return Stream(
        csv_lines(rows),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="money.csv"', "Cache-Control": "no-store"},
    )


async def _seller(
    request: Request[Any, Any, Any], supabase: AsyncClient, client_id: UUID | None, portal_token: UUID | None
) -> UUID | None:
    """The signed-in coach when a client is named, nobody when a portal link speaks for itself. 400 for both or none."""
    if portal_token is not None and client_id is None:
        return None
    user_id = await signed_in_user(request, supabase)
    if client_id is None or portal_token is not None:
        raise Refusal(400, "client_missing", "Send either client_id or portal_token.")
    return user_id
