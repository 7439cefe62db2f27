"""Stripe's events: kept in order, signed, delivered as often as asked."""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field

from devstack.standins.server import Caller, Json
from devstack.standins.stripe_lists import page


def sign_event(payload: bytes, secret: str, at: int) -> str:
    """Give the Stripe-Signature header for `payload` signed at the Unix time `at`.

    HMAC-SHA256 over `{at}.{payload}`, hex: https://docs.stripe.com/webhooks#verify-manually
    """
    signed = f"{at}.".encode() + payload
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(slots=True)
class StoredEvent:
    """An event with the exact bytes every delivery of it sends, and what came of the deliveries."""

    event: Json
    payload: bytes
    deliveries: list[Json] = field(default_factory=list)

    @property
    def account(self) -> str | None:
        """The connected account the event belongs to, if any."""
        account: str | None = self.event.get("account")
        return account


@dataclass(slots=True)
class Events:
    """All events, oldest first."""

    caller: Caller
    secret: str
    _stored: dict[str, StoredEvent] = field(default_factory=dict)

    def add(self, event: Json) -> StoredEvent:
        """Keep an event; nothing is sent yet."""
        # Stripe's bodies are indented; a receiver must verify the bytes, not a re-encoded object.
        stored = StoredEvent(event, json.dumps(event, indent=2).encode())
        self._stored[event["id"]] = stored
        return stored

    def get(self, event_id: object) -> StoredEvent | None:
        """Find one by its id."""
        return self._stored.get(str(event_id))

    def all(self) -> list[StoredEvent]:
        """Everything, oldest first."""
        return list(self._stored.values())

    def clear(self) -> None:
        """Forget everything."""
        self._stored.clear()

    async def deliver(self, stored: StoredEvent, times: int = 1, *, parallel: bool = False) -> list[Json]:
        """Send the same body `times` times, each with its own time and signature; gives the outcomes.

        A delivery that fails is not repeated on its own, unlike Stripe's, which go on for days.
        """
        if parallel:
            return list(await asyncio.gather(*(self._deliver_once(stored) for _ in range(times))))
        return [await self._deliver_once(stored) for _ in range(times)]

    async def _deliver_once(self, stored: StoredEvent) -> Json:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign_event(stored.payload, self.secret, int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        answer = await self.caller.post(f"{self.caller.public_url}/webhooks/stripe", stored.payload, headers)
        if answer.accepted:
            # What the API shows afterwards; the delivered bytes stay as they were.
            stored.event["pending_webhooks"] = 0
        outcome = answer.summary()
        stored.deliveries.append(outcome)
        return outcome

    def page(self, params: Json, account: str | None) -> Json:
        """List an account's events, newest first: https://docs.stripe.com/api/events/list."""
        return page("events", (stored.event for stored in self.all() if stored.account == account), params)
