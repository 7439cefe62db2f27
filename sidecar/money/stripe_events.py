"""Stripe's webhook: verify, parse, hand to the database."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
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
"""How far a signature's time may be from ours, either way, against replays. Source: https://docs.stripe.com/webhooks#replay-attacks"""


def verify(body: bytes, signature: str | None, secret: Secret) -> dict[str, Any]:
    """The event in a signed delivery.

    `secret` may be several, separated by commas, while one is being rolled. Checks the signature over the raw body
    before anything is parsed. Refuses with 400: unsigned, wrongly signed, signed more than TOLERANCE_S ago or ahead, or
    not an event. Source: https://docs.stripe.com/webhooks#verify-manually
    """
    if not signature:
        raise Refusal(400, "signature_missing", "Send Stripe's Stripe-Signature header.")
    if not any(_is_signed(body, signature, each.strip()) for each in secret.reveal().split(",") if each.strip()):
        raise Refusal(400, "signature_invalid", "The signature does not match, or its time is not about now.")
    try:
        event = json.loads(body, parse_constant=_refuse_constant)
        storable = json.dumps(event, ensure_ascii=False, allow_nan=False)
        storable.encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "event_malformed", "The body is not JSON.") from None
    # Postgres holds no NUL. Without the escaped backslashes, what looks like its escape is it.
    holds_nul = "\\u0000" in storable.replace("\\\\", "")
    if not isinstance(event, dict) or event.get("object") != "event" or holds_nul:
        raise Refusal(400, "event_malformed", "The body is not a Stripe event.")
    return event


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body.decode(), signature, secret, TOLERANCE_S)
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        # ValueError: the body is not UTF-8; TypeError: the header is not ASCII.
        return False
    # The library looks at the age alone; what it verified names the time once, as `t=`.
    signed_at = next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    return signed_at <= time.time() + TOLERANCE_S


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are not JSON, though Python reads them; Postgres would not store them."""
    raise ValueError(name)


async def receive(database: Database, event: dict[str, Any], *, livemode: bool) -> str:
    """Store and apply a verified event, once; returns what became of it (see app.receive_stripe_event)."""
    outcome = str(
        await database.value("receive_stripe_event", p_event=Jsonb(event), p_livemode=livemode, p_now=datetime.now(UTC))
    )
    log.info("stripe_event", outcome=outcome)
    return outcome
