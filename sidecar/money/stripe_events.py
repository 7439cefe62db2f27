"""Stripe's webhook: verify, parse, hand to the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import stripe
import structlog
from psycopg.types.json import Jsonb

from sidecar.errors import Refusal

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.settings import Secret

log = structlog.get_logger()

TOLERANCE_S = 300
"""How old a signature may be, against replays. Source: https://docs.stripe.com/webhooks#replay-attacks"""


def verify(body: bytes, signature: str | None, secret: Secret) -> dict[str, Any]:
    """The event in a signed delivery.

    Checks the signature over the raw body before anything is parsed. Refuses with 400: unsigned, wrongly signed,
    older than TOLERANCE_S, or not an event. Source: https://docs.stripe.com/webhooks#verify-manually
    """
    if not signature:
        raise Refusal(400, "signature_missing", "Send Stripe's Stripe-Signature header.")
    try:
        stripe.WebhookSignature.verify_header(body.decode(), signature, secret.reveal(), TOLERANCE_S)
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        # ValueError: the body is not UTF-8; TypeError: the header is not ASCII.
        raise Refusal(400, "signature_invalid", "The signature does not match, or is too old.") from None
    try:
        event = json.loads(body, parse_constant=_refuse_constant)
        storable = json.dumps(event, ensure_ascii=False, allow_nan=False)
        storable.encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "event_malformed", "The body is not JSON.") from None
    if not isinstance(event, dict) or event.get("object") != "event" or "\\u0000" in storable:
        raise Refusal(400, "event_malformed", "The body is not a Stripe event.")
    return event


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are not JSON, though Python reads them; Postgres would not store them."""
    raise ValueError(name)


async def receive(database: Database, event: dict[str, Any], *, livemode: bool) -> str:
    """Store and apply a verified event, once; returns what became of it (see app.receive_stripe_event)."""
    outcome = str(await database.value("receive_stripe_event", p_event=Jsonb(event), p_livemode=livemode))
    log.info("stripe_event", outcome=outcome)
    return outcome
