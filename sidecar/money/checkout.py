"""Selling an offer through Stripe Checkout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import stripe
import structlog

from sidecar.errors import Refusal
from sidecar.logging import describe_exception

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.settings import ServeSettings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """Which offer is sold to which client."""

    client_id: UUID
    offer_id: UUID


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page that waits for the client; `url` is Stripe's."""

    checkout_id: UUID
    url: str


def create_client(settings: ServeSettings, http_client: stripe.HTTPXClient) -> stripe.StripeClient:
    """Stripe's client at the configured address; the library pins the API version."""
    return stripe.StripeClient(
        settings.stripe_secret_key.reveal(),
        base_addresses={"api": settings.stripe_api_base},
        http_client=http_client,
        max_network_retries=2,
    )


async def open_checkout(
    database: Database, client: stripe.StripeClient, user_id: UUID, request: CheckoutRequest, web_url: str
) -> Checkout:
    """Create the Checkout Session on the org's connected account.

    The idempotency key is our row's id, so a repeated call to Stripe makes no second session. Errors: those of
    app.begin_checkout, 502 stripe_unavailable. Source: https://docs.stripe.com/api/checkout/sessions/create
    """
    terms = (
        await database.rows(
            "begin_checkout", p_user_id=user_id, p_client_id=request.client_id, p_offer_id=request.offer_id
        )
    )[0]
    metadata = {
        "org_id": str(terms["org_id"]),
        "client_id": str(request.client_id),
        "offer_id": str(request.offer_id),
    }
    try:
        session = await client.v1.checkout.sessions.create_async(
            {
                "mode": "payment",
                "client_reference_id": str(request.client_id),
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": terms["currency"],
                            "unit_amount": terms["amount_cents"],
                            "product_data": {"name": terms["offer_name"]},
                        },
                    }
                ],
                "metadata": metadata,
                "payment_intent_data": {
                    "application_fee_amount": terms["application_fee_cents"],
                    "metadata": metadata,
                },
                "success_url": f"{web_url}/calendar?purchased=1",
                "cancel_url": f"{web_url}/calendar",
            },
            {
                "stripe_account": terms["stripe_account_id"],
                "idempotency_key": f"checkout-{terms['checkout_id']}",
            },
        )
    except stripe.StripeError as error:
        log.warning("stripe_refused", **describe_exception(error))
        raise Refusal(502, "stripe_unavailable", "Stripe did not open a payment page; try again.") from None
    await database.value("checkout_opened", p_checkout_id=terms["checkout_id"], p_stripe_session_id=session.id)
    return Checkout(checkout_id=terms["checkout_id"], url=session.url or "")
