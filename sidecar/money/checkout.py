"""Selling an offer through Stripe Checkout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import stripe
import structlog

from sidecar.errors import Refusal
from sidecar.logging import describe_exception

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

    from sidecar.database import Database

log = structlog.get_logger()

RECURRING = {
    "weekly": {"interval": "week", "interval_count": 1},
    "fortnightly": {"interval": "week", "interval_count": 2},
    "monthly": {"interval": "month", "interval_count": 1},
    "quarterly": {"interval": "month", "interval_count": 3},
    "yearly": {"interval": "year", "interval_count": 1},
}
"""offers.billing_period in Stripe's words."""


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """Which offer is sold to which client: `client_id` by the coach, `portal_token` by the client's own link."""

    offer_id: UUID
    client_id: UUID | None = None
    portal_token: UUID | None = None
    promo_code: str | None = None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page that waits for the client at Stripe's `url`; `granted`: it cost nothing, and there is no page."""

    checkout_id: UUID
    url: str | None
    granted: bool


async def open_checkout(
    database: Database, client: stripe.StripeClient, user_id: UUID | None, request: CheckoutRequest, web_url: str
) -> Checkout:
    """Create the Checkout Session on the org's connected account.

    The idempotency key is our row's id and every parameter comes from that row, so a repeated call, also one after a
    crash, makes no second session. Errors: those of app.begin_checkout, 409 amount_too_small, 502 stripe_unavailable.
    Source: https://docs.stripe.com/api/checkout/sessions/create
    """
    terms = await database.value(
        "begin_checkout",
        p_user_id=user_id,
        p_client_id=request.client_id,
        p_portal_token=request.portal_token,
        p_offer_id=request.offer_id,
        p_promo_code=request.promo_code,
        p_now=datetime.now(UTC),
    )
    checkout_id = UUID(terms["id"])
    if terms["status"] == "granted":
        return Checkout(checkout_id=checkout_id, url=None, granted=True)
    if terms["url"] is not None:
        return Checkout(checkout_id=checkout_id, url=terms["url"], granted=False)
    try:
        session = await client.v1.checkout.sessions.create_async(
            session_params(terms, web_url),
            {"stripe_account": terms["stripe_account_id"], "idempotency_key": f"checkout-{checkout_id}"},
        )
    except stripe.StripeError as error:
        log.warning("stripe_refused", **describe_exception(error))
        if not refused(error):
            raise Refusal(502, "stripe_unavailable", "Stripe did not open a payment page; try again.") from None
        await database.value("checkout_refused", p_checkout_id=checkout_id, p_now=datetime.now(UTC))
        if error.code == "amount_too_small":
            raise Refusal(409, "amount_too_small", "Stripe takes no payment as small as this.") from None
        raise Refusal(502, "stripe_unavailable", "Stripe did not open a payment page; try again.") from None
    await database.value(
        "checkout_opened", p_checkout_id=checkout_id, p_stripe_session_id=session.id, p_url=session.url
    )
    return Checkout(checkout_id=checkout_id, url=session.url, granted=False)


def refused(error: stripe.StripeError) -> bool:
    """Whether Stripe said no, as opposed to nothing, "later" or "my fault", after which it may have been done."""
    return error.http_status is not None and 400 <= error.http_status < 500 and error.http_status not in {409, 429}


def session_params(terms: dict[str, Any], web_url: str) -> SessionCreateParams:
    """What Stripe is asked for: the same for the same row, as its idempotency keys demand.

    A subscription's session does not name the offer itself, because a session that does is a pack.
    """
    metadata = {key: terms[key] for key in ("org_id", "client_id")} | {"checkout_id": terms["id"]}
    sold = metadata | {"offer_id": terms["offer_id"]}
    if terms["promo_code_id"] is not None:
        sold |= {"promo_code_id": terms["promo_code_id"], "discount_cents": str(terms["discount_cents"])}
    back = f"{web_url}/portal/{terms['portal_token']}" if terms["for_portal"] else f"{web_url}/calendar"
    price: dict[str, Any] = {
        "currency": terms["currency"],
        "unit_amount": terms["amount_cents"],
        "product_data": {"name": terms["offer_name"]},
    }
    params: dict[str, Any] = {
        "mode": terms["mode"],
        "client_reference_id": terms["client_id"],
        "line_items": [{"quantity": 1, "price_data": price}],
        "expires_at": int(datetime.fromisoformat(terms["expires_at"]).timestamp()),
        "success_url": f"{back}?purchased=1",
        "cancel_url": back,
    }
    if terms["mode"] == "subscription":
        price["recurring"] = RECURRING[terms["billing_period"]]
        params["metadata"] = metadata
        params["subscription_data"] = {"metadata": sold}
        if terms["application_fee_percent"] > 0:
            params["subscription_data"]["application_fee_percent"] = terms["application_fee_percent"]
    else:
        params["metadata"] = sold
        params["payment_intent_data"] = {"metadata": sold}
        if terms["application_fee_cents"] > 0:
            params["payment_intent_data"]["application_fee_amount"] = terms["application_fee_cents"]
    return cast("SessionCreateParams", params)
