"""What a coach asks of Stripe besides selling: refunds, the client's billing page, an account of their own.

Each is decided and recorded by a function of the database first; the id of that record is Stripe's idempotency key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import stripe
import structlog

from sidecar.errors import Refusal
from sidecar.logging import describe_exception
from sidecar.money.checkout import refused

if TYPE_CHECKING:
    from stripe.params import RefundCreateParams

    from sidecar.database import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What of which payment goes back; no amount: all that is left. `reason` is one of Stripe's three."""

    purchase_id: UUID
    amount_cents: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that Stripe has taken on; the books have it when Stripe's event says so."""

    refund_id: UUID
    amount_cents: int
    currency: str


@dataclass(frozen=True, slots=True)
class CustomerPortalRequest:
    """Whose billing page: `client_id` by the coach, `portal_token` by the client's own link."""

    client_id: UUID | None = None
    portal_token: UUID | None = None


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """Which business is to be paid."""

    org_id: UUID


@dataclass(frozen=True, slots=True)
class Link:
    """A page of Stripe's to go to now; it works once and not for long."""

    url: str


def _unavailable(error: stripe.StripeError) -> Refusal:
    log.warning("stripe_refused", **describe_exception(error))
    return Refusal(502, "stripe_unavailable", "Stripe did not take this; try again.")


async def refund(
    database: Database, client: stripe.StripeClient, user_id: UUID, request: RefundRequest, request_key: str | None
) -> Refund:
    """Refund a payment on the org's account, the platform's share with it.

    Without an answer from Stripe the record stays, and the same request again asks for the same refund. Errors: those
    of app.begin_refund, 409 refund_refused, 502 stripe_unavailable. Source: https://docs.stripe.com/api/refunds/create
    """
    row = await database.value(
        "begin_refund",
        p_user_id=user_id,
        p_purchase_id=request.purchase_id,
        # As a text, which the database reads as what it takes: more than that holds is refused as a value.
        p_amount_cents=None if request.amount_cents is None else str(request.amount_cents),
        p_reason=request.reason,
        p_request_key=request_key,
        p_now=datetime.now(UTC),
    )
    refund_id = UUID(row["id"])
    if row["status"] == "requested":
        await _send(database, client, row)
    elif row["status"] == "failed":
        raise _refused()
    return Refund(refund_id=refund_id, amount_cents=row["amount_cents"], currency=row["currency"])


def _refused() -> Refusal:
    return Refusal(409, "refund_refused", "Stripe did not refund this; see the payment in Stripe's dashboard.")


async def _send(database: Database, client: stripe.StripeClient, row: dict[str, Any]) -> None:
    params: dict[str, Any] = {
        "payment_intent": row["stripe_payment_intent_id"],
        "amount": row["amount_cents"],
        "refund_application_fee": row["refund_application_fee"],
        "metadata": {"refund_id": row["id"], "purchase_id": row["purchase_id"], "org_id": row["org_id"]},
    }
    if row["reason"] is not None:
        params["reason"] = row["reason"]
    stripe_refund_id, failed = None, True
    try:
        made = await client.v1.refunds.create_async(
            cast("RefundCreateParams", params),
            {"stripe_account": row["stripe_account_id"], "idempotency_key": f"refund-{row['id']}"},
        )
        stripe_refund_id, failed = made.id, made.status in {"failed", "canceled"}
    except stripe.StripeError as error:
        unavailable = _unavailable(error)
        if not refused(error):
            raise unavailable from None
    await database.value(
        "settle_refund",
        p_refund_id=row["id"],
        p_stripe_refund_id=stripe_refund_id,
        p_status="failed" if failed else "sent",
        p_now=datetime.now(UTC),
    )
    if failed:
        raise _refused()


async def open_customer_portal(
    database: Database, client: stripe.StripeClient, user_id: UUID | None, request: CustomerPortalRequest, web_url: str
) -> Link:
    """Open the page on which a client sees and ends their own subscription.

    Errors: those of app.billing_customer, 502 stripe_unavailable. Source: https://docs.stripe.com/api/customer_portal/sessions/create
    """
    customer = await database.value(
        "billing_customer", p_user_id=user_id, p_client_id=request.client_id, p_portal_token=request.portal_token
    )
    back = f"{web_url}/clients" if request.portal_token is None else f"{web_url}/portal/{request.portal_token}"
    try:
        session = await client.v1.billing_portal.sessions.create_async(
            {"customer": customer["stripe_customer_id"], "return_url": back},
            {"stripe_account": customer["stripe_account_id"]},
        )
    except stripe.StripeError as error:
        raise _unavailable(error) from None
    return Link(url=session.url)


async def connect(
    database: Database, client: stripe.StripeClient, user_id: UUID, request: ConnectRequest, web_url: str
) -> Link:
    """Open the page on which an owner tells Stripe who they are; the first time, and after they have
    disconnected it, the account is made.

    A row of ours keeps it, and its idempotency key is that row's: two clicks at once make one account. Errors:
    those of app.begin_connect, 502 stripe_unavailable. Source: https://docs.stripe.com/connect/standard-accounts
    """
    begun = await database.value("begin_connect", p_user_id=user_id, p_org_id=request.org_id)
    account_id: str | None = begun["account_id"]
    try:
        if account_id is None:
            made = await client.v1.accounts.create_async(
                {"type": "standard", "metadata": {"org_id": str(request.org_id)}},
                {"idempotency_key": begun["idempotency_key"]},
            )
            account_id = await database.value("account_connected", p_org_id=request.org_id, p_stripe_account_id=made.id)
        link = await client.v1.account_links.create_async(
            {
                "account": account_id,
                "type": "account_onboarding",
                "refresh_url": f"{web_url}/settings?stripe=refresh",
                "return_url": f"{web_url}/settings?stripe=return",
            }
        )
    except stripe.StripeError as error:
        raise _unavailable(error) from None
    return Link(url=link.url)
